"""Read the syncs to judge: the ones with a symptom, and how many syncs there were by hour, attribute and user.

A unit is one user in one time step, so that ten tries within an hour count once. Syncs that an error event explains
are not judged: the issues of their errors cover them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from analysis.query.as_of import reference_time
from analysis.sync_failures.kinds import FailureKind, load_failure_kinds

ATTRIBUTES = (
    "app_version", "sync_type", "platform", "device_model", "os_version", "territory", "country",
    "security_profile", "application_profile", "permission_set",
)  # fmt: skip
EVERYONE = "everyone"
"""Attribute and value of all syncs."""
MAX_DAYS = 400
"""Older syncs are not judged."""
_MAX_STEPS = 1500
_MAX_VALUES = 150  # of an attribute, the ones with most syncs

# A failed sync is explained by an error with its id, or by an error without a sync id of the same user or device at
# that time. Devices report errors within minutes.
_EXPLAINED = """
CREATE OR REPLACE TEMP TABLE explained_sync AS
SELECT sync_id FROM sync_error WHERE sync_id IS NOT NULL
UNION
SELECT s.sync_id
FROM detailed_sync AS s JOIN sync_error AS e ON e.user_id = s.user_id AND e.sync_id IS NULL
WHERE e.occurred_at BETWEEN s.started_at - INTERVAL 2 MINUTE
    AND coalesce(s.completed_at, s.started_at + INTERVAL 1 HOUR) + INTERVAL 2 MINUTE
    AND (e.device_id IS NULL OR s.device_id IS NULL OR e.device_id = s.device_id)
"""
_FAILED = """
SELECT sync_id FROM tracked_sync
WHERE (outcome IN ('failed', 'failed_upload', 'failed_download') OR (upload_errors > 0 AND outcome <> 'canceled'))
    AND sync_id NOT IN (SELECT sync_id FROM explained_sync)
ORDER BY sync_id
"""
_JUDGED = """
CREATE OR REPLACE TEMP TABLE judged_sync AS
SELECT
    s.sync_id, coalesce(s.user_id, s.device_id) AS who, s.started_at, s.completed_at, s.duration_seconds,
    s.sync_type, s.app_version, s.outcome, t.download_processed__v AS download_processed, s.uploads,
    s.upload_errors, s.retries, s.vtrans, s.platform, s.device_model, s.os_version, s.territory, s.country,
    s.security_profile, s.application_profile, s.permission_sets,
    cast(floor(date_diff('second', $first, s.started_at) / $seconds) AS BIGINT) AS step
FROM sync AS s JOIN sync_tracking__v AS t ON t.id = s.sync_id
WHERE s.started_at BETWEEN $first AND $last AND coalesce(s.user_id, s.device_id) IS NOT NULL
    AND s.sync_id NOT IN (SELECT sync_id FROM explained_sync)
"""
_SPAN = """
SELECT greatest(min(started_at), cast($last AS TIMESTAMP) - to_days($days)) AS first
FROM tracked_sync WHERE started_at <= cast($last AS TIMESTAMP)
"""
_ERROR_SPAN = "SELECT min(occurred_at), max(occurred_at) FROM sync_error"
_HITS = """
WITH hit AS ({query})
SELECT s.sync_id, s.who, s.started_at, s.step, h.starts, {attributes}, s.permission_sets
FROM judged_sync AS s JOIN hit AS h ON h.sync_id = s.sync_id
WHERE NOT coalesce(s.started_at BETWEEN $from AND $to, false)
ORDER BY s.started_at, s.sync_id
"""
_FINISHED = "outcome NOT IN ('canceled', 'unfinished')"
_TRIES = """
SELECT {value} AS value, step, count(DISTINCT who) AS tries FROM {source}
WHERE {condition} GROUP BY ALL
"""
_USER_TRIES = """
SELECT DISTINCT who, step FROM judged_sync
WHERE {condition} AND list_contains($who, who) ORDER BY who, step
"""
_SETS = """(
    SELECT * EXCLUDE (permission_sets), trim(unnest(string_split(permission_sets, ','))) AS permission_set
    FROM judged_sync
)"""


@dataclass(frozen=True, slots=True)
class Series:
    """Tries per step of the syncs with one attribute value; `attribute` is "everyone" for all syncs."""

    attribute: str
    value: str
    tries: NDArray[np.float64]


@dataclass(slots=True)
class Observations:
    """The judged syncs of a store.

    `hits` has the syncs with the symptom of each kind, in order of time: sync_id, who, started_at, step, starts, and
    ATTRIBUTES, where `permission_sets` is a text. `series` are the tries, for finished and for started syncs.
    `failed` are the ids of all failed syncs without an error event.
    """

    connection: DuckDBPyConnection
    step_seconds: float
    steps: int
    users: int
    last: datetime
    failed: list[str]
    hits: dict[str, pd.DataFrame]
    series: Mapping[str, list[Series]]
    _user_tries: dict[tuple[str, str], NDArray[np.int64]] = field(default_factory=dict)

    def count_users(self, kind: FailureKind, syncs: pd.DataFrame) -> int:
        """Return how many users made a sync of this kind's sort between the first and the last of these syncs."""
        sql = f"SELECT count(DISTINCT who) FROM judged_sync WHERE {_condition(kind.among)} AND step BETWEEN ? AND ?"
        bounds = [int(syncs["step"].min()), int(syncs["step"].max())]
        return int(self.connection.execute(sql, bounds).fetchall()[0][0])

    def user_tries(self, kind: FailureKind, names: list[str]) -> list[NDArray[np.int64]]:
        """Return the steps in which each of these users synced."""
        missing = [name for name in names if (kind.among, name) not in self._user_tries]
        if missing:
            sql = _USER_TRIES.format(condition=_condition(kind.among))
            frame = self.connection.execute(sql, {"who": missing}).df()
            for name, steps in frame.groupby("who")["step"]:
                self._user_tries[kind.among, str(name)] = steps.to_numpy(np.int64)
        return [self._user_tries.get((kind.among, name), np.zeros(0, np.int64)) for name in names]


