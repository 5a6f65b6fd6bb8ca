"""The evidence of a case as sentences, each clean on one line whatever a device or an export wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.base.text import format_change, format_p_value, pluralize
from analysis.fixes.issue_context import SharedAttribute
from analysis.issues.listing import QUIET_PERIOD

if TYPE_CHECKING:
    from analysis.fixes.suggestion import Suggestion

MOST_NAMED = 3
_LONGEST = 80
# For other causes the permission sets and VMOCs are in the suggestion and not in its words: they point nowhere.
_OF_PERMISSION = {
    "object-permission", "field-permission", "record-visibility", "access-policy", "required-field",
    "sync-configuration",
}  # fmt: skip
_OF_VMOC = {
    "sync-configuration", "record-visibility", "schema-mismatch", "invalid-reference", "record-deleted",
    "local-state-mismatch", "payload-too-large",
}  # fmt: skip


def evidence_lines(case: Suggestion, *, people: bool) -> list[str]:
    """Tell the evidence of a case, a sentence each; `people` says whether users may be named."""
    return [
        *_who_and_what(case, people),
        *map(_tell_common, case.shared_attributes),
        *_tell_sets(case),
        *_tell_vmocs(case),
        *_tell_change(case, people),
        *_tell_aftermath(case, people),
        *_tell_waiting(case),
    ]


def resolution_line(case: Suggestion) -> str:
    """Say that a case seems to be over, why, and what of it is left; empty while it goes on."""
    now = case.resolution
    if now.reverted_at is not None and case.latest <= now.reverted_at:
        seems = "It seems to be over: the change was taken back, and no error of it came later."
    elif now.as_of is not None and now.as_of - case.latest > QUIET_PERIOD:
        seems = f"It may be over: its last error came {(now.as_of - case.latest).days} days before the newest data."
    else:
        return ""
    left = []
    if waiting := len(case.pending_records):
        left.append(f"{pluralize(waiting, 'record')} still {_waits(waiting)} for it")
    if now.users_synced_since is not None and (not_yet := case.users - now.users_synced_since):
        have = "has" if not_yet == 1 else "have"
        left.append(f"{not_yet:,} of {pluralize(case.users, 'user')} {have} not synced with success since")
    if not left:
        return f"{seems} Nothing of it is known to be left. The steps are for its return."
    return f"{seems} What is left: {' and '.join(left)}. The other steps are for its return."


def verification_lines(case: Suggestion) -> list[str]:
    """Tell how one sees that the fix worked, a sentence each."""
    now = case.resolution
    lines = []
    if now.as_of is not None:
        lines.append(f"Load newer data first: what is known ends at {now.as_of:%Y-%m-%d %H:%M} UTC.")
    lines.append(
        f"No error of it comes after the fix; the newest so far is of {case.latest:%Y-%m-%d %H:%M} UTC."
    )
    if waiting := len(case.pending_records):
        lines.append(
            f"No record waits for it any more; so far {pluralize(waiting, 'record')} {_waits(waiting)}."
        )
    if now.users_synced_since is not None:
        whole = "The user has" if case.users == 1 else f"All {case.users:,} users have"
        lines.append(
            f"{whole} synced with success since their last error of it; so far {now.users_synced_since:,}."
        )
    return lines


def _waits(count: int) -> str:
    return "waits" if count == 1 else "wait"


def format_value(value: object) -> str:
    """A value from outside as a few words on one line."""
    return shorten(" ".join(str(value).split()), _LONGEST, placeholder=" …") or "(blank)"


def format_list(values: Sequence[object], *, most: int = MOST_NAMED, count: int | None = None) -> str:
    """The first of some values as words: `a`, `a and b`, `a, b and 3 more`."""
    total = len(values) if count is None else count
    shown = [format_value(value) for value in values[:most]]
    if total > len(shown):
        shown.append(f"{total - len(shown):,} more")
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def _who_and_what(case: Suggestion, people: bool) -> Iterator[str]:
    named = f" ({format_list(case.user_ids, count=case.users)})" if people and case.user_ids else ""
    users = f", {pluralize(case.users, 'user')}{named}" if case.users else ""
    devices = f" on {pluralize(case.devices, 'device')}" if case.devices else ""
    yield (
        f"{pluralize(case.events, 'error')}{users}{devices}, since {case.since:%Y-%m-%d %H:%M} UTC, "
        f"the last {case.latest:%Y-%m-%d %H:%M} UTC."
    )
    kinds = ("object", "field", "operation", "phase", "error_type")
    names = [
        f"{kind.replace('_', ' ')} {format_list(case.named_values[kind])}"
        for kind in kinds
        if kind in case.named_values
    ]
    if names:
        yield f"The errors name {'; '.join(names)}."


def _tell_common(one: SharedAttribute) -> str:
    what = one.attribute.replace("_", " ")
    unknown = f" Of {pluralize(one.unknown, 'user')} no {what} is known." if one.unknown else ""
    return (
        f"{one.users_hit} of {one.all_hit} users hit have {what} {format_value(one.value)}, "
        f"but only {one.users_spared} of {one.all_spared} others.{unknown}"
    )


def _tell_sets(case: Suggestion) -> Iterator[str]:
    if case.permission_sets and (case.cause in _OF_PERMISSION or _changed(case, "permission_set")):
        noun = "permission set" if len(case.permission_sets) == 1 else "permission sets"
        yield f"Look at the {noun} {format_list(case.permission_sets)}."


def _tell_vmocs(case: Suggestion) -> Iterator[str]:
    if case.vmocs and (case.cause in _OF_VMOC or _changed(case, "vmoc")):
        noun = "VMOC" if len(case.vmocs) == 1 else "VMOCs"
        objects = f" for {format_list(case.named_values['object'])}" if "object" in case.named_values else ""
        yield f"What devices get is decided by the {noun} {format_list(case.vmocs)}{objects}."


def _changed(case: Suggestion, kind: str) -> bool:
    return case.change is not None and case.change["kind"] == kind


def _tell_change(case: Suggestion, people: bool) -> Iterator[str]:
    if case.change is None:
        return
    row = case.change
    yield f"{_when_and_who(row, people)}, this was changed: {_what_changed(row)}."
    if row["certain"]:
        yield f"It explains the start better than a random moment would ({format_p_value(row['p_value'])})."
    else:
        yield "It came shortly before, which is a hint and no proof."


def _tell_aftermath(case: Suggestion, people: bool) -> Iterator[str]:
    now = case.resolution
    if now.reverted_by is not None and now.reverted_at is not None:
        yield f"{_when_and_who(now.reverted_by, people)}, that was taken back: {_what_changed(now.reverted_by)}."
        later = case.latest > now.reverted_at
        yield "Errors of it came later too." if later else "No error of it came later."
    if now.users_synced_since is not None:
        have = "has" if now.users_synced_since == 1 else "have"
        some = (
            f"{now.users_synced_since:,} of {pluralize(case.users, 'user')}"
            if now.users_synced_since
            else "None of them"
        )
        yield f"{some} {have} synced with success since their last error of it."
    for held in now.blocked_elsewhere:
        wait = _waits(held.records)
        yield f"{pluralize(held.records, 'record')} that met it {wait} for {held.cause} by now ({held.issue_id})."


def _when_and_who(row: Mapping[str, Any], people: bool) -> str:
    by = f" by {format_value(row['changed_by'])}" if people and row["changed_by"] else ""
    return f"At {str(row['changed_at'])[:16].replace('T', ' ')} UTC{by}"


def _what_changed(row: Mapping[str, Any]) -> str:
    names = dict.fromkeys(str(row[name]) for name in ("target", "object", "field") if row[name])
    on = " ".join([str(row["kind"]).replace("_", " "), *map(format_value, names)])
    if not row["before"] and not row["after"]:
        return on
    turned = " ".join(format_change(row["before"] or "nothing", row["after"] or "nothing").split())
    return f"{on} ({shorten(turned, 160, placeholder=' …')})"


def _tell_waiting(case: Suggestion) -> Iterator[str]:
    if case.pending_records.empty:
        return
    oldest = case.pending_records["edited_at"].min()
    since = "" if pd.isna(oldest) else f", the oldest since {oldest:%Y-%m-%d %H:%M} UTC"
    devices = pluralize(case.pending_records["device_id"].nunique(), "device")
    wait = _waits(len(case.pending_records))
    pairs = zip(case.pending_records["object"], case.pending_records["record_id"], strict=True)
    names = [f"{what} {record}" if isinstance(what, str) and what else str(record) for what, record in pairs]
    yield f"{pluralize(len(names), 'record')} {wait} on {devices}{since}: {format_list(names)}."
