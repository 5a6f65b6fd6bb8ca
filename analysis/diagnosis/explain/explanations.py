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
from analysis.diagnosis.explain.significance import adjusted_p_values

# Calibrated on shuffled production data: at most one result in twenty has a false explanation.
_SIGNIFICANT = 0.04
_MIN_OVERLAP = 0.97


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One combination of attributes in which failures rose.

    `where` has a value for each attribute. `share` is its part of all excess failures, from 0 to 1; parts may
    overlap. `rate_in` and `rate_out` are failures per sync inside and outside of it now, `interval` is the 95 %
    Wilson interval of `rate_in`. `expected` is the number of failures at its earlier rate, or without history at
    the overall rate. `p_value` is adjusted for the number of combinations. `score` is the log likelihood that
    the explanation gains; it orders the list.
    """

    where: dict[str, str]
    share: float
    rate_in: float
    rate_out: float
    interval: tuple[float, float]
    p_value: float
    score: float
    failures: int
    total: int
    expected: float


def explain(
    now: pd.DataFrame,
    before: pd.DataFrame,
    *,
    by: Sequence[str],
    failures: str,
    total: str,
    limit: int = 5,
    seed: int = 0,
) -> list[Explanation]:
    """Find the combinations of at most three attributes that explain a rise in failures, best first.

    Each frame has the attributes `by` and the columns `failures` and `total` (counts of syncs or devices, for
    example), with any number of rows per combination. `before` can contain several earlier periods, which
    improves the test. If it is empty, each combination is compared with all other rows. Measurements are binned;
    a missing value is never an explanation. Returns an empty list if nothing differs more than chance. `seed`
    is the random seed of the test; the same seed produces the same result.

    Raises ValueError if a column is missing or a row has more failures than its total.
    """
    cells = to_cells(now, before, by, failures, total)
    if cells is None:
        return []
    counts = _Counts.of(cells)
    candidates = find_candidates(cells, counts.failures)
    if not len(candidates):
        return []
    history_factor = history_factors(candidates, counts.failures_before, counts.total_before, counts.rates)
    score = likelihood_gains(candidates, counts.failures, counts.total, counts.rates)
    if cells.is_now.all():
        score = score - complexity_costs(candidates)
    p_values = adjusted_p_values(cells, candidates, seed)
    keep = [
        int(at) for at in np.argsort(-score, kind="stable") if score[at] > 0 and p_values[at] <= _SIGNIFICANT
    ]
    return [
        _build_explanation(
            cells,
            candidates,
            counts,
            at,
            history_factor=float(history_factor[at]),
            score=float(score[at]),
            p_value=float(p_values[at]),
        )
        for at in _without_repeats(candidates, counts, keep, limit)
    ]


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
    cells: Cells,
    candidates: Candidates,
    counts: _Counts,
    at: int,
    *,
    history_factor: float,
    score: float,
    p_value: float,
) -> Explanation:
    inside = candidates.members[[at]].toarray()[0] > 0
    failed, synced = counts.failures[inside].sum(), counts.total[inside].sum()
    failed_out, synced_out = counts.failures[~inside].sum(), counts.total[~inside].sum()
    expected = history_factor * float((counts.total * counts.rates)[inside].sum())
    excess = np.maximum(counts.failures - counts.total * counts.rates, 0).sum()
    return Explanation(
        where={cells.attributes[a]: cells.values[a][value] for a, value in candidates.where[at]},
        share=float(np.clip((failed - expected) / max(excess, 1e-9), 0, 1)),
        rate_in=float(failed / synced),
        rate_out=float(failed_out / synced_out) if synced_out else 0.0,
        interval=wilson_interval(float(failed), float(synced)),
        p_value=p_value,
        score=score,
        failures=round(failed),
        total=round(synced),
        expected=expected,
    )
