"""Could it be chance? Adjusted p-values for all combinations at once.

Three situations, three tests:

* several earlier periods: which row is "now" is shuffled among the rows of each cell. First the page as a
  whole: is its largest statistic larger than that of the shuffles (Westfall and Young)? Then each combination
  against its own shuffles; it gets the worse of both p-values. Only this notices that real rates move more
  than coin tosses do. Tails come from mean and spread of the shuffled statistics, so that 200 are enough;
* one earlier period: a normal test with capped cells, then Benjamini-Hochberg;
* no earlier period: the hypergeometric test of inside against outside, then Benjamini-Hochberg.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.base.tail_probabilities import benjamini_hochberg, hypergeometric_tail, normal_tail
from analysis.diagnosis.explain.candidates import (
    Candidates,
    evidence_weights,
    expected_rates,
    history_factors,
)
from analysis.diagnosis.explain.cells import Cells, Floats

Split = tuple[Floats, Floats, Floats, Floats]

_SHUFFLES = 199
_PERIODS_AT_LEAST = 2.5  # earlier rows for each present one; with fewer a shuffle has too few outcomes
_CELLS_AT_LEAST = 10
_LUCK_SHUFFLED = 10.0  # added to variances, so that few expected failures are not soon a surprise
_LUCK = 1.0


def adjusted_p(cells: Cells, found: Candidates, seed: int) -> Floats:
    """Give the chance of such a rise if nothing had changed, per combination, adjusted for their number."""
    rows_now, rows_before = int(cells.is_now.sum()), int((~cells.is_now).sum())
    if not rows_before:
        return _against_the_rest(cells, found)
    if rows_before < _PERIODS_AT_LEAST * rows_now or len(cells) < _CELLS_AT_LEAST:
        return _against_one_period(cells, found)
    return _against_shuffles(cells, found, seed)


def _against_shuffles(cells: Cells, found: Candidates, seed: int) -> Floats:
    observed = _statistic(found, _split(cells, cells.is_now[:, None]), _LUCK_SHUFFLED)[:, 0]
    shuffled = _statistic(found, _split(cells, _shuffled(cells, seed)), _LUCK_SHUFFLED)
    page = _tail(observed.max(keepdims=True), shuffled.max(axis=0, keepdims=True))
    return np.maximum(page, _tail(observed, shuffled))


def _tail(observed: Floats, shuffled: Floats) -> Floats:
    spread = np.maximum(shuffled.std(axis=1, ddof=1), 1e-9)
    return normal_tail((observed - shuffled.mean(axis=1)) / spread)


def _against_one_period(cells: Cells, found: Candidates) -> Floats:
    counts = _split(cells, cells.is_now[:, None])
    _, total_now, _, total_before = counts
    evidence = evidence_weights(total_now) * total_now
    history = 1 + evidence / (evidence_weights(total_before) * total_before + 1)
    return benjamini_hochberg(normal_tail(_statistic(found, counts, _LUCK, history)[:, 0]))


def _split(cells: Cells, is_now: NDArray[np.bool_]) -> Split:
    """Failures and syncs per cell, now and before, one column per column of `is_now`."""
    add_up = cells.row_sums()
    failures_now = add_up @ (is_now * cells.failures[:, None])
    total_now = add_up @ (is_now * cells.total[:, None])
    failures, total = (add_up @ cells.failures)[:, None], (add_up @ cells.total)[:, None]
    return failures_now, total_now, failures - failures_now, total - total_now


def _statistic(found: Candidates, counts: Split, luck: float, uncertainty: Floats | float = 1.0) -> Floats:
    """Excess failures in standard errors (combinations x columns); `uncertainty` widens them per cell."""
    failures_now, total_now, failures_before, total_before = counts
    rates = expected_rates(failures_before, total_before)
    used_to = history_factors(found, failures_before, total_before, rates)
    evidence = evidence_weights(total_now) * total_now
    due = used_to * (found.members @ (evidence * rates))
    variance = used_to * (found.members @ (evidence * rates * (1 - rates) * uncertainty))
    excess = found.members @ (evidence_weights(total_now) * failures_now) - due
    result: Floats = excess / np.sqrt(variance + luck)
    return result


def _shuffled(cells: Cells, seed: int) -> NDArray[np.bool_]:
    """Draw which rows are now (rows x shuffles): each cell keeps how many it has, in another order.

    A cell that was only seen now, or only before, has no order to change. Its rows are now as often as any
    row is; otherwise a new version, which is never seen before, could not be told from chance.
    """
    rng = np.random.default_rng(seed)
    rows = len(cells.cell)
    now_in_cell = np.bincount(cells.cell[cells.is_now], minlength=len(cells))
    order = np.argsort(rng.random((rows, _SHUFFLES)) + cells.cell[:, None], axis=0)
    in_order = np.sort(cells.cell)
    rank = np.arange(rows) - np.searchsorted(in_order, in_order)
    is_now = np.empty((rows, _SHUFFLES), dtype=np.bool_)
    chosen = np.broadcast_to((rank < now_in_cell[in_order])[:, None], is_now.shape)
    np.put_along_axis(is_now, order, chosen, axis=0)
    one_sided = (now_in_cell == 0) | (now_in_cell == np.bincount(cells.cell, minlength=len(cells)))
    coins = rng.random((rows, _SHUFFLES)) < cells.is_now.mean()
    return np.where(one_sided[cells.cell][:, None], coins, is_now)


def _against_the_rest(cells: Cells, found: Candidates) -> Floats:
    failures, total = cells.sums(cells.failures, cells.is_now), cells.sums(cells.total, cells.is_now)
    p_values = hypergeometric_tail(
        np.round(found.members @ failures),
        np.round(found.members @ total),
        total=round(total.sum()),
        marked=round(failures.sum()),
    )
    return benjamini_hochberg(p_values)
