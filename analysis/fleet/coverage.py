"""The autosync blind spot: how much of the work the tracked syncs show, as a badge beside each number.

Vault tracks no autosync. Where an engine counts what people created since the sync before, conservation tells
the rest: created = tracked + refused + waiting + untracked. Where nobody counts, this says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from duckdb import DuckDBPyConnection

from analysis.query.filters import Filters
from analysis.query.runner import run_query

_BY_PERSON = """
SELECT
    coalesce(device_id, user_id) AS device,
    cast(sum(records_created) AS DOUBLE) AS created,
    cast(sum(coalesce(uploads, 0) + coalesce(upload_errors, 0)) AS DOUBLE) AS tracked
FROM sync
WHERE records_created IS NOT NULL
GROUP BY coalesce(device_id, user_id)
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
    """What part of the activity the numbers beside it are about.

    `tracked_share` is the estimated share of records that went through tracked syncs, with 95 % bounds by
    resampling devices; None where no sync counts what was created. `known_created`, `known_split` and
    `known_device` are the shares of tracked syncs that tell what was created, that split active from paused
    time, and that name their device; None without any sync.
    """

    syncs: int
    tracked_share: float | None
    low: float | None
    high: float | None
    known_created: float | None
    known_split: float | None
    known_device: float | None

    @property
    def badge(self) -> str:
        """Say it in one sentence, to stand beside a number."""
        if not self.syncs:
            return "no tracked sync in this selection"
        if self.tracked_share is None or self.low is None or self.high is None:
            return "tracked syncs only; how much goes through autosync is unknown here"
        return (
            f"based on about {self.tracked_share:.0%} of uploads ({self.low:.0%} to {self.high:.0%});"
            " the rest goes through autosync, which is not tracked"
        )


def estimate_coverage(connection: DuckDBPyConnection, *, seed: int = 0, **filters: object) -> Coverage:
    """Estimate how much of the activity the tracked syncs show. `seed` decides the resampling."""
    chosen = Filters.of(**filters)
    counts = run_query(connection, _SYNCS, chosen).iloc[0]
    people = run_query(connection, _BY_PERSON, chosen)
    created, tracked = people["created"].to_numpy(dtype=float), people["tracked"].to_numpy(dtype=float)
    share = low = high = None
    if created.sum() > 0:
        share = float(min(tracked.sum() / created.sum(), 1.0))
        low, high = _bounds(created, tracked, seed)
    syncs = int(counts["syncs"])
    known = {name: float(counts[name]) / syncs if syncs else None for name in ("counted", "split", "named")}
    return Coverage(
        syncs=syncs,
        tracked_share=share,
        low=low,
        high=high,
        known_created=known["counted"],
        known_split=known["split"],
        known_device=known["named"],
    )


def _bounds(
    created: np.ndarray[tuple[int], np.dtype[np.float64]],
    tracked: np.ndarray[tuple[int], np.dtype[np.float64]],
    seed: int,
) -> tuple[float, float]:
    """Resample devices, not syncs: what one person does by autosync is a habit."""
    draws = np.random.default_rng(seed).integers(0, len(created), (_RESAMPLES, len(created)))
    shares = tracked[draws].sum(axis=1) / np.maximum(created[draws].sum(axis=1), 1.0)
    low, high = np.quantile(np.minimum(shares, 1.0), [0.025, 0.975])
    return float(low), float(high)
