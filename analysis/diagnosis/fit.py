"""Measure how well a change fits an issue: the hit rate after the change in its scope, against all other days.

One likelihood ratio of the two rates answers three questions: did the hits start with the change, are the affected
users in its scope, and are other users in its scope unaffected. Its p-value comes from other times: a change that
fits no better than a change at a random time is no suspect.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from analysis.diagnosis.exposure import Booleans, Exposure, Floats, Integers

_TIMES = 2_000
_SHUFFLES = 999


def fit_at_time(exposure: Exposure, scope: Booleans, time: float) -> tuple[float, float]:
    """Return the log likelihood ratio and p-value of a change at a time, in a scope.

    `time` is in epoch seconds; `scope` has one flag per user. The p-value is the share of other times that fit
    as well: the geometric mean of the share of all time and the share of active time. Clock time alone would
    exclude a change on Friday evening as the reason for Monday; active time alone would accept any change on the
    weekend.
    """
    by_clock = np.linspace(exposure.seconds[0], exposure.seconds[-1], _TIMES)
    by_activity = np.quantile(exposure.seconds, np.linspace(0, 1, _TIMES))
    ratios = _ratios(exposure, scope, np.concatenate([by_clock, by_activity, [time]]))
    ratio = float(ratios[-1])
    share_as_good = (1 + (ratios[:-1].reshape(2, _TIMES) >= ratio - 1e-9).sum(axis=1)) / (_TIMES + 1)
    return ratio, float(np.sqrt(share_as_good.prod()))


def fit_at_adoption(exposure: Exposure, since: Floats, seed: int) -> tuple[float, float]:
    """Return the log likelihood ratio and p-value of a rollout with one adoption time per user.

    The p-value is the share of random reassignments of these times that fit as well. A problem that started for
    all users on the day when most of them got the version is no evidence against the version.
    """
    rng = np.random.default_rng(seed)
    orders = np.stack([np.arange(len(since)), *(rng.permutation(len(since)) for _ in range(_SHUFFLES))])
    ratios = _adoption_ratios(exposure, (since[order] for order in orders))
    return float(ratios[0]), float((ratios >= ratios[0] - 1e-9).mean())


def fit_scope(exposure: Exposure, scope: Booleans) -> float:
    """Return the log likelihood ratio of a scope alone: are its users hit more often at any time?"""
    return float(_ratios(exposure, scope, exposure.seconds[:1])[0])


def _ratios(exposure: Exposure, scope: Booleans, times: Floats) -> Floats:
    inside = scope[exposure.user_index]
    seconds, hit = exposure.seconds[inside], exposure.hit[inside]
    first: Integers = np.searchsorted(seconds, times, side="left")
    hits_from = np.concatenate([np.cumsum(hit[::-1])[::-1], [0]])
    return likelihood_ratio(
        hits_from[first].astype(np.float64),
        (len(seconds) - first).astype(np.float64),
        float(exposure.hit.sum()),
        float(len(exposure.hit)),
    )


def _adoption_ratios(exposure: Exposure, adoptions: Iterable[Floats]) -> Floats:
    """Return the log likelihood ratio for each array of adoption times, which has one time per user."""
    counts = []
    for since in adoptions:
        exposed = exposure.seconds >= since[exposure.user_index]
        counts.append((np.count_nonzero(exposure.hit & exposed), np.count_nonzero(exposed)))
    hits, days = np.array(counts, dtype=np.float64).T
    return likelihood_ratio(hits, days, float(exposure.hit.sum()), float(len(exposure.hit)))


def likelihood_ratio(hits: Floats, days: Floats, all_hits: float, all_days: float) -> Floats:
    """Return the log likelihood that two rates gain over one; 0 if the rate inside is not higher."""
    hits_outside, days_outside = all_hits - hits, all_days - days

    def log_likelihood(count: Floats, of: Floats) -> Floats:
        rate = np.divide(count, of, out=np.zeros_like(count), where=of > 0)
        return np.asarray(_xlogy(count, rate) + _xlogy(of - count, 1 - rate), dtype=np.float64)

    single_rate = log_likelihood(
        np.array([all_hits], dtype=np.float64), np.array([all_days], dtype=np.float64)
    )
    gain = log_likelihood(hits, days) + log_likelihood(hits_outside, days_outside) - single_rate
    return np.asarray(np.where(hits * all_days > all_hits * days, gain, 0.0), dtype=np.float64)


def _xlogy(x: Floats, y: Floats) -> Floats:
    """Return x · log(y), 0 where x is 0, as `scipy.special.xlogy` does; that module is slow to import."""
    logarithm = np.log(y, out=np.zeros(np.broadcast_shapes(x.shape, y.shape)), where=x != 0)
    return np.asarray(x * logarithm, dtype=np.float64)
