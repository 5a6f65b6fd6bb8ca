"""Does a series repeat its ups and downs, and after how many steps?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CYCLES = 3  # fewer are no repetition yet
_ALIKE = 0.5  # correlation with itself one period later, and for short series at least three of its errors
_ERRORS = 3.0


def detect_season(values: NDArray[np.float64]) -> int:
    """Give the number of steps after which the values repeat themselves, 0 when they do not.

    It is the first lag, past one at which the series runs against itself, where its autocorrelation has a high
    peak. A step, a ramp or an odd day has none: a lone change lets the autocorrelation fall and not return. The
    series must last three periods. Missing values (NaN) count as usual ones.
    """
    length = len(values)
    centred = np.nan_to_num(values - np.nanmean(values)) if np.isfinite(values).any() else np.zeros(length)
    if length < 3 * _CYCLES or not centred.any():
        return 0
    longest = length // _CYCLES
    lags = range(min(longest + 2, length))
    alike = np.array([np.mean(centred[lag:] * centred[: length - lag]) for lag in lags]) / np.mean(centred**2)
    against = np.flatnonzero(alike < 0)
    if not len(against):
        return 0
    least = max(_ALIKE, _ERRORS / np.sqrt(length))
    for lag in range(int(against[0]) + 1, len(alike) - 1):
        if alike[lag] >= least and alike[lag] >= alike[lag - 1] and alike[lag] >= alike[lag + 1]:
            return lag
    return 0
