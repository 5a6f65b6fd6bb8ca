"""The reference time: "now" for every question, the newest plausible timestamp in a store.

Timestamps come from device clocks, and one iPad that is a year ahead must not make everything else look old.
Not plausible are a timestamp more than a day after the newest load, and every timestamp of a user whose syncs
started more than a day after Vault recorded them (`created_date__v` is Vault's own clock).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from duckdb import DuckDBPyConnection

_TOLERANCE = timedelta(days=1)

NEWEST_TIMESTAMPS = """
SELECT
    (SELECT max(happened_at) FROM (
        SELECT max(sync_start_datetime__v) AS happened_at FROM sync_tracking__v
        UNION ALL SELECT max(sync_completed_datetime__v) FROM sync_tracking__v
        UNION ALL SELECT max(occurred_at) FROM sync_error
    ) AS reported) AS newest,
    (SELECT max(created_date__v) FROM sync_tracking__v) AS recorded
"""
"""The newest timestamp of any device and the newest of Vault's clock, from statistics without reading rows."""

NEWEST_PLAUSIBLE = """
WITH ahead AS (
    SELECT DISTINCT created_by__v AS user_id FROM sync_tracking__v
    WHERE sync_start_datetime__v > created_date__v + INTERVAL 1 DAY AND created_by__v IS NOT NULL
),
reported AS (
    SELECT created_by__v AS user_id, greatest(sync_start_datetime__v, sync_completed_datetime__v) AS happened_at
    FROM sync_tracking__v
    UNION ALL
    SELECT user_id, occurred_at FROM sync_error
)
SELECT max(happened_at) AS newest FROM reported
WHERE happened_at <= CAST($bound AS TIMESTAMP)
AND (user_id IS NULL OR user_id NOT IN (SELECT user_id FROM ahead))
"""
"""The newest timestamp up to `bound` from users whose clocks do not run ahead."""


def reference_time(connection: DuckDBPyConnection) -> datetime | None:
    """Return the newest plausible timestamp, UTC without a time zone; None for a store without any."""
    loaded = connection.execute("SELECT max(finished_at) FROM ingest_batch").fetchall()[0][0]
    newest, recorded = connection.execute(NEWEST_TIMESTAMPS).fetchall()[0]
    return choose_reference_time(
        newest,
        recorded,
        loaded,
        lambda bound: connection.execute(NEWEST_PLAUSIBLE, {"bound": bound}).fetchall()[0][0],
    )


def choose_reference_time(
    newest: datetime | None,
    recorded: datetime | None,
    loaded: datetime | None,
    newest_plausible: Callable[[datetime], datetime | None],
) -> datetime | None:
    """Return `newest`, or `newest_plausible` up to a bound if `newest` is in doubt.

    `recorded` is the newest timestamp of Vault's clock, `loaded` the end of the newest load. If no timestamp is
    plausible, as in a store that was loaded by a clock that is behind, `newest` is used after all.
    """
    bounds = [at + _TOLERANCE for at in (recorded, loaded) if at is not None]
    if newest is None or not bounds or newest <= min(bounds):
        return newest
    return newest_plausible(newest if loaded is None else loaded + _TOLERANCE) or newest


def count_rows_ahead(connection: DuckDBPyConnection) -> int:
    """Count the syncs and errors whose timestamp is later than the reference time."""
    newest = reference_time(connection)
    if newest is None:
        return 0
    (count,) = connection.execute(
        "SELECT (SELECT count(*) FROM sync_tracking__v WHERE sync_start_datetime__v > $newest)"
        " + (SELECT count(*) FROM sync_error WHERE occurred_at > $newest)",
        {"newest": newest},
    ).fetchall()[0]
    return int(count)
