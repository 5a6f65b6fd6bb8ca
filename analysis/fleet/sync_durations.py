"""Estimate sync durations with unfinished syncs included, by the Kaplan-Meier estimator.

A sync that was canceled or restarted lasted *at least* as long as it was observed. Leaving such syncs out makes the
others look fast, and counting them as finished is worse. The estimator (Kaplan and Meier 1958, JASA 53) counts each
sync as at risk until it was last observed (censored), and as an event only if it finished.
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

# A non-blocking sync can be resumed for twelve hours.
RESUMABLE_SECONDS = 12 * 3600.0

_DURATIONS = """
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
    """Estimate the time to sync per sync type, with censored syncs included.

    Columns: sync_type, syncs, finished, censored, median, median_low, median_high, p75, p95, naive_median (of
    finished syncs only), all in seconds of wall time; inf if too few syncs finished.
    """
    rows = []
    for sync_type, seen in _read_durations(connection, filters).groupby("sync_type", dropna=False, sort=True):
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
    """Estimate the share of syncs finished by each duration, for a chart.

    Columns: sync_type, seconds, done, low, high; at most `max_points` rows per sync type, evenly over the shares.
    """
    frames = []
    for sync_type, seen in _read_durations(connection, filters).groupby("sync_type", dropna=False, sort=True):
        curve = kaplan_meier(*_arrays(seen))
        if not len(curve.seconds):
            continue
        positions = np.unique(np.linspace(0, len(curve.seconds) - 1, max_points).round().astype(int))
        frames.append(
            pd.DataFrame(
                {
                    "sync_type": sync_type,
                    "seconds": curve.seconds[positions],
                    "done": curve.done[positions],
                    "low": curve.low[positions],
                    "high": curve.high[positions],
                }
            )
        )
    columns = ["sync_type", "seconds", "done", "low", "high"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


_DURATION_COLUMNS = (
    "sync_type", "syncs", "finished", "censored", "median", "median_low", "median_high", "p75", "p95",
    "naive_median",
)  # fmt: skip


def _read_durations(connection: DuckDBPyConnection, filters: dict[str, object]) -> pd.DataFrame:
    frame = run_query(connection, _DURATIONS.format(longest=RESUMABLE_SECONDS), Filters.of(**filters))
    return frame[frame["seconds"].notna() & (frame["seconds"] >= 0)]


def _arrays(seen: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    return seen["seconds"].to_numpy(dtype=np.float64), seen["finished"].to_numpy(dtype=bool)
