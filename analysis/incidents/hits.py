"""Hits: the days on which an issue hit a device, and the activity of the fleet that they are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from analysis.query.filters import Filters
from analysis.query.runner import run_query_rows

Floats = NDArray[np.float64]
_ANY_OBJECT = frozenset({"record-visibility", "record-deleted", "invalid-reference", "local-state-mismatch"})
MIN_ACTIVITY = 50  # fewer active hours do not show when the fleet works

# The device of a user, for rows that name only the user: tracking records have no device, errors often have one.
_OWNER = """
WITH owner AS (
    SELECT user_id, min(device_id) AS device_id FROM (
        SELECT user_id, device_id FROM error UNION ALL SELECT user_id, device_id FROM sync
    ) WHERE user_id IS NOT NULL AND device_id IS NOT NULL GROUP BY user_id
)
"""
# One row for each issue, device and day, at the first error of that day: retries count once.
_HITS = f"""
{_OWNER}
SELECT e.issue_id, coalesce(e.device_id, o.device_id, e.user_id) AS device, epoch(min(e.occurred_at)) AS seconds,
    count(*) AS events
FROM issue_event AS e LEFT JOIN owner AS o ON o.user_id = e.user_id
WHERE coalesce(e.device_id, e.user_id) IS NOT NULL
GROUP BY e.issue_id, device, cast(e.occurred_at AS DATE) ORDER BY seconds, e.issue_id, device
"""
_ISSUES = """
SELECT issue_id, any_value(failure_kind) AS failure_kind, mode(cause) AS cause, mode(object) AS object,
    count(*) AS events, count(record_id) AS with_record, mode(http_status) AS http_status,
    count(*) FILTER (WHERE http_status >= 500) AS server_errors, mode(error_type) AS error_type
FROM issue_event GROUP BY issue_id ORDER BY issue_id
"""
# One row for each device and hour in which it synced; of errors only if no syncs are loaded.
_ACTIVITY = f"""
{_OWNER.rstrip()},
event AS (
    SELECT device_id, user_id, started_at AS seen_at, true AS is_sync FROM sync
    UNION ALL
    SELECT device_id, user_id, occurred_at, false FROM error
),
seen AS (
    SELECT coalesce(e.device_id, o.device_id, e.user_id) AS device, e.seen_at, e.is_sync
    FROM event AS e LEFT JOIN owner AS o ON o.user_id = e.user_id
),
hour AS (SELECT DISTINCT device, date_trunc('hour', seen_at) AS seen_at, is_sync FROM seen WHERE device IS NOT NULL)
SELECT epoch(seen_at) AS seconds, device, is_sync FROM hour ORDER BY seconds, device
"""


@dataclass(frozen=True, slots=True)
class IssueFacts:
    """What the errors of one issue share; None for what they do not name."""

    issue_id: str
    failure_kind: str | None
    cause: str
    object: str | None
    events: int
    with_record: int
    http_status: int | None
    server_errors: int
    error_type: str | None

    @property
    def family(self) -> str:
        """Return what issues must share to be compared: the cause, and the object if they name one.

        Two objects with the same cause are two faults, except for causes that reach a record and all below it.
        """
        if self.failure_kind is not None:
            return f"failed syncs: {self.failure_kind}"
        is_same_fault = self.object is None or self.cause in _ANY_OBJECT
        return self.cause if is_same_fault else f"{self.cause} on {self.object}"


@dataclass(frozen=True)
class Hits:
    """The hits of all issues, in order of time, and the active hours of the fleet.

    `seconds`, `issue` and `device` have one item for each hit; `issue` and `device` are positions in `issues` and
    `devices`. `activity` has the time of each active hour in epoch seconds.
    """

    seconds: Floats
    issue: NDArray[np.int64]
    device: NDArray[np.int64]
    issues: tuple[IssueFacts, ...]
    devices: tuple[str, ...]
    active_devices: int
    activity: Floats

    @cached_property
    def clock(self) -> Floats:
        """Return for each hit the share of the fleet's activity before it, from 0 to 1."""
        return self.activity_before(self.seconds)

    def activity_before(self, seconds: Floats) -> Floats:
        """Return the share of the fleet's activity before each time; nan if too little activity is known."""
        if len(self.activity) < MIN_ACTIVITY:
            return np.full(len(seconds), np.nan)
        steps = (np.arange(len(self.activity)) + 0.5) / len(self.activity)
        return np.asarray(np.interp(seconds, self.activity, steps), dtype=np.float64)

    @property
    def one_day(self) -> float:
        """Return one day as a share of the period: issues that begin in one morning prove no more than that."""
        seen = self.activity if len(self.activity) else self.seconds
        days = (seen[-1] - seen[0]) / 86_400 if len(seen) else 0.0
        return 1.0 / max(days, 1.0)

    @cached_property
    def families(self) -> Mapping[str, NDArray[np.int64]]:
        """Return the positions of the hits of each family."""
        names = np.array([self.issues[number].family for number in self.issue], dtype=object)
        return {str(name): np.flatnonzero(names == name) for name in sorted(set(names.tolist()))}


def load_hits(connection: DuckDBPyConnection, filters: Filters) -> Hits:
    """Load the hits of a store; errors that name no device count for their user's."""
    rows = run_query_rows(connection, _HITS, filters)
    facts = [IssueFacts(**row) for row in run_query_rows(connection, _ISSUES, filters)]
    active = run_query_rows(connection, _ACTIVITY, filters)
    has_syncs = sum(row["is_sync"] for row in active) >= MIN_ACTIVITY
    devices = sorted({row["device"] for row in rows})
    issue_index = {issue.issue_id: number for number, issue in enumerate(facts)}
    device_index = {device: number for number, device in enumerate(devices)}
    return Hits(
        seconds=np.array([row["seconds"] for row in rows], dtype=np.float64),
        issue=np.array([issue_index[row["issue_id"]] for row in rows], dtype=np.int64),
        device=np.array([device_index[row["device"]] for row in rows], dtype=np.int64),
        issues=tuple(facts),
        devices=tuple(devices),
        active_devices=len({row["device"] for row in active} | set(devices)),
        activity=np.array(
            [row["seconds"] for row in active if row["is_sync"] or not has_syncs], dtype=np.float64
        ),
    )
