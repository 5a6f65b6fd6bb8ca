"""Steps that several recipes share: which rows a cause touches, and a user who corrects one."""

from __future__ import annotations

from collections.abc import Iterable

from rehearsal.builders import required_references
from rehearsal.issue_case import IssueCase, PendingRecord
from rehearsal.sandbox import ASSUMED_CALL, Sandbox
from sync_engine.device.edits import amend
from sync_engine.model import text

MARKER_FIELD = "rehearsal_mark__c"
"""A field of the rehearsal's own, for a cause whose field the store does not know."""


def correct_record(sandbox: Sandbox, row: PendingRecord, **fields: object) -> None:
    """The row's user corrects the refused record on the Errors tab."""
    device, refused = sandbox.device(row.device), {entry.key for _, entry in sandbox.error_entries()}
    for key in [one for one in sandbox.upload_keys[row.key] if one in refused]:
        fresh = amend(device, key, sandbox.record_ids[row.key], fields)
        for keys in sandbox.upload_keys.values():
            if key in keys:
                keys.append(fresh)


def correct_assumed_call(sandbox: Sandbox, device: str, **fields: object) -> None:
    """The device's user corrects the call that was assumed, where Vault refused it."""
    key = (device, ASSUMED_CALL)
    for _, entry in sandbox.error_entries({key}):
        sandbox.upload_keys[key].append(
            amend(sandbox.device(device), entry.key, sandbox.record_ids[key], fields)
        )


def records_with_errors(sandbox: Sandbox, *operations: str) -> list[PendingRecord]:
    """The rows that the errors name; of a case without such rows, all."""
    rows = sandbox.issue_records(*operations)
    return [row for row in rows if row.has_issue_error] or rows


def reason_if_only_deletes(case: IssueCase, why: str) -> str | None:
    """The reason `why`, if nothing but deletes is stuck, which this cause never refuses."""
    rows = [row for one in case.save_groups if one.from_issue for row in one.records]
    return why if rows and all(row.operation == "delete" for row in rows) else None


def add_marker_field(sandbox: Sandbox) -> None:
    """Give the objects of the issue's records the field MARK."""
    for name in sorted({row.object for row in sandbox.issue_records()}):
        definition = sandbox.vault.live["object"][name]
        sandbox.configure(
            "object", name, definition | {"fields": definition["fields"] | {MARKER_FIELD: text()}}
        )


def parent_references(sandbox: Sandbox) -> Iterable[tuple[PendingRecord, str, str]]:
    """For each refused create, the field that names the record it hangs on, and that record in the Vault."""
    for row in records_with_errors(sandbox, "create"):
        definition = sandbox.vault.live["object"][row.object]
        wished = sandbox.case.field if sandbox.case.field in required_references(definition) else None
        for name in [wished] if wished else list(required_references(definition)):
            value = sandbox.written_fields[row.key].get(str(name))
            if isinstance(value, str) and not value.startswith("m-"):
                yield row, str(name), value
                break
