"""Resolution status of an issue: reverted change, recovered users, records that another issue blocks now."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from duckdb import DuckDBPyConnection

from analysis.base.duckdb_frames import to_plain_rows
from analysis.fixes.config_change import ConfigChange, find_revert
from analysis.query.filters import Filters
from analysis.query.runner import reference_time_for, run_query

_RECOVERED_USERS = """
WITH affected AS (
    SELECT user_id, max(occurred_at) AS latest FROM issue_event
    WHERE issue_id = $issue_id AND user_id IS NOT NULL
    GROUP BY user_id
)
SELECT count(DISTINCT a.user_id) AS users_with_syncs,
    count(DISTINCT a.user_id) FILTER (
        WHERE s.started_at > a.latest AND s.outcome IN ('succeeded', 'succeeded_with_upload_errors')
    ) AS recovered
FROM affected AS a
JOIN sync AS s ON s.user_id = a.user_id
"""
_ERRORS_SINCE = "SELECT count(*) AS errors FROM issue_event WHERE issue_id = $issue_id AND occurred_at > $at"
_BLOCKED_ELSEWHERE = """
WITH affected AS (SELECT DISTINCT device_id, record_id FROM issue_event WHERE issue_id = $issue_id)
SELECT b.issue_id, b.cause, count(*) AS records
FROM pending_blocker AS b
JOIN affected AS a ON a.device_id = b.device_id AND a.record_id = b.record_id
WHERE (b.in_error OR b.stopped) AND b.issue_id <> $issue_id
GROUP BY b.issue_id, b.cause
ORDER BY records DESC, b.issue_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedRecords:
    """Affected records of one issue that another issue blocks now."""

    issue_id: str
    cause: str
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionStatus:
    """The progress toward resolving an issue since it started.

    `reverted_by` is the change that restored the previous value of the attributed change.
    `users_synced_since` counts the users who have synced successfully since their own last error; None if the
    store has no syncs of these users. `blocked_elsewhere` lists affected records that are still pending, but
    because of another issue. `as_of` is the reference time of the store. `errors_since_revert` counts the errors
    after the revert; None if there was none.
    """

    reverted_by: ConfigChange | None
    users_synced_since: int | None
    blocked_elsewhere: tuple[BlockedRecords, ...]
    as_of: datetime | None = None
    errors_since_revert: int | None = None

    @property
    def reverted_at(self) -> datetime | None:
        """Return the time at which the change was reverted, in UTC without a time zone, as in the store."""
        return None if self.reverted_by is None else self.reverted_by.changed_at

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values that JSON can hold."""
        return {
            "reverted_by": None if self.reverted_by is None else self.reverted_by.to_dict(),
            "users_synced_since": self.users_synced_since,
            "blocked_elsewhere": [asdict(blocked) for blocked in self.blocked_elsewhere],
            "errors_since_revert": self.errors_since_revert,
            "as_of": None if self.as_of is None else self.as_of.isoformat(),
        }


def resolution_status(
    connection: DuckDBPyConnection, issue_id: str, change: ConfigChange | None = None
) -> ResolutionStatus:
    """Return the resolution status of an issue that is attributed to `change`, or to no change."""
    parameters = {"issue_id": issue_id}
    counts = run_query(connection, _RECOVERED_USERS, Filters.of(), parameters).iloc[0]
    revert = None if change is None else find_revert(connection, change)
    after_revert = None
    if revert is not None:
        bound = parameters | {"at": revert.changed_at}
        after_revert = int(run_query(connection, _ERRORS_SINCE, Filters.of(), bound)["errors"].iloc[0])
    blocked = to_plain_rows(run_query(connection, _BLOCKED_ELSEWHERE, Filters.of(), parameters))
    return ResolutionStatus(
        reverted_by=revert,
        errors_since_revert=after_revert,
        users_synced_since=int(counts["recovered"]) if counts["users_with_syncs"] else None,
        blocked_elsewhere=tuple(BlockedRecords(**row) for row in blocked),
        as_of=reference_time_for(connection, Filters.of()),
    )
