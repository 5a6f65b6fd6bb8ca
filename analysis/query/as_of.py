"""The newest moment of a store, which is "now" to every question.

Devices tell moments by their own clocks, and one iPad that is a year ahead must not make everything else old.
What cannot be believed: a moment later than the day after the newest load, and the moments of users whose syncs
began more than a day after the Vault had recorded them (`created_date__v` is the Vault's own clock).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from duckdb import DuckDBPyConnection

_SLACK = timedelta(days=1)

NEWEST_TIMESTAMPS = """
SELECT
    (SELECT max(moment) FROM (
        SELECT max(sync_start_datetime__v) AS moment FROM sync_tracking__v
        UNION ALL SELECT max(sync_completed_datetime__v) FROM sync_tracking__v
        UNION ALL SELECT max(occurred_at) FROM sync_error
    ) AS told) AS newest,
    (SELECT max(created_date__v) FROM sync_tracking__v) AS recorded
"""
"""The newest moment that any device told and the newest of the Vault's clock, without reading a row."""

NEWEST_PLAUSIBLE = """
WITH ahead AS (
    SELECT DISTINCT created_by__v AS user_id FROM sync_tracking__v
    WHERE sync_start_datetime__v > created_date__v + INTERVAL 1 DAY AND created_by__v IS NOT NULL
),
told AS (
    SELECT created_by__v AS user_id, greatest(sync_start_datetime__v, sync_completed_datetime__v) AS moment
    FROM sync_tracking__v
    UNION ALL
    SELECT user_id, occurred_at FROM sync_error
)
SELECT max(moment) AS newest FROM told
WHERE moment <= CAST($bound AS TIMESTAMP)
AND (user_id IS NULL OR user_id NOT IN (SELECT user_id FROM ahead))
"""
"""The newest moment up to `bound` that was told by nobody whose clock runs ahead."""


def reference_time(connection: DuckDBPyConnection) -> datetime | None:
    """Give the newest moment that can be believed, UTC without a zone; None for a store without any."""
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
    believed: Callable[[datetime], datetime | None],
) -> datetime | None:
    """Take the newest moment as it is, or, where it is in doubt, the one `believed` up to a bound.

    `recorded` is the newest of the Vault's clock, `loaded` when the newest load ended. Where nothing can be
    believed, as in a store that was loaded by a clock that is behind, the newest counts after all.
    """
    bounds = [moment + _SLACK for moment in (recorded, loaded) if moment is not None]
    if newest is None or not bounds or newest <= min(bounds):
        return newest
    return believed(newest if loaded is None else loaded + _SLACK) or newest


def count_rows_ahead(connection: DuckDBPyConnection) -> int:
    """Count the syncs and errors that say they are later than the newest moment that can be believed."""
    newest = reference_time(connection)
    if newest is None:
        return 0
    (count,) = connection.execute(
        "SELECT (SELECT count(*) FROM sync_tracking__v WHERE sync_start_datetime__v > $newest)"
        " + (SELECT count(*) FROM sync_error WHERE occurred_at > $newest)",
        {"newest": newest},
    ).fetchall()[0]
    return int(count)
