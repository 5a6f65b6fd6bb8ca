"""How long syncs take when some never say: Kaplan-Meier instead of leaving the unfinished out.

A sync that was canceled or restarted took *at least* as long as it was seen. Dropping such syncs makes the
rest look fast, and counting them as done makes it worse. Kaplan and Meier (1958, JASA 53) use exactly what is
known: each is at risk until it is last seen (censored) and an event only when it finished.
"""

from __future__ import annotations

from math import nan

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from analysis.base.survival import kaplan_meier
from analysis.query.filters import Filters
from analysis.query.runner import run_query

# A non-blocking sync may be resumed for twelve hours; what has not come back by then never will.
RESUMABLE_SECONDS = 12 * 3600.0

_SEEN = """
WITH lined_up AS (
    SELECT
        sync_type, outcome, duration_seconds, started_at, active_seconds, paused_seconds,
        lead(started_at) OVER (PARTITION BY coalesce(device_id, user_id) ORDER BY started_at) AS next_start
    FROM sync
    WHERE coalesce(device_id, user_id) IS NOT NULL
)
SELECT
    sync_type,
    CASE
        WHEN outcome NOT IN ('canceled', 'unfinished') THEN duration_seconds
        WHEN duration_seconds IS NOT NULL THEN duration_seconds
        WHEN active_seconds IS NOT NULL THEN active_seconds + coalesce(paused_seconds, 0)
        ELSE least(date_diff('second', started_at, coalesce(next_start, as_of)), {longest})
    END AS seconds,
    outcome NOT IN ('canceled', 'unfinished') AS finished
FROM lined_up CROSS JOIN reference
"""


def estimate_durations(connection: DuckDBPyConnection, **filters: object) -> pd.DataFrame:
    """Estimate the time to sync per sync type with the censored syncs in it.

    Columns: sync_type, syncs, finished, censored, median, median_low, median_high, p75, p95, naive_median (of
    finished syncs alone), all in seconds of wall time; inf where too few were seen to finish.
    """
    rows = []
    for sync_type, seen in _seen(connection, filters).groupby("sync_type", dropna=False, sort=True):
        seconds, finished = _arrays(seen)
        curve = kaplan_meier(seconds, finished)
        median, low, high = curve.quantile(0.5)
        rows.append(
            {
                "sync_type": sync_type,
                "syncs": len(seen),
                "finished": int(finished.sum()),
                "censored": int((~finished).sum()),
                "median": median,
                "median_low": low,
                "median_high": high,
                "p75": curve.quantile(0.75)[0],
                "p95": curve.quantile(0.95)[0],
                "naive_median": float(np.median(seconds[finished])) if finished.any() else nan,
            }
        )
    return pd.DataFrame(rows, columns=list(_DURATION_COLUMNS))


def estimate_duration_curve(
    connection: DuckDBPyConnection, *, max_points: int = 200, **filters: object
) -> pd.DataFrame:
    """Estimate the share of syncs done by each moment: sync_type, seconds, done, low, high; for drawing.

    At most `most_points` rows per sync type, evenly over the shares.
    """
    frames = []
    for sync_type, seen in _seen(connection, filters).groupby("sync_type", dropna=False, sort=True):
        curve = kaplan_meier(*_arrays(seen))
        if not len(curve.seconds):
            continue
        chosen = np.unique(np.linspace(0, len(curve.seconds) - 1, max_points).round().astype(int))
        frames.append(
            pd.DataFrame(
                {
                    "sync_type": sync_type,
                    "seconds": curve.seconds[chosen],
                    "done": curve.done[chosen],
                    "low": curve.low[chosen],
                    "high": curve.high[chosen],
                }
            )
        )
    columns = ["sync_type", "seconds", "done", "low", "high"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


_DURATION_COLUMNS = (
    "sync_type", "syncs", "finished", "censored", "median", "median_low", "median_high", "p75", "p95",
    "naive_median",
)  # fmt: skip


def _seen(connection: DuckDBPyConnection, filters: dict[str, object]) -> pd.DataFrame:
    frame = run_query(connection, _SEEN.format(longest=RESUMABLE_SECONDS), Filters.of(**filters))
    return frame[frame["seconds"].notna() & (frame["seconds"] >= 0)]


def _arrays(seen: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    return seen["seconds"].to_numpy(dtype=np.float64), seen["finished"].to_numpy(dtype=bool)
