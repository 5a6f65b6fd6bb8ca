"""Confidence intervals for shares and ratios, in Python and in SQL."""

from __future__ import annotations

from math import exp, inf, log, nan, sqrt
from typing import NamedTuple

Z95 = 1.959963984540054


class Interval(NamedTuple):
    """A lower and an upper bound; both nan if there is no data."""

    low: float
    high: float


def wilson_interval(hits: float, n: float, z: float = Z95) -> Interval:
    """Return the Wilson score interval of a share, 95 % by default (Wilson 1927, JASA 22)."""
    if n <= 0:
        return Interval(nan, nan)
    share = hits / n
    middle = share + z * z / (2 * n)
    reach = z * sqrt(max(share * (1 - share) / n + z * z / (4 * n * n), 0.0))
    return Interval(
        max(0.0, (middle - reach) / (1 + z * z / n)), min(1.0, (middle + reach) / (1 + z * z / n))
    )


def wilson_bound_sql(hits: str, n: str, sign: str) -> str:
    """Return SQL for a 95 % Wilson bound of the share of two columns; `sign` is "-" for low, "+" for high."""
    share = f"({hits} * 1e0 / nullif({n}, 0))"
    reach = f"sqrt({share} * (1 - {share}) / {n} + {Z95**2 / 4}e0 / ({n} * {n}))"
    return f"(({share} + {Z95**2 / 2}e0 / {n} {sign} {Z95}e0 * {reach}) / (1 + {Z95**2}e0 / {n}))"


def rate_ratio_interval(hits: float, n: float, other_hits: float, other_n: float, z: float = Z95) -> Interval:
    """Return the interval of (hits / n) / (other_hits / other_n), by its logarithm (Katz et al. 1978).

    Half an event is added on each side, so that a share of zero does not make the ratio infinite.
    """
    if n <= 0 or other_n <= 0:
        return Interval(nan, nan)
    a, b = hits + 0.5, other_hits + 0.5
    spread = z * sqrt(max(1 / a - 1 / (n + 1) + 1 / b - 1 / (other_n + 1), 0.0))
    middle = log(a / (n + 1)) - log(b / (other_n + 1))
    return Interval(exp(middle - spread), exp(middle + spread))


def failure_free_tries_needed(rate: float) -> float:
    """Return how many tries without a failure show with 95 % confidence that the rate is below `rate`.

    The rule of three: none in n tries means less than 3 / n (Hanley and Lippman-Hand 1983, JAMA 249).
    """
    return inf if rate <= 0 else 3.0 / rate
