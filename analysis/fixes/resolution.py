"""What became of an issue: whether its change was taken back, who has synced since, what its records wait for now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from duckdb import DuckDBPyConnection

from analysis.base.duckdb_frames import to_plain_rows
from analysis.issues.listing import HELD_BY, PENDING_NOW
from analysis.query.filters import Filters
from analysis.query.runner import reference_time_for, run_query

# The first change after it that gives the very same thing its former value again.
_TAKEN_BACK = """
SELECT b.change_id, b.changed_at, b.changed_by, b.kind, b.target, b.object, b.field, b.scope, b.before, b.after
FROM config_change AS a
JOIN config_change AS b ON b.changed_at > a.changed_at AND b.kind = a.kind AND b.target = a.target
    AND b.object IS NOT DISTINCT FROM a.object AND b.field IS NOT DISTINCT FROM a.field AND b.after = a.before
WHERE a.change_id = ?
ORDER BY b.changed_at, b.change_id
LIMIT 1
"""
_SYNCED_SINCE = """
WITH hit AS (
    SELECT user_id, max(occurred_at) AS latest FROM error
    WHERE issue_id = $issue_id AND user_id IS NOT NULL
    GROUP BY user_id
)
SELECT count(DISTINCT h.user_id) AS known,
    count(DISTINCT h.user_id) FILTER (
        WHERE s.started_at > h.latest AND s.outcome IN ('succeeded', 'succeeded_with_upload_errors')
    ) AS since
FROM hit AS h
JOIN sync AS s ON s.user_id = h.user_id
"""
_HELD_ELSEWHERE = f"""
WITH {PENDING_NOW}, {HELD_BY},
met AS (SELECT DISTINCT device_id, record_id FROM error WHERE issue_id = $issue_id)
SELECT h.issue_id, h.cause, count(DISTINCT (p.device_id, p.record_id)) AS records
FROM pending_now AS p
JOIN met USING (device_id, record_id)
JOIN held_by AS h USING (device_id, record_id)
WHERE p.in_error AND h.issue_id <> $issue_id
GROUP BY h.issue_id, h.cause
ORDER BY records DESC, h.issue_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedRecords:
    """Records that met an issue and wait for the error of another one now."""

    issue_id: str
    cause: str
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionStatus:
    """What became of an issue since it began.

    `taken_back` is the change that gave what is suspected its former value again. `synced_since` counts users
    who have synced with success since their own last error of the issue; None when the store knows no sync of
    theirs. `held_elsewhere` are records that met it, still wait, and by now for another error. `as_of` is the
    newest moment of the store.
    """

    reverted_by: Mapping[str, Any] | None
    users_synced_since: int | None
    blocked_elsewhere: tuple[BlockedRecords, ...]
    as_of: datetime | None = None

    @property
    def reverted_at(self) -> datetime | None:
        """When the change was taken back, in UTC without a zone, as in the store."""
        return (
            None if self.reverted_by is None else datetime.fromisoformat(str(self.reverted_by["changed_at"]))
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the same as plain values that JSON can hold."""
        return {
            "reverted_by": None if self.reverted_by is None else dict(self.reverted_by),
            "users_synced_since": self.users_synced_since,
            "blocked_elsewhere": [asdict(one) for one in self.blocked_elsewhere],
            "as_of": None if self.as_of is None else self.as_of.isoformat(),
        }


def resolution_status(
    connection: DuckDBPyConnection, issue_id: str, change: Mapping[str, Any] | None = None
) -> ResolutionStatus:
    """Find what became of an issue that is put down to `change` (a row of `config_change`, or nothing)."""
    bound = {"issue_id": issue_id}
    back = connection.execute(_TAKEN_BACK, [change["change_id"]]).df() if change is not None else None
    rows = [] if back is None else to_plain_rows(back)
    synced = run_query(connection, _SYNCED_SINCE, Filters.of(), bound).iloc[0]
    held = to_plain_rows(run_query(connection, _HELD_ELSEWHERE, Filters.of(), bound))
    return ResolutionStatus(
        reverted_by=rows[0] if rows else None,
        users_synced_since=int(synced["since"]) if synced["known"] else None,
        blocked_elsewhere=tuple(BlockedRecords(**row) for row in held),
        as_of=reference_time_for(connection, Filters.of()),
    )
