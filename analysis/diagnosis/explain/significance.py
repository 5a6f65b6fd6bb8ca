"""Compute adjusted p-values for all combinations.

The test depends on the number of earlier periods:

* Two or more earlier periods: each earlier period is compared with the others in the same way as the current one
  with all of them. The largest statistic of these comparisons shows how much whole periods differ without a fault;
  the statistic of a combination must exceed it (a moderated t-test of logarithms). The statistic is the rise beyond
  the rise of all other rows, so a rise of the whole fleet is no explanation.
* With three or more, also shuffle which rows of each cell are "now". The largest statistic of all combinations is
  compared with that of the shuffles (Westfall and Young), then each combination with its own shuffles. Tail
  probabilities come from mean and standard deviation of the shuffled statistics, so 200 shuffles are enough; the
  largest of many is skewed and follows a Gumbel distribution. The largest p-value counts.
* One earlier period shows no dispersion, so nothing is tested: every p-value is 1.
* No earlier period: a hypergeometric test of inside against outside, then Benjamini-Hochberg. If rows count more
  than one sync or user, also exchange the counts of all rows. The larger p-value counts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import stdtr

from analysis.base.tail_probabilities import (
    benjamini_hochberg,
    gumbel_tail,
    hypergeometric_tail,
    normal_tail,
)
from analysis.diagnosis.explain.candidates import (
    Candidates,
    evidence_weights,
    expected_rates,
    find_combinations,
    history_factors,
    min_failures,
)
from analysis.diagnosis.explain.cells import Cells, Floats

Split = tuple[Floats, Floats, Floats, Floats]

_SHUFFLES = 199
MIN_EARLIER_PERIODS = 2  # with one, the difference between periods is unknown
_MIN_PERIODS_SHUFFLED = 3  # with fewer, a shuffle has too few outcomes
_MIN_CELLS = 10
# The usual standard deviation of the logarithm of the largest statistic between periods without a fault, and how many
# periods of evidence it counts as (an empirical Bayes prior: few earlier periods estimate no deviation).
_USUAL_DEVIATION = 0.45
_PRIOR_PERIODS = 8
_PRIOR_FAILURES = 3.0  # so that few failures do not make a rise or an earlier rate certain
_EXTRA_VARIANCE = 10.0  # so that few expected failures do not make every excess significant


def adjusted_p_values(cells: Cells, candidates: Candidates, seed: int) -> Floats:
    """Return the probability of such a rise by chance, per combination, adjusted for their number."""
    if cells.is_now.all():
        return _test_against_other_rows(cells, candidates, seed)
    if cells.earlier_periods < MIN_EARLIER_PERIODS:
        return np.ones(len(candidates))
    p_values = _test_against_periods(cells, candidates)
    if cells.earlier_periods >= _MIN_PERIODS_SHUFFLED and len(cells) >= _MIN_CELLS:
        p_values = np.maximum(p_values, _test_against_shuffles(cells, candidates, seed))
    return p_values


def relative_rises(candidates: Candidates, counts: Split, *, is_scaled: bool = False) -> Floats:
    """Return the rise of each combination beyond the rise of all other rows, in standard errors.

    With `is_scaled` the value has the same scale after a rise of all rows, as a test needs; without, it favors
    combinations outside of which little rose, as a ranking needs.
    """
    failures_now, total_now, failures_before, total_before = counts
    rates = expected_rates(failures_before, total_before)
    history_factor = history_factors(candidates, failures_before, total_before, rates)
    weight = evidence_weights(total_now)
    failures, evidence = weight * failures_now, weight * total_now
    expected_inside = candidates.members @ (evidence * rates)
    expected = history_factor * expected_inside
    variance = history_factor * (candidates.members @ (evidence * rates * (1 - rates)))
    observed = candidates.members @ failures
    expected_elsewhere = (evidence * rates).sum(axis=0) - expected_inside + _PRIOR_FAILURES
    observed_elsewhere = failures.sum(axis=0) - observed + _PRIOR_FAILURES
    # If other rows fail less than before, that is no rise of this combination.
    rise_elsewhere = np.maximum(observed_elsewhere / expected_elsewhere, 1.0)
    uncertainty = expected**2 * rise_elsewhere / expected_elsewhere
    extra = _EXTRA_VARIANCE * rise_elsewhere**2 if is_scaled else _EXTRA_VARIANCE
    result: Floats = (observed - expected * rise_elsewhere) / np.sqrt(
        variance * rise_elsewhere + extra + uncertainty
    )
    return result


def _test_against_periods(cells: Cells, candidates: Candidates) -> Floats:
    failures, total = cells.sums_by_period(cells.failures), cells.sums_by_period(cells.total)
    periods = cells.earlier_periods
    # Column k compares period k with all earlier periods but itself.
    failures_before = failures[:, 1:].sum(axis=1, keepdims=True) - failures
    total_before = total[:, 1:].sum(axis=1, keepdims=True) - total
    failures_before[:, 0], total_before[:, 0] = failures[:, 1:].sum(axis=1), total[:, 1:].sum(axis=1)
    rises = relative_rises(candidates, (failures, total, failures_before, total_before), is_scaled=True)
    logarithms = np.log(np.maximum(rises, 1.0))
    largest = logarithms[:, 1:].max(axis=0)
    freedom = _PRIOR_PERIODS + periods - 1
    squares = _PRIOR_PERIODS * _USUAL_DEVIATION**2 + ((largest - largest.mean()) ** 2).sum()
    deviation = np.sqrt(squares / freedom * (1 + 1 / periods))
    return np.asarray(stdtr(freedom, -(logarithms[:, 0] - largest.mean()) / deviation), dtype=np.float64)


def _test_against_shuffles(cells: Cells, candidates: Candidates, seed: int) -> Floats:
    observed = _statistic(candidates, split_counts(cells, cells.is_now[:, None]))[:, 0]
    shuffled = _statistic(candidates, split_counts(cells, _shuffle_rows(cells, seed)))
    overall = gumbel_tail(_deviations(observed.max(keepdims=True), shuffled.max(axis=0, keepdims=True)))
    return np.maximum(overall, normal_tail(_deviations(observed, shuffled)))


def _deviations(observed: Floats, shuffled: Floats) -> Floats:
    deviation = np.maximum(shuffled.std(axis=1, ddof=1), 1e-9)
    return np.asarray((observed - shuffled.mean(axis=1)) / deviation, dtype=np.float64)


def split_counts(cells: Cells, is_now: NDArray[np.bool_]) -> Split:
    """Return failures and syncs per cell, now and before, with one column per column of `is_now`."""
    sum_rows = cells.row_sums()
    failures_now = sum_rows @ (is_now * cells.failures[:, None])
    total_now = sum_rows @ (is_now * cells.total[:, None])
    failures, total = (sum_rows @ cells.failures)[:, None], (sum_rows @ cells.total)[:, None]
    return failures_now, total_now, failures - failures_now, total - total_now


def _statistic(candidates: Candidates, counts: Split) -> Floats:
    """Return excess failures in standard errors (combinations x columns)."""
    failures_now, total_now, failures_before, total_before = counts
    rates = expected_rates(failures_before, total_before)
    history_factor = history_factors(candidates, failures_before, total_before, rates)
    evidence = evidence_weights(total_now) * total_now
    expected_failures = history_factor * (candidates.members @ (evidence * rates))
    variance = history_factor * (candidates.members @ (evidence * rates * (1 - rates)))
    excess = candidates.members @ (evidence_weights(total_now) * failures_now) - expected_failures
    result: Floats = excess / np.sqrt(variance + _EXTRA_VARIANCE)
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


def _test_against_other_rows(cells: Cells, candidates: Candidates, seed: int) -> Floats:
    failures, total = cells.sums(cells.failures, cells.is_now), cells.sums(cells.total, cells.is_now)
    inside_failures, inside_total = candidates.members @ failures, candidates.members @ total
    p_values = hypergeometric_tail(
        np.round(inside_failures),
        np.round(inside_total),
        total=round(total.sum()),
        marked=round(failures.sum()),
    )
    p_values = benjamini_hochberg(p_values)
    if (cells.total > 1).any():
        p_values = np.maximum(p_values, _test_against_exchanged_rows(cells, candidates, seed))
    return p_values


def _test_against_exchanged_rows(cells: Cells, candidates: Candidates, seed: int) -> Floats:
    """Compare differences of rates with those after exchanging the counts of all rows (Westfall and Young).

    Rows differ by more than chance without a fault, and exchanging them preserves that. A large row has no more
    weight than the variance between rows allows. Each exchange searches all combinations that could be candidates.
    """
    rates = cells.failures / cells.total
    weight = 1 / (1 / cells.total + _relative_extra_variance(rates, cells.total))
    counts = np.stack([weight, weight * rates, cells.failures], axis=1)
    observed = _rate_differences(candidates.members[:, cells.cell], counts)
    enough = min_failures(cells.failures)
    members = find_combinations(cells, cells.sums(cells.total, cells.is_now), enough).members[:, cells.cell]
    rng = np.random.default_rng(seed)
    at_least = np.zeros(len(candidates))
    for _ in range(_SHUFFLES):
        exchanged = counts[rng.permutation(len(counts))]
        differences = _rate_differences(members, exchanged)
        largest = differences[members @ exchanged[:, 2] >= enough].max(initial=-np.inf)
        at_least += largest >= observed - 1e-12
    return np.asarray((1 + at_least) / (_SHUFFLES + 1), dtype=np.float64)


def _rate_differences(members: sparse.csr_matrix, counts: Floats) -> Floats:
    """Return the difference of weighted rates inside and outside, in standard errors but for a constant."""
    inside, inside_rates, _ = (members @ counts).T
    outside, outside_rates, _ = counts.sum(axis=0)[:, None] - (members @ counts).T
    outside = np.maximum(outside, 1e-9)  # a combination of all rows has a difference near 0
    result: Floats = (inside_rates / inside - outside_rates / outside) / np.sqrt(1 / inside + 1 / outside)
    return result


def _relative_extra_variance(rates: Floats, total: Floats) -> float:
    """Estimate the variance of rates between rows beyond chance, relative to chance (DerSimonian and Laird)."""
    pooled = float(np.average(rates, weights=total))
    chance = max(pooled * (1 - pooled), 1e-9)
    squares = float((total * (rates - pooled) ** 2).sum()) / chance
    scale = float(total.sum() - (total**2).sum() / total.sum())
    return max(0.0, (squares - (len(total) - 1)) / scale) if scale > 0 else 0.0
