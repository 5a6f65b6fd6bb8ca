"""Read the case of an issue from the store: its devices, users, pending records and errors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Any

from duckdb import DuckDBPyConnection

from analysis.base.text import pluralize
from analysis.fixes.config_change import AttributedChange, attributed_change, find_former_version
from analysis.fixes.recovery_actions import RecoveryAction, recovery_actions
from analysis.issues.details import UnknownIssue
from analysis.query.filters import Filters
from analysis.query.runner import run_query
from rehearsal.vault_facts import VaultFacts, read_vault_facts
from sync_engine.vmoc import DEVICE_NAMES

_FACTS = """
SELECT count(*), mode(cause), mode(object), mode(field), mode(operation), mode(error_type), mode(message),
    mode(phase), any_value(failure_kind)
FROM issue_event WHERE issue_id = ?
"""
_FAILURES = """
SELECT coalesce(device_id, 'device of ' || user_id) AS device_id, record_id, any_value(user_id) AS user_id,
    any_value(platform) AS platform, mode(object) AS object, mode(operation) AS operation, mode(field) AS field,
    bool_and(device_id IS NULL) AS assumed
FROM issue_event WHERE issue_id = ? AND coalesce(device_id, user_id) IS NOT NULL GROUP BY 1, 2 ORDER BY ALL
"""
_BLOCKED = """
SELECT device_id, record_id FROM pending_blocker WHERE refusal_issue_id = $issue_id AND error_record_id = record_id
"""
_PENDING = """
SELECT DISTINCT device_id, user_id, object, record_id, operation, parent_record_id, edited_at, in_error
FROM pending_now
WHERE list_contains($devices, device_id) OR list_contains($users, user_id)
ORDER BY edited_at, device_id, object, record_id, operation
"""
MAX_LISTED_SETS = 3
"""Maximum number of permission sets to list by name. More are only counted."""
RecordKey = tuple[str, str]
"""Device id and record id, as in the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRecord:
    """One pending record of a device, with its ids as in the store."""

    device: str
    record: str
    object: str
    operation: str
    parent: str | None = None
    has_issue_error: bool = False  # an error from the issue names the record
    is_follow_up: bool = False  # a later edit of a record whose first edit was refused

    @property
    def key(self) -> RecordKey:
        return self.device, self.record


@dataclass(frozen=True, slots=True)
class SaveGroup:
    """Pending records saved together, the parent first. `from_issue`: this issue causes their refusal."""

    records: tuple[PendingRecord, ...]
    from_issue: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueCase:
    """The data of one issue in the store. `device_users` and `device_platforms` are by device id."""

    issue_id: str
    cause: str
    object: str | None
    field: str | None
    operation: str | None
    error_type: str
    message: str
    phase: str | None
    failure_kind: str | None  # of an issue of failed syncs without an error text
    devices: tuple[str, ...]  # the affected devices
    device_users: dict[str, str]
    device_platforms: dict[str, str]
    vault_facts: VaultFacts
    save_groups: tuple[SaveGroup, ...]
    recovery_actions: tuple[RecoveryAction, ...]
    change: AttributedChange | None  # the configuration change or rollout that the issue is attributed to
    former_version: str | None  # the app version before that rollout; None if it is none or no sync shows it
    assumptions: tuple[str, ...]

    @property
    def has_merge(self) -> bool:
        """Return whether the issue is attributed to merged accounts."""
        return (
            self.change is not None
            and self.change.kind == "object"
            and "merge" in (self.change.detail or "").lower()
        )

    @property
    def permission_sets(self) -> tuple[str, ...]:
        """Return the permission sets of the affected users; empty if any of them is not in the store."""
        by_device = [
            self.vault_facts.permission_sets.get(self.device_users[device]) for device in self.devices
        ]
        return tuple(sorted({name for name in by_device if name})) if all(by_device) else ()

    @property
    def permission_set_suffix(self) -> str:
        """Return the permission sets to name after a fix, for example ` in crm_rep__c`."""
        sets = (
            ", ".join(self.permission_sets)
            if len(self.permission_sets) <= MAX_LISTED_SETS
            else f"all {len(self.permission_sets)} permission sets"
        )
        return f" in {sets}" if self.permission_sets else ""

    @property
    def permission_set_assumption(self) -> str:
        """Return the assumption about permission sets."""
        if not self.permission_sets:
            return "All users are assumed to share one permission set"
        if len(self.permission_sets) == 1:
            return f"All users have the permission set {self.permission_sets[0]}, according to the store"
        return f"The users have different permission sets ({', '.join(self.permission_sets)}), according to the store"

    @property
    def issue_records(self) -> list[RecordKey]:
        """Return the pending records blocked by the issue, and those saved together with them."""
        return [
            row.key
            for group in self.save_groups
            if group.from_issue
            for row in group.records
            if not row.is_follow_up
        ]


