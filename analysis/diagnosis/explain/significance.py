"""Compute adjusted p-values for all combinations.

The test depends on the number of earlier periods:

* Several earlier periods: shuffle which rows of each cell are "now". The largest statistic of all combinations is
  compared with that of the shuffles (Westfall and Young), then each combination with its own shuffles. The larger
  p-value counts. This test includes the overdispersion of real rates. Tail probabilities come from mean and standard
  deviation of the shuffled statistics, so 200 shuffles are enough.
* One earlier period: a normal test with limited evidence per cell, then Benjamini-Hochberg.
* No earlier period: a hypergeometric test of inside against outside, then Benjamini-Hochberg.
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
_MIN_PERIODS = 2.5  # earlier rows per current row; with fewer, a shuffle has too few outcomes
_MIN_CELLS = 10
_EXTRA_VARIANCE_SHUFFLED = 10.0  # so that few expected failures do not make every excess significant
_EXTRA_VARIANCE = 1.0


def adjusted_p_values(cells: Cells, candidates: Candidates, seed: int) -> Floats:
    """Return the probability of such a rise by chance, per combination, adjusted for their number."""
    rows_now, rows_before = int(cells.is_now.sum()), int((~cells.is_now).sum())
    if not rows_before:
        return _test_against_other_rows(cells, candidates)
    if rows_before < _MIN_PERIODS * rows_now or len(cells) < _MIN_CELLS:
        return _test_against_one_period(cells, candidates)
    return _test_against_shuffles(cells, candidates, seed)


def _test_against_shuffles(cells: Cells, candidates: Candidates, seed: int) -> Floats:
    observed = _statistic(candidates, _split_counts(cells, cells.is_now[:, None]), _EXTRA_VARIANCE_SHUFFLED)[
        :, 0
    ]
    shuffled = _statistic(
        candidates, _split_counts(cells, _shuffle_rows(cells, seed)), _EXTRA_VARIANCE_SHUFFLED
    )
    overall = _tail_probability(observed.max(keepdims=True), shuffled.max(axis=0, keepdims=True))
    return np.maximum(overall, _tail_probability(observed, shuffled))


def _tail_probability(observed: Floats, shuffled: Floats) -> Floats:
    deviation = np.maximum(shuffled.std(axis=1, ddof=1), 1e-9)
    return normal_tail((observed - shuffled.mean(axis=1)) / deviation)


def _test_against_one_period(cells: Cells, candidates: Candidates) -> Floats:
    counts = _split_counts(cells, cells.is_now[:, None])
    _, total_now, _, total_before = counts
    evidence = evidence_weights(total_now) * total_now
    history = 1 + evidence / (evidence_weights(total_before) * total_before + 1)
    return benjamini_hochberg(normal_tail(_statistic(candidates, counts, _EXTRA_VARIANCE, history)[:, 0]))


def _split_counts(cells: Cells, is_now: NDArray[np.bool_]) -> Split:
    """Return failures and syncs per cell, now and before, with one column per column of `is_now`."""
    sum_rows = cells.row_sums()
    failures_now = sum_rows @ (is_now * cells.failures[:, None])
    total_now = sum_rows @ (is_now * cells.total[:, None])
    failures, total = (sum_rows @ cells.failures)[:, None], (sum_rows @ cells.total)[:, None]
    return failures_now, total_now, failures - failures_now, total - total_now


def _statistic(
    candidates: Candidates, counts: Split, extra_variance: float, uncertainty: Floats | float = 1.0
) -> Floats:
    """Return excess failures in standard errors (combinations x columns); `uncertainty` scales the variance."""
    failures_now, total_now, failures_before, total_before = counts
    rates = expected_rates(failures_before, total_before)
    history_factor = history_factors(candidates, failures_before, total_before, rates)
    evidence = evidence_weights(total_now) * total_now
    expected_failures = history_factor * (candidates.members @ (evidence * rates))
    variance = history_factor * (candidates.members @ (evidence * rates * (1 - rates) * uncertainty))
    excess = candidates.members @ (evidence_weights(total_now) * failures_now) - expected_failures
    result: Floats = excess / np.sqrt(variance + extra_variance)
    return result


def _shuffle_rows(cells: Cells, seed: int) -> NDArray[np.bool_]:
    """Draw which rows are now (rows x shuffles); each cell keeps its number of current rows.

    A cell with only current or only earlier rows cannot be shuffled. Its rows are drawn as current with the overall
    probability; otherwise a new version, which has no earlier rows, could never be significant.
    """
    rng = np.random.default_rng(seed)
    rows = len(cells.cell)
    now_in_cell = np.bincount(cells.cell[cells.is_now], minlength=len(cells))
    order = np.argsort(rng.random((rows, _SHUFFLES)) + cells.cell[:, None], axis=0)
    in_order = np.sort(cells.cell)
    rank = np.arange(rows) - np.searchsorted(in_order, in_order)
    is_now = np.empty((rows, _SHUFFLES), dtype=np.bool_)
    shuffled_rows = np.broadcast_to((rank < now_in_cell[in_order])[:, None], is_now.shape)
    np.put_along_axis(is_now, order, shuffled_rows, axis=0)
    fixed_cells = (now_in_cell == 0) | (now_in_cell == np.bincount(cells.cell, minlength=len(cells)))
    random_rows = rng.random((rows, _SHUFFLES)) < cells.is_now.mean()
    return np.where(fixed_cells[cells.cell][:, None], random_rows, is_now)


def _test_against_other_rows(cells: Cells, candidates: Candidates) -> Floats:
    failures, total = cells.sums(cells.failures, cells.is_now), cells.sums(cells.total, cells.is_now)
    p_values = hypergeometric_tail(
        np.round(candidates.members @ failures),
        np.round(candidates.members @ total),
        total=round(total.sum()),
        marked=round(failures.sum()),
    )
    return benjamini_hochberg(p_values)
