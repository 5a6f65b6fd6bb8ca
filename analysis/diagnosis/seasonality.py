"""Detect the season of a series: the number of steps after which it repeats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MIN_CYCLES = 3
_MIN_CORRELATION = 0.5  # of the series with itself one season later
_MIN_STANDARD_ERRORS = 3.0  # of that correlation; decides for short series


def detect_season(values: NDArray[np.float64]) -> int:
    """Return the number of steps after which the values repeat, 0 if they do not.

    The season is the first lag with a high peak of the autocorrelation, after a lag with a negative one. A step, a
    ramp or a single unusual day has no such peak, because a single change lowers the autocorrelation for good. The
    series must have at least three seasons. Missing values (NaN) count as average values.
    """
    length = len(values)
    centered = np.nan_to_num(values - np.nanmean(values)) if np.isfinite(values).any() else np.zeros(length)
    if length < 3 * _MIN_CYCLES or not centered.any():
        return 0
    max_lag = length // _MIN_CYCLES
    lags = range(min(max_lag + 2, length))
    correlations = np.array([np.mean(centered[lag:] * centered[: length - lag]) for lag in lags]) / np.mean(
        centered**2
    )
    negative_lags = np.flatnonzero(correlations < 0)
    if not len(negative_lags):
        return 0
    threshold = max(_MIN_CORRELATION, _MIN_STANDARD_ERRORS / np.sqrt(length))
    for lag in range(int(negative_lags[0]) + 1, len(correlations) - 1):
        if (
            correlations[lag] >= threshold
            and correlations[lag] >= correlations[lag - 1]
            and correlations[lag] >= correlations[lag + 1]
        ):
            return lag
    return 0
