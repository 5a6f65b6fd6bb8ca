"""Measure how well a change fits an issue: the hit rate after the change in its scope, against all other days.

One likelihood ratio of the two rates answers three questions: did the hits start with the change, are the affected
users in its scope, and are other users in its scope unaffected. Its p-value comes from other times: a change that
fits no better than a change at a random time is no suspect.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Self

import numpy as np

from analysis.base.tail_probabilities import hypergeometric_tail
from analysis.diagnosis.exposure import Booleans, Exposure, Floats, Integers

_TIMES = 2_000
_SHUFFLES = 999
_ENOUGH_AS_GOOD = 100  # shuffles that fit as well, after which no more are drawn (Besag and Clifford 1991)
_DAY = 86_400.0


def fit_at_time(
    exposure: Exposure, scope: Booleans, time: float, until: float = np.inf
) -> tuple[float, float]:
    """Return the log likelihood ratio and p-value of a change at a time, in a scope.

    `time` is in epoch seconds; `scope` has one flag per user. The p-value is the share of other times that fit
    as well: the geometric mean of the share of all time and the share of active time. Clock time alone would
    exclude a change on Friday evening as the reason for Monday; active time alone would accept any change on the
    weekend. If the change was reverted at `until`, its effect may end there or last: the better fit counts, at twice
    its p-value.
    """
    lasting = _fit_interval(exposure, scope, time, np.inf)
    if until > exposure.seconds[-1]:
        return lasting
    ended = _fit_interval(exposure, scope, time, until - time)
    ratio, p_value = max(lasting, ended, key=lambda fit: (fit[0], -fit[1]))
    return ratio, min(1.0, 2 * p_value)


def _fit_interval(exposure: Exposure, scope: Booleans, time: float, duration: float) -> tuple[float, float]:
    by_clock = np.linspace(exposure.seconds[0], exposure.seconds[-1], _TIMES)
    by_activity = np.quantile(exposure.seconds, np.linspace(0, 1, _TIMES))
    ratios = _ratios(exposure, scope, np.concatenate([by_clock, by_activity, [time]]), duration)
    ratio = float(ratios[-1])
    share_as_good = (1 + (ratios[:-1].reshape(2, _TIMES) >= ratio - 1e-9).sum(axis=1)) / (_TIMES + 1)
    return ratio, float(np.sqrt(share_as_good.prod()))


def fit_at_adoption(exposure: Exposure, since: Floats, seed: int) -> tuple[float, float]:
    """Return the log likelihood ratio and p-value of a rollout with one adoption time per user.

    Users with the version are compared with those without it on the same day, so that neither an earlier nor a
    simultaneous problem of all users counts for or against the version. The p-value is the share of random
    reassignments of the adoption times that fit as well; drawing ends early once it is clearly not small.
    """
    rng = np.random.default_rng(seed)
    days = _Days.of(exposure)
    ratio = days.ratio(since)
    if ratio <= 0:
        return 0.0, 1.0
    as_good, drawn = 1, 1
    while drawn <= _SHUFFLES and as_good <= _ENOUGH_AS_GOOD:
        as_good += days.ratio(since[rng.permutation(len(since))]) >= ratio - 1e-9
        drawn += 1
    return ratio, as_good / drawn


@dataclass(frozen=True, slots=True)
class _Days:
    """The exposure by calendar day: the number of the day of each row, and the totals per day."""

    exposure: Exposure
    day: Integers
    hit_days: Integers
    rows: Floats
    hits: Floats

    @classmethod
    def of(cls, exposure: Exposure) -> Self:
        day: Integers = (exposure.seconds // _DAY).astype(np.int64)
        day -= day.min()
        rows = np.bincount(day).astype(np.float64)
        hits = np.bincount(day[exposure.hit], minlength=len(rows)).astype(np.float64)
        return cls(exposure, day, day[exposure.hit], rows, hits)

    def ratio(self, since: Floats) -> float:
        """Return the log likelihood ratio of the hits of users with the version, given the hits of each day."""
        exposed = self.exposure.seconds >= since[self.exposure.user_index]
        exposed_rows = np.bincount(self.day[exposed], minlength=len(self.rows))
        share = np.divide(exposed_rows, self.rows, out=np.zeros_like(self.rows), where=self.rows > 0)
        mixed = (share > 0) & (share < 1)
        exposed_hits = np.bincount(self.hit_days[exposed[self.exposure.hit]], minlength=len(self.rows))
        observed, expected = float(exposed_hits[mixed].sum()), float((self.hits * share)[mixed].sum())
        total = float(self.hits[mixed].sum())
        if observed <= expected or not 0 < expected < total:
            return 0.0
        gain = observed * log(observed / expected)
        if observed < total:
            gain += (total - observed) * log((total - observed) / (total - expected))
        return gain


def fit_scope(exposure: Exposure, scope: Booleans) -> float:
    """Return the log likelihood ratio of a scope alone: are its users hit more often at any time?"""
    return float(_ratios(exposure, scope, exposure.seconds[:1])[0])


def add_user_evidence(exposure: Exposure, users: Booleans, time: float, p_value: float) -> float:
    """Return the p-value of the time of a change together with that of its users, by Fisher's method.

    Only for a change of single users: chance would pick as many users at random, which is not true of a country or a
    profile. `time` is in epoch seconds; `users` has one flag per user, and hits before the change do not count.
    """
    affected = exposure.affected_users
    hits = float((users & affected & (exposure.first_hits >= time)).sum())
    tail = hypergeometric_tail(
        np.array([hits]), np.array([float(users.sum())]), total=len(users), marked=int(affected.sum())
    )
    product = p_value * max(float(tail[0]), 1e-300)
    return min(1.0, product * (1 - log(product)))


def _ratios(exposure: Exposure, scope: Booleans, times: Floats, duration: float = np.inf) -> Floats:
    """Return the log likelihood ratios of the rates in `scope` within `duration` seconds after each time."""
    inside = scope[exposure.user_index]
    seconds, hit = exposure.seconds[inside], exposure.hit[inside]
    first: Integers = np.searchsorted(seconds, times, side="left")
    end: Integers = np.searchsorted(seconds, times + duration, side="left")
    hits_before = np.concatenate([[0], np.cumsum(hit)])
    return likelihood_ratio(
        (hits_before[end] - hits_before[first]).astype(np.float64),
        (end - first).astype(np.float64),
        float(exposure.hit.sum()),
        float(len(exposure.hit)),
    )


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
