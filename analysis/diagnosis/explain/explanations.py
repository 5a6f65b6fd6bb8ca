"""Explain a rise in failures: the combinations of attributes in which failures rose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.base.intervals import wilson_interval
from analysis.diagnosis.explain.candidates import (
    Candidates,
    complexity_costs,
    expected_rates,
    find_candidates,
    history_factors,
    likelihood_gains,
)
from analysis.diagnosis.explain.cells import Cells, Floats, to_cells
from analysis.diagnosis.explain.significance import MIN_EARLIER_PERIODS, adjusted_p_values, relative_rises

# Calibrated on shuffled production data and synthetic fleets: at most one quiet period in twenty has an asserted
# explanation.
_SIGNIFICANT = 0.05
_MIN_OVERLAP = 0.97


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One combination of attributes in which failures rose.

    `asserted` is true if the rise exceeds chance; otherwise the combination is a candidate to look at, not a
    finding. `where` has a value for each attribute. `share` is its part of all excess failures, from 0 to 1; parts
    may overlap. `rate_in` and `rate_out` are failures per sync inside and outside of it now, `interval` is the 95 %
    Wilson interval of `rate_in`; `rate_in_before` and `rate_out_before` are the same rates in the earlier periods,
    or None without syncs there. `expected` is the number of failures at its earlier rate, or without history at
    the overall rate. `p_value` is adjusted for the number of combinations; it is None if nothing could be tested,
    because there is one earlier period and `MIN_EARLIER_PERIODS` are needed. `score` orders the list: the log
    likelihood that the explanation gains, with history times its rise relative to other rows.
    """

    asserted: bool
    where: dict[str, str]
    share: float
    rate_in: float
    rate_out: float
    rate_in_before: float | None
    rate_out_before: float | None
    interval: tuple[float, float]
    p_value: float | None
    score: float
    failures: int
    total: int
    expected: float
    earlier_periods: int


def explain(
    now: pd.DataFrame,
    before: pd.DataFrame,
    *,
    by: Sequence[str],
    failures: str,
    total: str,
    period: str = "period",
    limit: int = 5,
    seed: int = 0,
) -> list[Explanation]:
    """Rank the combinations of at most three attributes that best explain a rise in failures.

    Each frame has the attributes `by` and the columns `failures` and `total` (counts of syncs or devices, for
    example), with any number of rows per combination. The column `period` of `before` separates earlier periods;
    without it, a new period is assumed to begin where a combination repeats. If `before` is empty, each
    combination is compared with all other rows. Measurements are binned; a missing value is never an explanation.

    The list has up to `limit` combinations whose failure rate is now higher than that of all other rows. Only those
    with `asserted` exceed chance. With one earlier period none is asserted. `seed` is the random seed of the test;
    the same seed produces the same result.

    Raises ValueError if a column is missing or a row has more failures than its total.
    """
    cells = to_cells(now, before, by, failures=failures, total=total, period=period)
    if cells is None:
        return []
    counts = _Counts.of(cells)
    candidates = find_candidates(cells, counts.failures)
    if not len(candidates):
        return []
    score = _rank(cells, candidates, counts)
    ranked = [int(at) for at in np.argsort(-score, kind="stable") if score[at] > 0]
    listed = _without_repeats(candidates, counts, ranked, limit)
    p_values = adjusted_p_values(cells, candidates, seed) if listed else np.empty(0)
    return [
        _build_explanation(cells, candidates, counts, at, score=float(score[at]), p_value=float(p_values[at]))
        for at in listed
    ]


def _rank(cells: Cells, candidates: Candidates, counts: _Counts) -> Floats:
    """Return the score of each combination; 0 unless its failure rate is higher than that of all other rows."""
    score = likelihood_gains(candidates, counts.failures, counts.total, counts.rates)
    if cells.is_now.all():
        score = score - complexity_costs(candidates)
    else:
        columns = (counts.failures, counts.total, counts.failures_before, counts.total_before)
        split = tuple(column[:, None] for column in columns)
        rises = relative_rises(candidates, (split[0], split[1], split[2], split[3]))[:, 0]
        score = score * np.maximum(rises, 0.0)
    inside_failures, inside_total = candidates.members @ counts.failures, candidates.members @ counts.total
    # Products of whole numbers are exact, unlike rates.
    is_higher = inside_failures * (counts.total.sum() - inside_total) > inside_total * (
        counts.failures.sum() - inside_failures
    )
    return np.asarray(np.where(is_higher, score, 0.0), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Counts:
    failures: Floats
    total: Floats
    failures_before: Floats
    total_before: Floats
    rates: Floats

    @classmethod
    def of(cls, cells: Cells) -> _Counts:
        now, before = cells.is_now, ~cells.is_now
        failures, total = cells.sums(cells.failures, now), cells.sums(cells.total, now)
        earlier = (cells.sums(cells.failures, before), cells.sums(cells.total, before))
        rates = expected_rates(*earlier) if before.any() else expected_rates(failures, total)
        if not before.any():  # without history, the overall rate is expected
            rates = np.full(len(cells), np.clip(failures.sum() / total.sum(), 1e-6, 1 - 1e-6))
        return cls(failures, total, *earlier, rates)


def _without_repeats(candidates: Candidates, counts: _Counts, ranked: list[int], limit: int) -> list[int]:
    """Remove combinations that cover nearly the same syncs and failures as a better explanation."""
    kept: list[int] = []
    covered: list[tuple[Floats, Floats]] = []
    for at in ranked:
        inside = candidates.members[[at]].toarray()[0]
        inside_counts = inside * counts.failures, inside * counts.total
        if not any(
            _is_overlapping(inside_counts[0], other[0]) and _is_overlapping(inside_counts[1], other[1])
            for other in covered
        ):
            kept.append(at)
            covered.append(inside_counts)
        if len(kept) == limit:
            break
    return kept


def _is_overlapping(one: Floats, other: Floats) -> bool:
    return bool(np.minimum(one, other).sum() >= _MIN_OVERLAP * max(one.sum(), other.sum()))


def _build_explanation(
    cells: Cells, candidates: Candidates, counts: _Counts, at: int, *, score: float, p_value: float
) -> Explanation:
    inside = candidates.members[[at]].toarray()[0] > 0
    failed, synced = counts.failures[inside].sum(), counts.total[inside].sum()
    before = counts.failures_before, counts.total_before
    history_factor = float(
        history_factors(candidates, counts.failures_before, counts.total_before, counts.rates)[at]
    )
    expected = history_factor * float((counts.total * counts.rates)[inside].sum())
    excess = np.maximum(counts.failures - counts.total * counts.rates, 0).sum()
    is_tested = cells.earlier_periods == 0 or cells.earlier_periods >= MIN_EARLIER_PERIODS
    return Explanation(
        asserted=is_tested and p_value <= _SIGNIFICANT,
        where={cells.attributes[a]: cells.values[a][value] for a, value in candidates.where[at]},
        share=float(np.clip((failed - expected) / max(excess, 1e-9), 0, 1)),
        rate_in=float(failed / synced),
        rate_out=float(counts.failures[~inside].sum() / counts.total[~inside].sum()),
        rate_in_before=_rate(before[0][inside], before[1][inside]),
        rate_out_before=_rate(before[0][~inside], before[1][~inside]),
        interval=wilson_interval(float(failed), float(synced)),
        p_value=p_value if is_tested else None,
        score=score,
        failures=round(failed),
        total=round(synced),
        expected=expected,
        earlier_periods=cells.earlier_periods,
    )


def _rate(failures: Floats, total: Floats) -> float | None:
    return float(failures.sum() / total.sum()) if total.sum() else None