def read_issue_case(
    connection: DuckDBPyConnection, issue_id: str, *, seed: int, max_devices: int
) -> IssueCase:
    """Read the case of an issue. Above `max_devices`, a seeded sample of its devices is used.

    Raises UnknownIssue if no error and no failed sync belongs to `issue_id`.
    """
    parameters = {"issue_id": issue_id}
    facts = connection.execute(_FACTS, [issue_id]).fetchone()
    if facts is None or not facts[0]:
        raise UnknownIssue(issue_id)
    failures = _frame_rows(connection.execute(_FAILURES, [issue_id]).df())
    devices, sample_notes = _sample_devices(sorted({row["device_id"] for row in failures}), seed, max_devices)
    device_users = {row["device_id"]: row["user_id"] or row["device_id"] for row in failures}
    device_users = {device: str(device_users[device]) for device in devices}
    bound = {"devices": devices, "users": sorted(set(device_users.values()))}
    pending = _frame_rows(run_query(connection, _PENDING, Filters.of(), bound))
    blocked_keys = {
        (row["device_id"], row["record_id"])
        for row in _frame_rows(run_query(connection, _BLOCKED, Filters.of(), parameters))
    }
    save_groups, notes = _group_pending_records(failures, pending, set(devices), blocked_keys)
    notes += _note_assumed_devices(failures)
    notes += _note_shared_devices([*failures, *pending], set(devices))
    for row in pending:
        device_users.setdefault(row["device_id"], str(row["user_id"] or row["device_id"]))
    platforms = {row["device_id"]: row["platform"] for row in failures if row["platform"] in DEVICE_NAMES}
    rows = [row for group in save_groups for row in group.records]
    vault_facts = read_vault_facts(connection, {row.object for row in rows}, device_users.values(), facts[2])
    change = None if facts[8] else attributed_change(connection, issue_id)
    is_rollout = change is not None and change.kind == "app_version"
    return IssueCase(
        issue_id=issue_id, cause=facts[1], object=facts[2], field=facts[3], operation=facts[4],
        error_type=facts[5] or "", message=facts[6] or "", phase=facts[7], failure_kind=facts[8],
        devices=tuple(devices),
        device_users=device_users, device_platforms=platforms,
        vault_facts=vault_facts, save_groups=tuple(save_groups),
        recovery_actions=tuple(recovery_actions(connection, issue_id=issue_id)),
        change=change, former_version=find_former_version(connection, change) if change and is_rollout else None,
        assumptions=(*sample_notes, *vault_facts.assumptions, *notes),
    )  # fmt: skip


def _sample_devices(devices: list[str], seed: int, max_devices: int) -> tuple[list[str], list[str]]:
    if len(devices) <= max_devices:
        return devices, []
    sampled = sorted(Random(f"{seed}/devices").sample(devices, max_devices))  # noqa: S311 - repeatable on purpose
    return sampled, [
        f"A random sample of {max_devices} of {len(devices)} devices is rebuilt; the others are left out."
    ]


