"""How well a change fits: hits among those it had reached, against everybody and everything else.

The likelihood ratio of two rates of being hit, after the change inside its scope and elsewhere, says at once
what people ask one by one: did it begin when the change was made, are the affected in its scope, and
are there unaffected in its scope. How surprising that is, is asked of other moments: a change that fits no
better than one at a random time would is no suspect.
"""

from __future__ import annotations

import numpy as np
from scipy.special import xlogy

from analysis.diagnosis.exposure import Booleans, Exposure, Floats, Integers

_MOMENTS = 2_000
_SHUFFLES = 999


def fit_at_time(chances: Exposure, scope: Booleans, moment: float) -> tuple[float, float]:
    """Likelihood ratio and p-value of a change at a moment (epoch seconds) in a scope (one flag per person).

    The p-value is the share of other moments that would fit as well: the geometric mean of the share of all
    time and of the share of the time in which anybody synced. By the clock alone, no change of a Friday
    evening could explain a Monday; by activity alone, any change of the weekend would.
    """
    by_clock = np.linspace(chances.seconds[0], chances.seconds[-1], _MOMENTS)
    by_activity = np.quantile(chances.seconds, np.linspace(0, 1, _MOMENTS))
    ratios = _ratios(chances, scope, np.concatenate([by_clock, by_activity, [moment]]))
    fit = float(ratios[-1])
    as_well = (1 + (ratios[:-1].reshape(2, _MOMENTS) >= fit - 1e-9).sum(axis=1)) / (_MOMENTS + 1)
    return fit, float(np.sqrt(as_well.prod()))


def fit_at_adoption(chances: Exposure, since: Floats, seed: int) -> tuple[float, float]:
    """Likelihood ratio and p-value of a roll-out that reached each person at their own moment.

    The p-value is the share of shuffles of these moments among the people that fit as well: a problem that
    began for all on the day on which most got the version does not point at the version.
    """
    rng = np.random.default_rng(seed)
    orders = np.stack([np.arange(len(since)), *(rng.permutation(len(since)) for _ in range(_SHUFFLES))])
    ratios = np.array([_adopted_ratio(chances, since[order]) for order in orders])
    return float(ratios[0]), float((ratios >= ratios[0] - 1e-9).mean())


def fit_of_scope(chances: Exposure, scope: Booleans) -> float:
    """Likelihood ratio of a scope alone: are those inside hit more, whenever that was."""
    return float(_ratios(chances, scope, chances.seconds[:1])[0])


def _ratios(chances: Exposure, scope: Booleans, moments: Floats) -> Floats:
    inside = scope[chances.user_index]
    at, hit = chances.seconds[inside], chances.hit[inside]
    first: Integers = np.searchsorted(at, moments, side="left")
    hits_from = np.concatenate([np.cumsum(hit[::-1])[::-1], [0]])
    return likelihood_ratio(
        hits_from[first].astype(np.float64),
        (len(at) - first).astype(np.float64),
        float(chances.hit.sum()),
        float(len(chances.hit)),
    )


def _adopted_ratio(chances: Exposure, since: Floats) -> float:
    exposed = chances.seconds >= since[chances.user_index]
    hits = np.array([np.count_nonzero(chances.hit & exposed)], dtype=np.float64)
    tried = np.array([np.count_nonzero(exposed)], dtype=np.float64)
    return float(likelihood_ratio(hits, tried, float(chances.hit.sum()), float(len(chances.hit)))[0])


def likelihood_ratio(hits: Floats, tried: Floats, all_hits: float, all_tried: float) -> Floats:
    """Log likelihood that a higher rate inside wins over one rate for all; 0 where it is not higher."""
    out, tried_out = all_hits - hits, all_tried - tried

    def fitted(count: Floats, of: Floats) -> Floats:
        rate = np.divide(count, of, out=np.zeros_like(count), where=of > 0)
        return np.asarray(xlogy(count, rate) + xlogy(of - count, 1 - rate), dtype=np.float64)

    whole = fitted(np.array([all_hits], dtype=np.float64), np.array([all_tried], dtype=np.float64))
    won = fitted(hits, tried) + fitted(out, tried_out) - whole
    return np.asarray(np.where(hits * all_tried > all_hits * tried, won, 0.0), dtype=np.float64)
