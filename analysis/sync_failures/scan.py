"""Find the period in which a symptom is most clearly more frequent than usual.

A scan statistic (Kulldorff 1997): for a series of tries and hits, the period with the highest log likelihood ratio
of the rate in it to the usual rate. The best period for an assumed rate is a maximum-sum segment, found in one pass,
so a few assumed rates are tried and the exact ratio of the best one is returned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_RATES = (0.08, 0.15, 0.3, 0.5, 0.75, 0.97)
_MIN_RISE = 1.5  # smallest rise of a rate that is worth an issue


@dataclass(frozen=True, slots=True)
class Periods:
    """The best period of each series: its log likelihood ratio, its first and its last step, its hits and tries."""

    score: Floats
    start: Integers
    end: Integers
    hits: Floats
    tries: Floats


def find_best_periods(hits: Floats, tries: Floats, usual: float) -> Periods:
    """Return the best period of each row; both arrays have one row per series and one column per step."""
    rows = np.arange(len(hits))
    summed_hits, summed_tries = (_cumulate(values) for values in (hits, tries))
    best = Periods(*(np.zeros(len(hits), dtype) for dtype in (float, np.int64, np.int64, float, float)))
    for rate in _RATES:
        if rate < _MIN_RISE * usual or not hits.size:
            continue
        gain = hits * np.log(rate / usual) + (tries - hits) * np.log((1 - rate) / (1 - usual))
        summed = _cumulate(gain)
        lowest = np.minimum.accumulate(summed[:, :-1], axis=1)
        end = np.argmax(summed[:, 1:] - lowest, axis=1)
        is_start = (summed[:, :-1] <= lowest[rows, end][:, None]) & (np.arange(gain.shape[1]) <= end[:, None])
        start = gain.shape[1] - 1 - np.argmax(is_start[:, ::-1], axis=1)
        own_hits, own_tries = (
            total[rows, end + 1] - total[rows, start] for total in (summed_hits, summed_tries)
        )
        score = likelihood_ratio(own_hits, own_tries, usual)
        best = _keep_better(best, Periods(score, start, end, own_hits, own_tries))
    return best


def likelihood_ratio(hits: Floats, tries: Floats, usual: float) -> Floats:
    """Return the log likelihood that the own rate gains over the usual one; 0 if it is not higher."""
    rate = np.divide(hits, tries, out=np.zeros_like(hits), where=tries > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(hits > 0, hits * np.log(rate / usual), 0.0)
        gain += np.where(tries > hits, (tries - hits) * np.log((1 - rate) / (1 - usual)), 0.0)
    return np.asarray(np.where(rate >= _MIN_RISE * usual, gain, 0.0), dtype=np.float64)


def _cumulate(values: Floats) -> Floats:
    return np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)


def _keep_better(one: Periods, other: Periods) -> Periods:
    is_better = other.score > one.score
    names = ("score", "start", "end", "hits", "tries")
    return Periods(*(np.where(is_better, getattr(other, name), getattr(one, name)) for name in names))
