"""Suggested fixes: the playbook of an issue's cause with the evidence of this issue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.fixes.affected_config import find_permission_sets, find_vmocs
from analysis.fixes.config_change import (
    AttributedChange,
    attributed_change,
    find_former_version,
    list_rows,
)
from analysis.fixes.formatting import format_value
from analysis.fixes.headline import write_headline
from analysis.fixes.issue_context import SharedAttribute, data_gaps, shared_attributes
from analysis.fixes.playbook import Playbook, load_playbook
from analysis.fixes.recovery_actions import RecoveryAction, recovery_actions
from analysis.fixes.resolution import ResolutionStatus, resolution_status
from analysis.fixes.undo import Undo, undo_change
from analysis.issues.details import UnknownIssue
from analysis.query.filters import Filters
from analysis.query.runner import run_query

_MAX_SHARE_SINCE_REVERT = 0.2  # of the errors; devices that learn of the revert late still report some
_FACTS = """
SELECT
    mode(cause) AS cause,
    avg(confidence) AS confidence,
    mode(side) AS side,
    mode(retryable) AS retryable,
    count(*) AS events,
    count(DISTINCT user_id) AS users,
    count(DISTINCT device_id) AS devices,
    min(occurred_at) AS since,
    max(occurred_at) AS latest,
    mode(message) AS message,
    arg_max(evidence, occurred_at) AS evidence
FROM issue_event WHERE issue_id = $issue_id
"""
_NAMED_VALUES = """
SELECT 'object' AS kind, object AS value, count(*) AS events
FROM issue_event WHERE issue_id = $issue_id GROUP BY ALL
UNION ALL
SELECT 'field', field, count(*) FROM issue_event WHERE issue_id = $issue_id GROUP BY ALL
UNION ALL
SELECT 'operation', operation, count(*) FROM issue_event WHERE issue_id = $issue_id GROUP BY ALL
UNION ALL
SELECT 'phase', phase, count(*) FROM issue_event WHERE issue_id = $issue_id GROUP BY ALL
UNION ALL
SELECT 'error_type', error_type, count(*) FROM issue_event WHERE issue_id = $issue_id GROUP BY ALL
UNION ALL
SELECT 'app_version', app_version, count(*) FROM issue_event WHERE issue_id = $issue_id GROUP BY ALL
ORDER BY kind, events DESC, value
"""
_USERS = """
SELECT user_id FROM issue_event WHERE issue_id = $issue_id AND user_id IS NOT NULL
GROUP BY user_id ORDER BY count(*) DESC, user_id
"""
_PENDING_RECORDS = """
SELECT DISTINCT p.device_id, p.user_id, p.object, p.record_id, p.operation, p.edited_at, p.parent_record_id
FROM pending_now AS p
JOIN pending_blocker AS b ON b.device_id = p.device_id AND b.object = p.object AND b.record_id = p.record_id
WHERE (b.in_error OR b.stopped) AND b.issue_id = $issue_id
ORDER BY p.edited_at, p.device_id, p.record_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """The suggested fix of one issue, and its evidence.

    `headline` is the fix in one sentence, with the names of this case (analysis.fixes.headline). `undo` undoes
    `change`; None if there is no change or it states no values. `who` acts, at the place `where`; None if no single
    place is known. `named_values` holds the
    values in the errors (object, field, operation, phase, error_type, app_version), the most frequent first.
    `user_ids` are the affected users, the one with most errors first. `permission_sets` are the sets to check,
    `vmocs` the VMOCs of the objects (analysis.fixes.affected_config). `change` is the configuration change
    that the issue is attributed to, `resolution` what has happened since. `pending_records` are the records
    in error that this issue blocks, with those saved together with them. `notes` list missing data.
    """

    issue_id: str
    cause: str
    confidence: float
    playbook: Playbook
    who: str
    where: str | None
    headline: str
    undo: Undo | None
    side: str | None
    retryable: str | None
    events: int
    users: int
    devices: int
    since: datetime
    latest: datetime
    named_values: Mapping[str, tuple[str, ...]]
    user_ids: tuple[str, ...]
    permission_sets: tuple[str, ...]
    vmocs: tuple[str, ...]
    shared_attributes: tuple[SharedAttribute, ...]
    change: AttributedChange | None
    resolution: ResolutionStatus
    pending_records: pd.DataFrame
    recovery_actions: tuple[RecoveryAction, ...]
    message: str | None
    evidence: tuple[str, ...]
    notes: tuple[str, ...]


