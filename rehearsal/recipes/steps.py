"""Steps shared by several recipes: select the affected records, and correct a record."""

from __future__ import annotations

from collections.abc import Iterable

from rehearsal.builders import required_references
from rehearsal.issue_case import IssueCase, PendingRecord
from rehearsal.sandbox import ASSUMED_CALL, Sandbox
from sync_engine.device.edits import correct_refused_edit
from sync_engine.model import text

MARKER_FIELD = "rehearsal_mark__c"
"""A field that only the sandbox has, for causes whose field the store does not name."""


def correct_record(sandbox: Sandbox, row: PendingRecord, **fields: object) -> None:
    """Correct a refused record on the Errors tab, as its user would."""
    device, refused = sandbox.device(row.device), {entry.key for _, entry in sandbox.error_entries()}
    for key in [key for key in sandbox.upload_keys[row.key] if key in refused]:
        new_key = correct_refused_edit(device, key, sandbox.record_ids[row.key], fields)
        for keys in sandbox.upload_keys.values():
            if key in keys:
                keys.append(new_key)


def correct_assumed_call(sandbox: Sandbox, device: str, **fields: object) -> None:
    """Correct the assumed call of a device if Vault refused it."""
    key = (device, ASSUMED_CALL)
    for _, entry in sandbox.error_entries({key}):
        sandbox.upload_keys[key].append(
            correct_refused_edit(sandbox.device(device), entry.key, sandbox.record_ids[key], fields)
        )


def records_with_errors(sandbox: Sandbox, *operations: str) -> list[PendingRecord]:
    """Return the records named in the errors; all records of the issue if none is named."""
    rows = sandbox.issue_records(*operations)
    return [row for row in rows if row.has_issue_error] or rows


def reason_if_only_deletes(case: IssueCase, reason: str) -> str | None:
    """Return `reason` if the issue blocks only deletes, which the cause never refuses."""
    rows = [row for group in case.save_groups if group.from_issue for row in group.records]
    return reason if rows and all(row.operation == "delete" for row in rows) else None


def add_marker_field(sandbox: Sandbox) -> None:
    """Add MARKER_FIELD to the objects of the issue's records."""
    for name in sorted({row.object for row in sandbox.issue_records()}):
        definition = sandbox.vault.live["object"][name]
        sandbox.configure(
            "object", name, definition | {"fields": definition["fields"] | {MARKER_FIELD: text()}}
        )


def parent_references(sandbox: Sandbox) -> Iterable[tuple[PendingRecord, str, str]]:
    """Yield refused creates, each with its reference field and the referenced id."""
    for row in records_with_errors(sandbox, "create"):
        definition = sandbox.vault.live["object"][row.object]
        preferred = sandbox.case.field if sandbox.case.field in required_references(definition) else None
        for name in [preferred] if preferred else list(required_references(definition)):
            value = sandbox.written_fields[row.key].get(str(name))
            if isinstance(value, str) and not value.startswith("m-"):
                yield row, str(name), value
                break
