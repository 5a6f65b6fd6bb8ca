"""Find change points of counts and shares, with a confidence interval on each date.

An exact search over all ways to cut the series (optimal partitioning, Jackson et al. 2005) minimizes a Poisson or
binomial deviance plus a penalty per cut. Counts of failures are mostly small and overdispersed, so the deviance is
divided by a dispersion of at least 1. The dispersion is estimated from differences between neighboring steps, which
level changes hardly affect. A seasonal series is searched by whole seasons, because seasonal effects cancel out
within a season.
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

_MIN_LENGTH = 2  # a single unusual step is no new level
_PENALTY = (
    3.0  # per cut, in units of log(length): two rates and a position, as in the modified BIC (Zhang 2007)
)
_SIGNIFICANT = 0.01
_TRIMMED, _TRIMMED_VARIANCE = 0.9, 0.623  # variance of a standard normal without its largest tenth


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePoint:
    """The first step of a new level.

    `at` is its label in the index of the series, `position` its position from 0. `interval` has the two labels
    between which the change began with 95 % probability. `before` and `after` are the levels on both sides:
    counts per step, or shares for a frame with totals. `p_value` is the probability of such a clear cut anywhere
    between its neighbors if the level did not change.
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
    """Find where the level of a series changed, in order; an empty list if it did not.

    A series holds counts at equal steps, for example days, and is treated as Poisson. A frame holds `failures` and
    `total` and is treated as binomial; steps with a total of 0 have no effect. Missing values are steps without
    observation. `season` is the number of steps after which counts repeat (7 for days of the week): the usual
    share of each step is removed first. Without it, a series with a detected season is searched by whole
    seasons, the newest one ending with the series. Then `at` is the first step of a season, and the interval is
    wider.

    Raises ValueError if a count is negative or exceeds its total.
    """
    series = _Series.of(counts, failures, total, season)
    if not season and (period := detect_season(series.rates())):
        series = series.sum_by_season(period)
    if len(series.hits) < 2 * _MIN_LENGTH or not series.hits.sum():
        return []
    dispersion = series.dispersion()
    cuts = _find_cuts(series, _PENALTY * np.log(len(series.hits)) * dispersion)
    while weakest := _find_weakest_cut(series, cuts, dispersion):
        cut, p_value = weakest
        if p_value <= _SIGNIFICANT:
            break
        cuts.remove(cut)
    edges = [0, *cuts, len(series.hits)]
    return [
        _build_change_point(series, left, cut, right, dispersion)
        for left, cut, right in zip(edges, edges[1:-1], edges[2:], strict=False)
    ]


@dataclass(frozen=True, slots=True)
class _Series:
    """Hits out of trials (binomial), or hits per exposure (Poisson, if `binomial` is False)."""

    index: pd.Index
    hits: Floats
    trials: Floats
    binomial: bool
    period: int = 1
    first: int = 0  # steps before the first whole season

    @classmethod
    def of(cls, counts: pd.Series | pd.DataFrame, failures: str, total: str, season: int) -> _Series:
        if isinstance(counts, pd.DataFrame):
            hits, trials = (counts[name].to_numpy(np.float64, na_value=np.nan) for name in (failures, total))
        else:
            hits = counts.to_numpy(np.float64, na_value=np.nan)
            trials = _seasonal_exposure(hits, season)
        missing = np.isnan(hits) | np.isnan(trials)
        hits, trials = np.where(missing, 0.0, hits), np.where(missing, 0.0, trials)
        binomial = isinstance(counts, pd.DataFrame)
        if (hits < 0).any() or (binomial and (hits > trials).any()):
            raise ValueError("Each step needs 0 <= failures <= total; check how the failures were counted.")
        return cls(counts.index, hits, trials, binomial)

    def rates(self) -> Floats:
        """Return hits per trial of each step, NaN for a step without observation."""
        unknown = np.full_like(self.hits, np.nan)
        return np.divide(self.hits, self.trials, out=unknown, where=self.trials > 0)

    def sum_by_season(self, period: int) -> _Series:
        """Return the series summed by whole seasons; the last one ends with the series."""
        first = len(self.index) % period
        hits, trials = (values[first:].reshape(-1, period).sum(axis=1) for values in (self.hits, self.trials))
        return _Series(self.index[first:], hits, trials, self.binomial, period, first)

    def label_of(self, at: int, offset: int = 0) -> Any:  # noqa: ANN401 - the type of the caller's index
        """Return the label of the first step of a season, or of the step `offset` steps later within the series."""
        return self.index[min(max(at * self.period + offset, 0), len(self.index) - 1)]

    def cost(self, hits: Floats, trials: Floats) -> Floats:
        """Return twice the negative log likelihood of one level for a segment, without constant terms."""
        level = np.divide(hits, trials, out=np.zeros_like(hits), where=trials > 0)
        misses = xlogy(trials - hits, 1 - level) if self.binomial else -hits
        return np.asarray(-2 * (xlogy(hits, level) + misses), dtype=np.float64)

    def dispersion(self) -> float:
        """Return the ratio of the variance between steps to that of the distribution, at least 1."""
        observed = self.trials > 0
        hits, trials = self.hits[observed], self.trials[observed]
        if len(hits) < 2:
            return 1.0
        level = (hits[1:] + hits[:-1]) / (trials[1:] + trials[:-1])
        spread = level * (1 - level) if self.binomial else level
        variance = np.maximum(spread * (1 / trials[1:] + 1 / trials[:-1]), 1e-12)
        squares = np.sort((hits[1:] / trials[1:] - hits[:-1] / trials[:-1]) ** 2 / variance)
        kept = squares[: max(1, int(_TRIMMED * len(squares)))]
        return max(1.0, float(kept.mean()) / _TRIMMED_VARIANCE)


