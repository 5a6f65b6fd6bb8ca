"""Estimate durations when the end of some was not observed."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from analysis.base.intervals import Z95


@dataclass(frozen=True, slots=True)
class SurvivalCurve:
    """Share finished by each duration, with pointwise 95 % bounds.

    `seconds` holds the distinct durations that ended, ascending; the other arrays have the same length.
    """

    seconds: NDArray[np.float64]
    done: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def quantile(self, share: float) -> tuple[float, float, float]:
        """Return the duration by which `share` has finished, with 95 % bounds (Brookmeyer and Crowley 1982).

        A value is inf if the curve never reaches the share because too many were censored before it.
        """
        return (
            self._first_at(self.done, share),
            self._first_at(self.high, share),
            self._first_at(self.low, share),
        )

    def _first_at(self, shares: NDArray[np.float64], share: float) -> float:
        reached = np.flatnonzero(shares >= share - 1e-12)
        return float(self.seconds[reached[0]]) if len(reached) else inf


def kaplan_meier(seconds: NDArray[np.float64], finished: NDArray[np.bool_]) -> SurvivalCurve:
    """Estimate the share finished by each duration, with censored durations (Kaplan and Meier 1958, JASA 53).

    The bounds use Greenwood's variance on the log(-log) scale. A duration censored when another one finishes
    is still at risk at that point.
    """
    order = np.argsort(seconds, kind="stable")
    times, done = seconds[order], finished[order]
    durations, first = np.unique(times, return_index=True)
    events = np.add.reduceat(done.astype(np.int64), first) if len(times) else np.array([], dtype=np.int64)
    at_risk = len(times) - first
    keep = events > 0
    durations, events, at_risk = durations[keep], events[keep], at_risk[keep]
    survive = np.cumprod(1 - events / at_risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.cumsum(events / (at_risk * (at_risk - events)))
        spread = Z95 * np.sqrt(variance) / np.abs(np.log(survive))
        low, high = 1 - survive ** np.exp(-spread), 1 - survive ** np.exp(spread)
    # With nothing left at risk, or an unbounded variance, only the trivial bound holds.
    low = np.where(np.isfinite(low), low, 0.0)
    high = np.where(np.isfinite(high), high, 1.0)
    return SurvivalCurve(
        durations,
        np.asarray(1 - survive, dtype=np.float64),
        np.maximum.accumulate(low) if len(low) else low,
        high,
    )
