"""How likely coincidence is: hits close in time, and issues on the same devices.

All results are upper bounds of a probability, as logarithms: the tail of a binomial by Chernoff's bound, times the
number of windows or sets of devices searched. The time is the fleet's activity, so that nights, weekends and
a busy Monday are no bursts.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, lgamma, log

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
MIN_DEVICES = 3  # fewer devices in a window are no burst of the fleet
_MAX_ENDS = 60  # of a cluster's windows
_MAX_CLUSTER_WIDTH = 0.5
_MAX_STARTS = 1_000  # of windows; above this, only some hits are tried as starts


@dataclass(frozen=True, slots=True)
class Window:
    """A period with more hits than the rest: shares of the activity at its ends, and how unlikely it is."""

    start: float
    end: float
    log_p: float

    @property
    def width(self) -> float:
        """Return the share of the fleet's activity within the window."""
        return self.end - self.start


def log_binomial_tail(hits: float | Floats, tries: float, share: float | Floats) -> Floats:
    """Return a bound of the log probability of at least `hits` of `tries`, each with probability `share`."""
    rate = np.minimum(np.asarray(hits, dtype=np.float64) / max(tries, 1e-9), 1.0)
    share = np.clip(np.asarray(share, dtype=np.float64), 1e-12, 1 - 1e-12)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(rate > 0, rate * np.log(rate / share), 0.0)
        gain += np.where(rate < 1, (1 - rate) * np.log((1 - rate) / (1 - share)), 0.0)
    return np.asarray(np.where(rate > share, -tries * gain, 0.0), dtype=np.float64)


def find_window(clock: Floats, device: Integers, unit: float) -> Window | None:
    """Return the least likely window of hits; None if no window has hits on MIN_DEVICES devices.

    `clock` has the position of each hit in the fleet's activity, ascending, and `device` its device. A device counts
    once in a window. `unit` is the shortest width that the activity resolves.
    """
    total = len(clock)
    if total < MIN_DEVICES:
        return None
    best = Window(0.0, 1.0, inf)
    for first in np.unique(np.linspace(0, total - 1, min(total, _MAX_STARTS)).astype(np.int64)):
        is_new = np.zeros(total - first, dtype=np.int64)
        is_new[np.unique(device[first:], return_index=True)[1]] = 1
        devices = np.cumsum(is_new)
        width = np.minimum(clock[first:] - clock[first] + unit, 1.0)
        log_p = np.where(devices >= MIN_DEVICES, log_binomial_tail(devices, total, width), inf)
        last = int(np.argmin(log_p))
        if log_p[last] < best.log_p:
            best = Window(float(clock[first]), float(clock[first + last]), float(log_p[last]))
    corrected = best.log_p + 2 * log(total)
    return Window(best.start, best.end + unit, corrected) if best.log_p < inf else None


def find_shared_devices(
    issue: Integers, device: Integers, active_devices: int
) -> tuple[frozenset[int], float]:
    """Return the devices that the issues share, and the log probability that they do by chance.

    Each issue counts once per device. If every issue had its devices at random, how often would `r` of the devices
    hold as many of these places? The number of sets of `r` devices, and of sizes `r`, is accounted for.
    """
    pairs = np.unique(np.stack([issue, device], axis=1), axis=0)
    names, counts = np.unique(pairs[:, 1], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    sizes = np.arange(1, min(len(names), max(1, active_devices // 2)) + 1)
    held = np.cumsum(counts[order])[: len(sizes)].astype(np.float64)
    choices = np.array([log_choose(active_devices, int(size)) for size in sizes])
    log_p = log_binomial_tail(held, float(len(pairs)), sizes / active_devices) + choices + log(len(sizes))
    best = int(np.argmin(log_p))
    return frozenset(names[order][: best + 1].tolist()), float(log_p[best])


def find_cluster(
    clock: Floats, device: Integers, active_devices: int, unit: float
) -> tuple[Window, frozenset[int]] | None:
    """Return the least likely cluster of hits: a window, and two or more devices that are hit within it.

    It finds what is neither a burst of the fleet nor lasts long enough to show by its devices alone. The window spans
    at most half of the activity.
    """
    total = len(clock)
    ends = np.unique(np.linspace(0, total - 1, min(total, _MAX_ENDS)).astype(np.int64))
    best: tuple[Window, frozenset[int]] | None = None
    for first in ends.tolist():
        for last in ends[ends >= first + 2].tolist():
            width = clock[last] - clock[first] + unit
            if width > _MAX_CLUSTER_WIDTH:
                break
            names, counts = np.unique(device[first : last + 1], return_counts=True)
            order = np.argsort(-counts, kind="stable")
            sizes = np.arange(1, len(names) + 1)
            held = np.cumsum(counts[order]).astype(np.float64)
            choices = np.array([log_choose(active_devices, int(size)) for size in sizes])
            log_p = log_binomial_tail(held, total, width * sizes / active_devices) + choices
            size = int(np.argmin(log_p))
            if size and (best is None or log_p[size] < best[0].log_p):
                window = Window(float(clock[first]), float(clock[last]) + unit, float(log_p[size]))
                best = window, frozenset(names[order][: size + 1].tolist())
    if best is None:
        return None
    window, devices = best
    corrected = window.log_p + 2 * log(total) + log(active_devices)
    return Window(window.start, window.end, corrected), devices


def log_tail_of_counts(observed: int, probabilities: Floats) -> float:
    """Return a bound of the log probability that at least `observed` of independent events happen."""
    if not len(probabilities):
        return 0.0
    return float(log_binomial_tail(observed, len(probabilities), float(probabilities.mean())))


def log_choose(count: int, picked: int) -> float:
    """Return the logarithm of the number of ways to pick items."""
    return lgamma(count + 1) - lgamma(picked + 1) - lgamma(count - picked + 1)
