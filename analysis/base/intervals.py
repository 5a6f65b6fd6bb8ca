"""Intervals for shares and ratios: a share of few is a guess, and these say how wide a one."""

from __future__ import annotations

from math import exp, inf, log, nan, sqrt
from typing import NamedTuple

Z95 = 1.959963984540054


class Interval(NamedTuple):
    """A lower and an upper bound; both nan when there is nothing to say."""

    low: float
    high: float


def wilson_interval(hits: float, n: float, z: float = Z95) -> Interval:
    """Give the Wilson score interval of a share, 95 % by default (Wilson 1927, JASA 22); inside 0 to 1."""
    if n <= 0:
        return Interval(nan, nan)
    share = hits / n
    middle = share + z * z / (2 * n)
    reach = z * sqrt(max(share * (1 - share) / n + z * z / (4 * n * n), 0.0))
    return Interval(
        max(0.0, (middle - reach) / (1 + z * z / n)), min(1.0, (middle + reach) / (1 + z * z / n))
    )


def rate_ratio_interval(hits: float, n: float, other_hits: float, other_n: float, z: float = Z95) -> Interval:
    """Give the interval of (hits / n) / (other_hits / other_n), by its logarithm (Katz et al. 1978).

    Half an event is added on each side, so that no share of zero makes the ratio infinite.
    """
    if n <= 0 or other_n <= 0:
        return Interval(nan, nan)
    a, b = hits + 0.5, other_hits + 0.5
    spread = z * sqrt(max(1 / a - 1 / (n + 1) + 1 / b - 1 / (other_n + 1), 0.0))
    middle = log(a / (n + 1)) - log(b / (other_n + 1))
    return Interval(exp(middle - spread), exp(middle + spread))


def failure_free_tries_needed(rate: float) -> float:
    """How many tries without a failure show, with 95 % confidence, that the rate is below `rate`.

    The rule of three: none in n tries means less than 3 / n (Hanley and Lippman-Hand 1983, JAMA 249).
    """
    return inf if rate <= 0 else 3.0 / rate
