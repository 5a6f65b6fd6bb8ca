"""What is different: the combinations of attributes that explain more failures than they should."""

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
from analysis.diagnosis.explain.significance import adjusted_p

# Calibrated on shuffled production data so that at most one page in twenty shows a finding that is none.
_SIGNIFICANT = 0.04
_SAME_STORY = 0.97


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One combination of attributes in which failures rose.

    `share` is its part of all excess failures, from 0 to 1 (parts may overlap). `rate_in` and `rate_out` are
    failures per sync inside and outside of it now, `interval` the 95 % Wilson interval of `rate_in`.
    `expected` is how many failures its history (without history: everybody's rate) would have brought.
    `p_value` is adjusted for the number of combinations looked at; `score` is the log likelihood that this
    explanation wins, by which explanations are ordered.
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
    most: int = 5,
    seed: int = 0,
) -> list[Explanation]:
    """Name the combinations of at most three attributes that explain a rise in failures, best first.

    Each frame has one row per combination of the attributes `by`, repeated as often as it was observed, with
    the columns `failures` and `total` (syncs, devices, whatever is counted). `before` may stack several
    earlier periods, which makes the test better, or be empty: then each combination is compared with
    the rest. Numbers that measure are binned; a missing value is never an explanation. Returns an empty list
    when nothing stands out from chance. `seed` drives the shuffles of the test; the same seed gives the same
    answer.

    Raises ValueError when a column is missing or a row has more failures than its total.
    """
    cells = to_cells(now, before, by, failures, total)
    if cells is None:
        return []
    counts = _Counts.of(cells)
    found = find_candidates(cells, counts.failures)
    if not len(found):
        return []
    used_to = history_factors(found, counts.failures_before, counts.total_before, counts.rates)
    score = likelihood_gains(found, counts.failures, counts.total, counts.rates)
    if cells.is_now.all():
        score = score - complexity_costs(found)
    p_values = adjusted_p(cells, found, seed)
    keep = [
        int(at) for at in np.argsort(-score, kind="stable") if score[at] > 0 and p_values[at] <= _SIGNIFICANT
    ]
    return [
        _explanation(
            cells,
            found,
            counts,
            at,
            used_to=float(used_to[at]),
            score=float(score[at]),
            p_value=float(p_values[at]),
        )
        for at in _without_repeats(found, counts, keep, most)
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
        if not before.any():  # everybody's rate is what is expected of everybody
            rates = np.full(len(cells), np.clip(failures.sum() / total.sum(), 1e-6, 1 - 1e-6))
        return cls(failures, total, *earlier, rates)


def _without_repeats(found: Candidates, counts: _Counts, ranked: list[int], most: int) -> list[int]:
    """Leave out what covers nearly the same syncs and failures as a better explanation."""
    kept: list[int] = []
    covered: list[tuple[Floats, Floats]] = []
    for at in ranked:
        inside = found.members[[at]].toarray()[0]
        mine = inside * counts.failures, inside * counts.total
        if not any(_alike(mine[0], other[0]) and _alike(mine[1], other[1]) for other in covered):
            kept.append(at)
            covered.append(mine)
        if len(kept) == most:
            break
    return kept


def _alike(one: Floats, other: Floats) -> bool:
    return bool(np.minimum(one, other).sum() >= _SAME_STORY * max(one.sum(), other.sum()))


def _explanation(
    cells: Cells, found: Candidates, counts: _Counts, at: int, *, used_to: float, score: float, p_value: float
) -> Explanation:
    inside = found.members[[at]].toarray()[0] > 0
    failed, tried = counts.failures[inside].sum(), counts.total[inside].sum()
    failed_out, tried_out = counts.failures[~inside].sum(), counts.total[~inside].sum()
    expected = used_to * float((counts.total * counts.rates)[inside].sum())
    excess = np.maximum(counts.failures - counts.total * counts.rates, 0).sum()
    return Explanation(
        where={cells.attributes[a]: cells.values[a][value] for a, value in found.where[at]},
        share=float(np.clip((failed - expected) / max(excess, 1e-9), 0, 1)),
        rate_in=float(failed / tried),
        rate_out=float(failed_out / tried_out) if tried_out else 0.0,
        interval=wilson_interval(float(failed), float(tried)),
        p_value=p_value,
        score=score,
        failures=round(failed),
        total=round(tried),
        expected=expected,
    )
