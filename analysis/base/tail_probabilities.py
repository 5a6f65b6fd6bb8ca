"""Upper tails of distributions: how likely chance alone reaches a value. `scipy.stats` is slow to import."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp, ndtr

Floats = NDArray[np.float64]

# Terms further from the mean than this many standard deviations are below the precision of a float.
_MAX_DEVIATIONS = 40.0


def normal_tail(deviations: Floats) -> Floats:
    """Return the probability that a standard normal value is above each of `deviations`."""
    return np.asarray(ndtr(-deviations), dtype=np.float64)


def gumbel_tail(deviations: Floats) -> Floats:
    """Return the probability that the largest of many values is above `deviations` from its mean.

    The deviations are in standard deviations of the largest value (Gumbel distribution).
    """
    return np.asarray(
        -np.expm1(-np.exp(-(deviations * np.pi / np.sqrt(6) + np.euler_gamma))), dtype=np.float64
    )


def hypergeometric_tail(hits: Floats, draws: Floats, *, total: int, marked: int) -> Floats:
    """Return the probability of at least `hits` marked items among `draws` out of `total` without replacement."""
    pairs, positions = np.unique(np.stack([hits, draws], axis=1), axis=0, return_inverse=True)
    tails = np.array(
        [_hypergeometric_tail(int(k), int(n), total, marked) for k, n in pairs], dtype=np.float64
    )
    return tails[positions.reshape(-1)]


def benjamini_hochberg(p_values: Floats) -> Floats:
    """Adjust p-values for their number so that a threshold on them bounds the false discovery rate."""
    count = len(p_values)
    order = np.argsort(p_values)[::-1]
    adjusted = np.empty(count, dtype=np.float64)
    adjusted[order] = np.minimum.accumulate(p_values[order] * count / np.arange(count, 0, -1))
    return np.minimum(adjusted, 1.0)


def _hypergeometric_tail(hits: int, draws: int, total: int, marked: int) -> float:
    lowest, highest = max(0, draws + marked - total), min(marked, draws)
    if hits <= lowest:
        return 1.0
    if hits > highest:
        return 0.0
    share = marked / total
    mean = draws * share
    deviation = np.sqrt(mean * (1 - share) * (total - draws) / max(total - 1, 1))
    reach = _MAX_DEVIATIONS * (deviation + 1)
    first, last = max(hits, int(mean - reach)), min(highest, int(max(hits, mean) + reach))
    values = np.arange(first, last + 1, dtype=np.float64)
    terms = _log_choose(marked, values) + _log_choose(total - marked, draws - values)
    return min(1.0, float(np.exp(logsumexp(terms) - _log_choose(total, np.array([float(draws)]))[0])))


def _log_choose(count: int, picked: Floats) -> Floats:
    return np.asarray(
        gammaln(count + 1) - gammaln(picked + 1) - gammaln(count - picked + 1), dtype=np.float64
    )
