"""The autosync blind spot: which share of the uploads the tracked syncs cover, shown beside each number.

Vault does not track autosync. If an engine counts the records created since the sync before and those that wait, the
untracked share follows: created = tracked + waiting + untracked. Without such counts the share is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from duckdb import DuckDBPyConnection

from analysis.query.filters import Filters
from analysis.query.runner import run_query

_BY_DEVICE = """
SELECT
    device,
    cast(sum(tracked + untracked) AS DOUBLE) AS uploaded,
    cast(sum(tracked) AS DOUBLE) AS tracked
FROM upload_balance
GROUP BY device
ORDER BY device
"""
_SYNCS = """
SELECT
    count(*) AS syncs, count(records_created) AS counted, count(active_seconds) AS split,
    count(device_id) AS named
FROM sync
"""
_RESAMPLES = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The share of the activity that the tracked syncs cover.

    `tracked_share` is the estimated share of the uploads that tracked syncs made (the metric
    autosync_blind_spot), with 95 % bounds by resampling devices; None if no sync counts created records.
    `share_with_created_count`, `share_with_active_time` and `share_with_device` are the shares of tracked
    syncs that count created records, that record active and paused time separately, and that name their
    device; None without any sync.
    """

    syncs: int
    tracked_share: float | None
    low: float | None
    high: float | None
    share_with_created_count: float | None
    share_with_active_time: float | None
    share_with_device: float | None

    @property
    def badge(self) -> str:
        """Return the coverage in one sentence, to show beside a number."""
        if not self.syncs:
            return "no tracked sync in this selection"
        if self.tracked_share is None or self.low is None or self.high is None:
            return "tracked syncs only; how much goes through autosync is unknown here"
        return (
            f"based on about {self.tracked_share:.0%} of uploads ({self.low:.0%} to {self.high:.0%});"
            " the rest goes through autosync, which is not tracked"
        )


def estimate_coverage(connection: DuckDBPyConnection, *, seed: int = 0, **filters: object) -> Coverage:
    """Estimate the share of the activity that tracked syncs cover. `seed` is the seed of the resampling."""
    checked = Filters.of(**filters)
    counts = run_query(connection, _SYNCS, checked).iloc[0]
    devices = run_query(connection, _BY_DEVICE, checked)
    uploaded, tracked = devices["uploaded"].to_numpy(dtype=float), devices["tracked"].to_numpy(dtype=float)
    share = low = high = None
    if uploaded.sum() > 0:
        share = float(tracked.sum() / uploaded.sum())
        low, high = _bounds(uploaded, tracked, seed)
    syncs = int(counts["syncs"])
    shares = {name: float(counts[name]) / syncs if syncs else None for name in ("counted", "split", "named")}
    return Coverage(
        syncs=syncs,
        tracked_share=share,
        low=low,
        high=high,
        share_with_created_count=shares["counted"],
        share_with_active_time=shares["split"],
        share_with_device=shares["named"],
    )


def _bounds(
    uploaded: np.ndarray[tuple[int], np.dtype[np.float64]],
    tracked: np.ndarray[tuple[int], np.dtype[np.float64]],
    seed: int,
) -> tuple[float, float]:
    """Resample devices, not syncs, because the use of autosync is a habit of each user."""
    draws = np.random.default_rng(seed).integers(0, len(uploaded), (_RESAMPLES, len(uploaded)))
    shares = tracked[draws].sum(axis=1) / np.maximum(uploaded[draws].sum(axis=1), 1.0)
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(low), float(high)