def _seasonal_exposure(hits: Floats, season: int) -> Floats:
    if season < 2 or len(hits) < 2 * season:
        return np.ones(len(hits))
    step_in_season = np.arange(len(hits)) % season
    typical = pd.Series(hits).groupby(step_in_season).median().fillna(0.0).to_numpy() + 0.5
    return np.asarray((typical / typical.mean())[step_in_season], dtype=np.float64)


def _find_cuts(series: _Series, penalty: float) -> list[int]:
    """Find the cuts with the least cost; exact, quadratic in the length of the series."""
    hits = np.concatenate([[0.0], np.cumsum(series.hits)])
    trials = np.concatenate([[0.0], np.cumsum(series.trials)])
    length = len(series.hits)
    lowest_cost = np.full(length + 1, np.inf)
    lowest_cost[0] = -penalty
    previous_cut = np.zeros(length + 1, dtype=np.int64)
    for end in range(_MIN_LENGTH, length + 1):
        starts = np.arange(0, end - _MIN_LENGTH + 1)
        costs = (
            lowest_cost[starts]
            + series.cost(hits[end] - hits[starts], trials[end] - trials[starts])
            + penalty
        )
        previous_cut[end] = int(np.argmin(costs))
        lowest_cost[end] = costs[previous_cut[end]]
    cuts: list[int] = []
    at = int(previous_cut[length])
    while at > 0:
        cuts.append(at)
        at = int(previous_cut[at])
    return sorted(cuts)


def _saved_costs(series: _Series, left: int, right: int) -> Floats:
    """Return the cost that each cut between two edges saves, by position from `left + 1`."""
    hits, trials = np.cumsum(series.hits[left:right]), np.cumsum(series.trials[left:right])
    one_level = series.cost(hits[-1:], trials[-1:])
    two_levels = series.cost(hits[:-1], trials[:-1]) + series.cost(
        hits[-1] - hits[:-1], trials[-1] - trials[:-1]
    )
    return np.asarray(one_level - two_levels, dtype=np.float64)


def _find_weakest_cut(series: _Series, cuts: list[int], dispersion: float) -> tuple[int, float] | None:
    edges = [0, *cuts, len(series.hits)]
    p_values = [
        (_compute_p_value(series, left, cut, right, dispersion), cut)
        for left, cut, right in zip(edges, edges[1:-1], edges[2:], strict=False)
    ]
    return (max(p_values)[1], max(p_values)[0]) if p_values else None


def _compute_p_value(series: _Series, left: int, cut: int, right: int, dispersion: float) -> float:
    saved = _saved_costs(series, left, right)[cut - left - 1] / dispersion
    return float(min(1.0, (right - left - 1) * chdtrc(1, max(saved, 0.0))))


def _build_change_point(series: _Series, left: int, cut: int, right: int, dispersion: float) -> ChangePoint:
    log_weights = _saved_costs(series, left, right) / (2 * dispersion)
    cumulated = np.cumsum(np.exp(log_weights - logsumexp(log_weights)))
    low, high = (int(np.searchsorted(cumulated, at)) + left + 1 for at in (0.025, 0.975))
    within = series.period - 1  # a change within a season already affects that season
    return ChangePoint(
        at=series.label_of(cut),
        position=series.first + cut * series.period,
        interval=(series.label_of(min(low, cut), -within), series.label_of(max(high, cut), within)),
        before=_compute_level(series, left, cut),
        after=_compute_level(series, cut, right),
        p_value=_compute_p_value(series, left, cut, right, dispersion),
    )


def _compute_level(series: _Series, left: int, right: int) -> float:
    trials = series.trials[left:right].sum()
    return float(series.hits[left:right].sum() / trials) if trials else 0.0
