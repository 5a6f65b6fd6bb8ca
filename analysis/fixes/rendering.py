"""Render a suggested fix as sentences, as plain text, or as plain values for JSON.

Every sentence stays on one line, whatever a device or an export wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from textwrap import shorten
from typing import Any

import pandas as pd

from analysis.base.duckdb_frames import to_plain_rows
from analysis.base.quiet_period import QUIET_PERIOD
from analysis.base.text import capitalize_first, format_change, format_p_value, pluralize
from analysis.fixes.config_change import ConfigChange
from analysis.fixes.formatting import format_list, format_value
from analysis.fixes.issue_context import NO_PENDING_DATA, SharedAttribute
from analysis.fixes.recovery_actions import RecoveryAction
from analysis.fixes.suggestion import Suggestion

# For all other causes, sentences about permission sets or VMOCs would not help.
_PERMISSION_CAUSES = {
    "object-permission", "field-permission", "record-visibility", "access-policy", "required-field",
    "sync-configuration",
}  # fmt: skip
_VMOC_CAUSES = {
    "sync-configuration", "record-visibility", "schema-mismatch", "invalid-reference", "record-deleted",
    "local-state-mismatch", "payload-too-large",
}  # fmt: skip
_MAX_CHANGE_LENGTH = 160


def render_fix(fix: Suggestion) -> str:
    """Render a suggested fix as plain text: evidence, steps, verification, recovery actions, data gaps."""
    steps = fix.playbook.steps.replace("**", "")
    general = "" if fix.headline == fix.playbook.short_fix else f"In general: {fix.playbook.short_fix}"
    parts = [
        fix.playbook.title,
        "In this case\n" + _bullet_list([*evidence_lines(fix, name_users=True), *fix.evidence]),
        "What to do\n" + "\n\n".join(filter(None, (resolution_line(fix), fix.headline, general, steps))),
        "How to verify the fix\n" + _bullet_list(verification_lines(fix)),
        "Recovery actions\n" + _bullet_list(_action_line(action) for action in fix.recovery_actions),
    ]
    if fix.notes:
        parts.append("Data gaps\n" + _bullet_list(fix.notes))
    return "\n\n".join(parts)


def fix_to_dict(fix: Suggestion) -> dict[str, Any]:
    """Convert a suggested fix to plain values that JSON can hold, with its sentences."""
    scalars = (
        "issue_id", "cause", "confidence", "who", "where", "side", "retryable", "events", "users",
        "devices", "message",
    )  # fmt: skip
    return {name: getattr(fix, name) for name in scalars} | {
        "title": fix.playbook.title,
        "headline": fix.headline,
        "short_fix": fix.playbook.short_fix,
        "fix": fix.playbook.fix,
        "sources": list(fix.playbook.sources),
        "since": fix.since.isoformat(),
        "latest": fix.latest.isoformat(),
        "user_ids": list(fix.user_ids),
        "permission_sets": list(fix.permission_sets),
        "vmocs": list(fix.vmocs),
        "named_values": {kind: list(values) for kind, values in fix.named_values.items()},
        "shared_attributes": [asdict(attribute) for attribute in fix.shared_attributes],
        "change": None if fix.change is None else fix.change.to_dict(),
        "resolution": fix.resolution.to_dict(),
        "pending_records": to_plain_rows(fix.pending_records),
        "recovery_actions": [action.to_dict() for action in fix.recovery_actions],
        "evidence_lines": evidence_lines(fix),
        "resolution_line": resolution_line(fix),
        "verification_lines": verification_lines(fix),
        "summary": fix_summary(fix),
        "evidence": list(fix.evidence),
        "notes": list(fix.notes),
    }


def fix_summary(fix: Suggestion) -> str:
    """Summarize who should do what, and the evidence, in one paragraph that names users."""
    place = f"Place: {fix.where}." if fix.where else ""
    return " ".join(filter(None, (fix.headline, place, *evidence_lines(fix, name_users=True))))


def evidence_lines(fix: Suggestion, *, name_users: bool = False) -> list[str]:
    """Return the evidence, one sentence each. `name_users` allows the names of users and admins."""
    return [
        *_count_lines(fix, name_users),
        *map(_shared_attribute_line, fix.shared_attributes),
        *_permission_set_lines(fix),
        *_vmoc_lines(fix),
        *_change_lines(fix, name_users),
        *_resolution_lines(fix, name_users),
        *_pending_record_lines(fix),
    ]


def resolution_line(fix: Suggestion) -> str:
    """Return why an issue looks resolved and what remains; empty for an ongoing issue."""
    status = fix.resolution
    if status.reverted_at is not None and fix.latest <= status.reverted_at:
        verdict = f"This looks resolved: the change was reverted and {_no_later_errors(fix)}."
    elif status.as_of is not None and status.as_of - fix.latest > QUIET_PERIOD:
        days = (status.as_of - fix.latest).days
        verdict = f"This may be resolved: the last error occurred {days} days before the newest data."
    else:
        return ""
    remaining = []
    if pending := len(fix.pending_records):
        remaining.append(f"{_pluralize_with_verb(pending, 'record')} still blocked by this issue")
    if status.users_synced_since is not None and (missing := fix.users - status.users_synced_since):
        verb = "has" if missing == 1 else "have"
        remaining.append(
            f"{missing:,} of {pluralize(fix.users, 'user')} {verb} not synced successfully since"
        )
    unknown = []
    if status.users_synced_since is None:
        unknown.append("whether the users can sync now (no syncs of them are loaded)")
    if NO_PENDING_DATA in fix.notes:
        unknown.append("whether records are still blocked (no pending records of their devices are loaded)")
    parts = [verdict]
    parts += [f"Remaining: {' and '.join(remaining)}."] if remaining else []
    parts += [f"Unknown: {' and '.join(unknown)}."] if unknown else []
    parts += [] if remaining or unknown else ["No affected user or record remains."]
    steps = "the other steps" if remaining or unknown else "the steps"
    return f"{' '.join(parts)} Follow {steps} only if the issue recurs."


def _no_later_errors(fix: Suggestion) -> str:
    """Return that errors ended, or, without a later successful sync as proof, only that none are loaded."""
    return (
        "no further errors occurred" if fix.resolution.users_synced_since else "no further errors are loaded"
    )


def verification_lines(fix: Suggestion) -> list[str]:
    """Return how to verify that the fix worked, one sentence each."""
    status = fix.resolution
    lines = []
    if status.as_of is not None:
        lines.append(f"Load newer data first: the store ends at {status.as_of:%Y-%m-%d %H:%M} UTC.")
    lines.append(
        f"Check that no error from this issue occurs after the fix "
        f"(newest so far: {fix.latest:%Y-%m-%d %H:%M} UTC)."
    )
    if pending := len(fix.pending_records):
        lines.append(f"Check that no record is blocked by this issue (now: {pluralize(pending, 'record')}).")
    if status.users_synced_since is not None:
        users = "the user has" if fix.users == 1 else f"all {fix.users:,} users have"
        lines.append(
            f"Check that {users} synced successfully since their last error "
            f"(so far: {status.users_synced_since:,})."
        )
    return lines


def _count_lines(fix: Suggestion, name_users: bool) -> Iterator[str]:
    names = f" ({format_list(fix.user_ids, total=fix.users)})" if name_users and fix.user_ids else ""
    users = f", {pluralize(fix.users, 'user')}{names}" if fix.users else ""
    devices = f" on {pluralize(fix.devices, 'device')}" if fix.devices else ""
    yield (
        f"{pluralize(fix.events, 'error')}{users}{devices}, since {fix.since:%Y-%m-%d %H:%M} UTC, "
        f"last seen {fix.latest:%Y-%m-%d %H:%M} UTC."
    )
    kinds = ("object", "field", "operation", "phase", "error_type")
    values = [
        f"{kind.replace('_', ' ')} {format_list(fix.named_values[kind])}"
        for kind in kinds
        if kind in fix.named_values
    ]
    if values:
        yield f"The errors name {'; '.join(values)}."


def _shared_attribute_line(shared: SharedAttribute) -> str:
    name = shared.attribute.replace("_", " ")
    unknown = f" The {name} of {pluralize(shared.unknown, 'user')} is unknown." if shared.unknown else ""
    return (
        f"{shared.affected_with} of {shared.affected_total} affected users have {name} "
        f"{format_value(shared.value)}, but only {shared.others_with} of {shared.others_total} other users.{unknown}"
    )


def _permission_set_lines(fix: Suggestion) -> Iterator[str]:
    if fix.permission_sets and (fix.cause in _PERMISSION_CAUSES or _has_change_of(fix, "permission_set")):
        noun = "permission set" if len(fix.permission_sets) == 1 else "permission sets"
        yield f"Check the {noun} {format_list(fix.permission_sets)}."


def _vmoc_lines(fix: Suggestion) -> Iterator[str]:
    if fix.vmocs and (fix.cause in _VMOC_CAUSES or _has_change_of(fix, "vmoc")):
        subject = "VMOC" if len(fix.vmocs) == 1 else "VMOCs"
        verb = "controls" if len(fix.vmocs) == 1 else "control"
        objects = f"{format_list(fix.named_values['object'])} " if "object" in fix.named_values else ""
        yield f"The {subject} {format_list(fix.vmocs)} {verb} which {objects}records devices receive."


def _has_change_of(fix: Suggestion, kind: str) -> bool:
    return fix.change is not None and fix.change.kind == kind


def _change_lines(fix: Suggestion, name_users: bool) -> Iterator[str]:
    if fix.change is None:
        return
    yield f"Change {_when_and_who(fix.change, name_users)}: {_describe_change(fix.change)}."
    if fix.change.certain and fix.change.p_value is not None:
        yield f"The change fits the start of the issue better than chance ({format_p_value(fix.change.p_value)})."
    elif fix.change.certain:
        yield f"The errors show that it is in effect: {fix.change.relation}."
    else:
        yield "The change came shortly before the start, which is a hint but no proof."


def _resolution_lines(fix: Suggestion, name_users: bool) -> Iterator[str]:
    status = fix.resolution
    if (revert := status.reverted_by) is not None:
        yield f"Reverted {_when_and_who(revert, name_users)}: {_describe_change(revert)}."
        later = capitalize_first(_no_later_errors(fix))
        yield (
            "Further errors occurred after that."
            if fix.latest > revert.changed_at
            else f"{later} after that."
        )
    if status.users_synced_since is not None:
        verb = "has" if status.users_synced_since == 1 else "have"
        count = f"{status.users_synced_since:,}" if status.users_synced_since else "None"
        yield f"{count} of {pluralize(fix.users, 'user')} {verb} synced successfully since their last error."
    for blocked in status.blocked_elsewhere:
        records = _pluralize_with_verb(blocked.records, "affected record")
        yield f"{records} now blocked by issue {blocked.issue_id} ({blocked.cause})."


def _when_and_who(change: ConfigChange, name_users: bool) -> str:
    by = f" by {format_value(change.changed_by)}" if name_users and change.changed_by else ""
    return f"at {change.changed_at:%Y-%m-%d %H:%M} UTC{by}"


def _describe_change(change: ConfigChange) -> str:
    names = dict.fromkeys(name for name in (change.target, change.object, change.field) if name)
    setting = " ".join([change.kind.replace("_", " "), *map(format_value, names)])
    if not change.before and not change.after:
        return setting
    values = " ".join(format_change(change.before or "nothing", change.after or "nothing").split())
    return f"{setting} ({shorten(values, _MAX_CHANGE_LENGTH, placeholder=' …')})"


def _pending_record_lines(fix: Suggestion) -> Iterator[str]:
    pending = fix.pending_records
    if pending.empty:
        return
    oldest = pending["edited_at"].min()
    since = "" if pd.isna(oldest) else f", the oldest since {oldest:%Y-%m-%d %H:%M} UTC"
    devices = pluralize(pending["device_id"].nunique(), "device")
    names = [
        f"{name} {record}" if isinstance(name, str) and name else str(record)
        for name, record in zip(pending["object"], pending["record_id"], strict=True)
    ]
    yield f"{_pluralize_with_verb(len(names), 'record')} pending on {devices}{since}: {format_list(names)}."


def _pluralize_with_verb(count: int, noun: str) -> str:
    """Return a count with its noun and verb, such as `1 record is` or `4 records are`."""
    return f"{pluralize(count, noun)} {'is' if count == 1 else 'are'}"


def _action_line(action: RecoveryAction) -> str:
    state = "available" if action.offered else "not available"
    lost = len(action.lost_records)
    loss = f" Deletes {pluralize(lost, 'unsent change')}." if lost else ""
    return f"{action.title} ({action.name}, {action.who}): {state}. {action.reason}{loss}"


def _bullet_list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