def suggest_fix(connection: DuckDBPyConnection, issue_id: str) -> Suggestion:
    """Suggest a fix for one issue: its cause's playbook, evidence and recovery actions.

    Raises `UnknownIssue` if no error in the store belongs to `issue_id`, and `AnalysisError` if its cause has
    no playbook.
    """
    parameters = {"issue_id": issue_id}
    facts = _first_row(connection, _FACTS, parameters)
    if not facts["events"]:
        raise UnknownIssue(issue_id)
    playbook = load_playbook(facts["cause"])
    since = facts["since"]
    named_values = _group_values(connection.execute(_NAMED_VALUES, parameters).df())
    shared = shared_attributes(connection, issue_id)
    change = attributed_change(connection, issue_id, shared_values=[attribute.value for attribute in shared])
    permission_sets = find_permission_sets(connection, issue_id, shared, change)
    objects = named_values.get("object", ())
    resolution = resolution_status(connection, issue_id, change)
    undo = _find_undo(connection, change, resolution, facts["events"])
    vmocs = find_vmocs(connection, issue_id, change)
    return Suggestion(
        issue_id=issue_id,
        cause=playbook.cause,
        confidence=facts["confidence"],
        playbook=playbook,
        who=playbook.who if undo is None else undo.who,
        headline=write_headline(
            playbook,
            undo,
            reverted_at=None if resolution.reverted_at is None else f"{resolution.reverted_at:%Y-%m-%d %H:%M} UTC",
            named_values=named_values,
            permission_sets=permission_sets,
            vmocs=vmocs,
        ),
        undo=undo,
        where=None if undo is not None and playbook.who != undo.who else playbook.fill_where({
            "{permission_set}": [format_value(name) for name in permission_sets],
            "{object}": [format_value(name) for name in objects],
        }),
        side=facts["side"],
        retryable=facts["retryable"],
        events=facts["events"],
        users=facts["users"],
        devices=facts["devices"],
        since=since,
        latest=facts["latest"],
        named_values=named_values,
        user_ids=tuple(row[0] for row in connection.execute(_USERS, parameters).fetchall()),
        permission_sets=permission_sets,
        vmocs=vmocs,
        shared_attributes=tuple(shared),
        change=change,
        resolution=resolution,
        pending_records=run_query(connection, _PENDING_RECORDS, Filters.of(), parameters),
        recovery_actions=tuple(recovery_actions(connection, issue_id=issue_id)),
        message=facts["message"],
        evidence=tuple(facts["evidence"] or ()),
        notes=tuple(data_gaps(connection, issue_id, since)),
    )  # fmt: skip


def _find_undo(
    connection: DuckDBPyConnection, change: AttributedChange | None, resolution: ResolutionStatus, events: int
) -> Undo | None:
    """Return how to undo the change; None if many errors came after it was already undone."""
    if change is None or (resolution.errors_since_revert or 0) > _MAX_SHARE_SINCE_REVERT * events:
        return None
    former_version = find_former_version(connection, change) if change.kind == "app_version" else None
    return undo_change(change, former_version=former_version, rows=list_rows(connection, change))


def _first_row(connection: DuckDBPyConnection, sql: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    cursor = connection.execute(sql, parameters)
    names = [column[0] for column in cursor.description or ()]
    return dict(zip(names, cursor.fetchone() or (), strict=True))


def _group_values(rows: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Return the values of each kind in the order of the rows, without blanks."""
    present = rows[rows["value"].notna() & (rows["value"] != "")]
    return {str(kind): tuple(group["value"]) for kind, group in present.groupby("kind")}