@contextmanager
def observe(connection: DuckDBPyConnection) -> Iterator[Observations | None]:
    """Read the syncs to judge; None if the store has no syncs. Uses temporary tables until the block ends."""
    last = reference_time(connection)
    first = None
    if last is not None:
        (first,) = connection.execute(_SPAN, {"last": last, "days": MAX_DAYS}).fetchall()[0]
    if first is None or last is None:
        yield None
        return
    seconds = _step_seconds((last - first).total_seconds())
    try:
        connection.execute(_EXPLAINED)
        connection.execute(_JUDGED, {"first": first, "last": last, "seconds": seconds})
        yield _read(connection, last, seconds)
    finally:
        connection.execute("DROP TABLE IF EXISTS temp.judged_sync")
        connection.execute("DROP TABLE IF EXISTS temp.explained_sync")


def _read(connection: DuckDBPyConnection, last: datetime, seconds: float) -> Observations:
    users, steps = connection.execute(
        "SELECT count(DISTINCT who), coalesce(max(step), -1) + 1 FROM judged_sync"
    ).fetchall()[0]
    failed = [row[0] for row in connection.execute(_FAILED).fetchall()]
    span = connection.execute(_ERROR_SPAN).fetchall()[0]
    hits = {}
    for kind in load_failure_kinds().values():
        body = "\n".join(line for line in kind.sql.splitlines() if not line.startswith("--"))
        skipped = (None, None) if kind.is_failure else span
        attributes = ", ".join(f"s.{name}" for name in ATTRIBUTES if name != "permission_set")
        sql = _HITS.format(query=body, attributes=attributes)
        hits[kind.name] = connection.execute(sql, {"from": skipped[0], "to": skipped[1]}).df()
    series = {among: _read_series(connection, among, int(steps)) for among in ("finished", "started")}
    return Observations(connection, seconds, int(steps), int(users), last, failed, hits, series)


def _read_series(connection: DuckDBPyConnection, among: str, steps: int) -> list[Series]:
    series = []
    for attribute in (EVERYONE, *ATTRIBUTES):
        value = f"'{EVERYONE}'" if attribute == EVERYONE else attribute
        source = _SETS if attribute == "permission_set" else "judged_sync"
        condition = f"{_condition(among)} AND {value} IS NOT NULL"
        frame = connection.execute(_TRIES.format(value=value, source=source, condition=condition)).df()
        totals = frame.groupby("value")["tries"].sum().sort_values(ascending=False, kind="stable")
        values = sorted(totals.index[:_MAX_VALUES])
        if attribute != EVERYONE and len(values) < 2:
            continue  # an attribute with one value separates no users
        for name, rows in frame[frame["value"].isin(values)].groupby("value"):
            tries = np.zeros(steps)
            tries[rows["step"].to_numpy(np.int64)] = rows["tries"].to_numpy(np.float64)
            series.append(Series(attribute, str(name), tries))
    return series


def _condition(among: str) -> str:
    return _FINISHED if among == "finished" else "true"


def _step_seconds(span: float) -> float:
    """Return the length of a time step: an hour, or longer if that were too many steps."""
    return 3600.0 * max(1, ceil(span / 3600.0 / _MAX_STEPS))
