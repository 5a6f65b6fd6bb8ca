"""When did it change: change points of counts and shares, with an interval on each date.

An exact search (optimal partitioning, Jackson et al. 2005) over all ways to cut the series minimises a
Poisson or binomial deviance plus a price per cut. Counts of failures are mostly small and vary more than
coins do, so the deviance is divided by a dispersion, estimated from differences of neighbours, which steps
in the series hardly touch, and never taken below 1. A series that repeats its ups and downs is judged by whole
periods, whose levels the ups and downs do not touch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import chdtrc, logsumexp, xlogy

from analysis.diagnosis.seasonality import detect_season

Floats = NDArray[np.float64]

_SHORTEST = 2  # one odd day is an odd day
_PRICE = 3.0  # per cut, in units of log(length): two rates and a place, as in the modified BIC (Zhang 2007)
_SIGNIFICANT = 0.01
_TRIMMED, _OF_NORMAL = 0.9, 0.623  # mean square of a standard normal without its largest tenth


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePoint:
    """The first moment of a new level.

    `at` is its label in the index of the series and `position` its place from 0; `interval` are the labels
    between which the change began with 95 % probability, seen from the data. `before` and `after` are the
    levels of the stretches on both sides: counts per step, or shares where totals are given. `p_value` is the
    chance of so clear a cut anywhere between its neighbours if nothing had changed.
    """

    at: Any
    position: int
    interval: tuple[Any, Any]
    before: float
    after: float
    p_value: float


def change_points(
    counts: pd.Series | pd.DataFrame, *, failures: str = "failures", total: str = "total", season: int = 0
) -> list[ChangePoint]:
    """Find where the level of a series changed, in order; an empty list when it did not.

    A series holds counts at equal steps (days, say) and is judged as Poisson; a frame holds `failures` out of
    `total` and is judged as binomial, steps without any total telling nothing. Missing values are steps
    without observation. `season` is the number of steps after which counts repeat their ups and downs (7 for
    days of a week); the usual share of each step in them is then taken out first. Without it, a series that is
    found to repeat itself is judged by whole periods, the newest one ending with the series: `at` is then the
    first step of a period, and the interval as much wider.

    Raises ValueError when a count is negative or exceeds its total.
    """
    series = _Series.of(counts, failures, total, season)
    if not season and (period := detect_season(series.rates())):
        series = series.gathered(period)
    if len(series.hits) < 2 * _SHORTEST or not series.hits.sum():
        return []
    dispersion = series.dispersion()
    cuts = _best_cuts(series, _PRICE * np.log(len(series.hits)) * dispersion)
    while found := _weakest(series, cuts, dispersion):
        cut, p_value = found
        if p_value <= _SIGNIFICANT:
            break
        cuts.remove(cut)
    edges = [0, *cuts, len(series.hits)]
    return [
        _described(series, left, cut, right, dispersion)
        for left, cut, right in zip(edges, edges[1:-1], edges[2:], strict=False)
    ]


@dataclass(frozen=True, slots=True)
class _Series:
    """Hits out of chances (binomial), or hits per exposure (Poisson, where `binomial` is False)."""

    index: pd.Index
    hits: Floats
    chances: Floats
    binomial: bool
    period: int = 1
    first: int = 0  # steps before the first whole period

    @classmethod
    def of(cls, counts: pd.Series | pd.DataFrame, failures: str, total: str, season: int) -> _Series:
        if isinstance(counts, pd.DataFrame):
            hits, chances = (counts[name].to_numpy(np.float64, na_value=np.nan) for name in (failures, total))
        else:
            hits = counts.to_numpy(np.float64, na_value=np.nan)
            chances = _exposure(hits, season)
        unseen = np.isnan(hits) | np.isnan(chances)
        hits, chances = np.where(unseen, 0.0, hits), np.where(unseen, 0.0, chances)
        binomial = isinstance(counts, pd.DataFrame)
        if (hits < 0).any() or (binomial and (hits > chances).any()):
            raise ValueError("Each step needs 0 <= failures <= total; check how the failures were counted.")
        return cls(counts.index, hits, chances, binomial)

    def rates(self) -> Floats:
        """Hits per chance of each step, NaN where nothing was seen."""
        unknown = np.full_like(self.hits, np.nan)
        return np.divide(self.hits, self.chances, out=unknown, where=self.chances > 0)

    def gathered(self, period: int) -> _Series:
        """The same by whole periods, of which the last ends with the series."""
        first = len(self.index) % period
        hits, chances = (
            values[first:].reshape(-1, period).sum(axis=1) for values in (self.hits, self.chances)
        )
        return _Series(self.index[first:], hits, chances, self.binomial, period, first)

    def label(self, at: int, away: int = 0) -> Any:  # noqa: ANN401 - the caller's own
        """The label of the first step of a stretch, or of a step as far away as the series goes."""
        return self.index[min(max(at * self.period + away, 0), len(self.index) - 1)]

    def cost(self, hits: Floats, chances: Floats) -> Floats:
        """Twice the negative log likelihood of one level for a whole stretch, without what all cuts share."""
        level = np.divide(hits, chances, out=np.zeros_like(hits), where=chances > 0)
        misses = xlogy(chances - hits, 1 - level) if self.binomial else -hits
        return np.asarray(-2 * (xlogy(hits, level) + misses), dtype=np.float64)

    def dispersion(self) -> float:
        """How many times more than its kind the series varies from step to step, at least 1."""
        seen = self.chances > 0
        hits, chances = self.hits[seen], self.chances[seen]
        if len(hits) < 2:
            return 1.0
        level = (hits[1:] + hits[:-1]) / (chances[1:] + chances[:-1])
        spread = level * (1 - level) if self.binomial else level
        variance = np.maximum(spread * (1 / chances[1:] + 1 / chances[:-1]), 1e-12)
        squares = np.sort((hits[1:] / chances[1:] - hits[:-1] / chances[:-1]) ** 2 / variance)
        kept = squares[: max(1, int(_TRIMMED * len(squares)))]
        return max(1.0, float(kept.mean()) / _OF_NORMAL)


def _exposure(hits: Floats, season: int) -> Floats:
    if season < 2 or len(hits) < 2 * season:
        return np.ones(len(hits))
    place = np.arange(len(hits)) % season
    usual = pd.Series(hits).groupby(place).median().fillna(0.0).to_numpy() + 0.5
    return np.asarray((usual / usual.mean())[place], dtype=np.float64)


def _best_cuts(series: _Series, price: float) -> list[int]:
    """Choose the cuts with the least cost; exact, quadratic in the length of the series."""
    hits = np.concatenate([[0.0], np.cumsum(series.hits)])
    chances = np.concatenate([[0.0], np.cumsum(series.chances)])
    length = len(series.hits)
    least = np.full(length + 1, np.inf)
    least[0] = -price
    came_from = np.zeros(length + 1, dtype=np.int64)
    for end in range(_SHORTEST, length + 1):
        starts = np.arange(0, end - _SHORTEST + 1)
        costs = least[starts] + series.cost(hits[end] - hits[starts], chances[end] - chances[starts]) + price
        came_from[end] = int(np.argmin(costs))
        least[end] = costs[came_from[end]]
    cuts: list[int] = []
    at = int(came_from[length])
    while at > 0:
        cuts.append(at)
        at = int(came_from[at])
    return sorted(cuts)


def _won(series: _Series, left: int, right: int) -> Floats:
    """How much cost each cut strictly between the two edges saves, by position from `left + 1` on."""
    hits, chances = np.cumsum(series.hits[left:right]), np.cumsum(series.chances[left:right])
    whole = series.cost(hits[-1:], chances[-1:])
    halves = series.cost(hits[:-1], chances[:-1]) + series.cost(
        hits[-1] - hits[:-1], chances[-1] - chances[:-1]
    )
    return np.asarray(whole - halves, dtype=np.float64)


def _weakest(series: _Series, cuts: list[int], dispersion: float) -> tuple[int, float] | None:
    edges = [0, *cuts, len(series.hits)]
    judged = [
        (_p_value(series, left, cut, right, dispersion), cut)
        for left, cut, right in zip(edges, edges[1:-1], edges[2:], strict=False)
    ]
    return (max(judged)[1], max(judged)[0]) if judged else None


def _p_value(series: _Series, left: int, cut: int, right: int, dispersion: float) -> float:
    won = _won(series, left, right)[cut - left - 1] / dispersion
    return float(min(1.0, (right - left - 1) * chdtrc(1, max(won, 0.0))))


def _described(series: _Series, left: int, cut: int, right: int, dispersion: float) -> ChangePoint:
    belief = _won(series, left, right) / (2 * dispersion)
    cumulated = np.cumsum(np.exp(belief - logsumexp(belief)))
    low, high = (int(np.searchsorted(cumulated, at)) + left + 1 for at in (0.025, 0.975))
    within = series.period - 1  # a change inside a period shows in that period already
    return ChangePoint(
        at=series.label(cut),
        position=series.first + cut * series.period,
        interval=(series.label(min(low, cut), -within), series.label(max(high, cut), within)),
        before=_level(series, left, cut),
        after=_level(series, cut, right),
        p_value=_p_value(series, left, cut, right, dispersion),
    )


def _level(series: _Series, left: int, right: int) -> float:
    chances = series.chances[left:right].sum()
    return float(series.hits[left:right].sum() / chances) if chances else 0.0