def _group_pending_records(
    failures: list[dict[str, Any]],
    pending: list[dict[str, Any]],
    devices: set[str],
    blocked_keys: set[RecordKey],
) -> tuple[list[SaveGroup], list[str]]:
    error_keys = {(row["device_id"], row["record_id"]) for row in failures if row["record_id"]}
    in_error = [_pending_record(row, blocked_keys) for row in pending if row["in_error"]]
    save_groups = list(_group_by_save(in_error))
    from_issue_by_key = {row.key: group.from_issue for group in save_groups for row in group.records}
    for row in pending:
        key = (row["device_id"], row["record_id"])
        if not row["in_error"] and key in from_issue_by_key and row["operation"] == "update":
            follow_up = _pending_record(row, set(), is_follow_up=True)
            save_groups.append(SaveGroup((follow_up,), from_issue_by_key[key]))
    if any(group.from_issue for group in save_groups) or not error_keys:
        return save_groups, _note_other_errors(save_groups)
    assumed = [_assumed_record(row) for row in failures if row["record_id"] and row["device_id"] in devices]
    assumed = [record for record in assumed if record.key not in from_issue_by_key]
    note = (
        "The store lists no pending record for this issue; the records named in its errors are assumed to be "
        "pending again."
    )
    groups = save_groups + [SaveGroup((record,), True) for record in assumed]
    return groups, [note, *_note_other_errors(save_groups)]


def _note_assumed_devices(failures: list[dict[str, Any]]) -> list[str]:
    users = len({row["device_id"] for row in failures if row["assumed"]})
    return (
        [f"Errors of {pluralize(users, 'user')} name no device; one device per user is assumed."]
        if users
        else []
    )


def _note_shared_devices(rows: list[dict[str, Any]], devices: set[str]) -> list[str]:
    pairs = {(row["device_id"], row["user_id"]) for row in rows if row["user_id"]}
    shared = sum(len([user for name, user in pairs if name == device]) > 1 for device in devices)
    return (
        [f"{pluralize(shared, 'device')} had several users; one user is assumed for all records."]
        if shared
        else []
    )


def _note_other_errors(save_groups: list[SaveGroup]) -> list[str]:
    count = sum(len(group.records) for group in save_groups if not group.from_issue)
    stay = "stays in error" if count == 1 else "stay in error"
    records = f"{pluralize(count, 'record')} blocked by other causes on the same users' devices"
    return [f"{records} {stay}, whichever fix is tried."] if count else []


def _group_by_save(rows: list[PendingRecord]) -> Iterable[SaveGroup]:
    """Group children with their parent. Children of a parent that is not pending form their own groups."""
    parent_keys = {row.key for row in rows if row.parent is None}
    groups: dict[RecordKey, list[PendingRecord]] = {}
    for row in sorted(rows, key=lambda row: row.parent is not None):
        group_key = (row.device, row.parent or row.record)
        groups.setdefault(group_key if group_key in parent_keys else row.key, []).append(row)
    for group in groups.values():
        yield SaveGroup(
            tuple({row.key: row for row in reversed(group)}.values())[::-1],
            any(row.has_issue_error for row in group),
        )


def _pending_record(
    row: dict[str, Any], error_keys: set[RecordKey], *, is_follow_up: bool = False
) -> PendingRecord:
    key = (row["device_id"], row["record_id"])
    return PendingRecord(
        device=key[0], record=key[1], object=row["object"], operation=row["operation"] or "update",
        parent=row["parent_record_id"], has_issue_error=key in error_keys, is_follow_up=is_follow_up,
    )  # fmt: skip


def _assumed_record(row: dict[str, Any]) -> PendingRecord:
    operation = row["operation"] if row["operation"] in ("create", "delete") else "update"
    return PendingRecord(
        device=row["device_id"], record=row["record_id"], object=row["object"] or "account__v",
        operation=operation, has_issue_error=True,
    )  # fmt: skip


def _frame_rows(frame: Any) -> list[dict[str, Any]]:
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]
