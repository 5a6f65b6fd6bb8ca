"""Steps that several recipes share: which rows a cause touches, and a user who corrects one."""

from __future__ import annotations

from collections.abc import Iterable

from rehearsal.builders import references
from rehearsal.issue_case import Case, Row
from rehearsal.sandbox import ASSUMED, Stage
from sync_engine.device.edits import amend
from sync_engine.model import text

MARK = "rehearsal_mark__c"
"""A field of the rehearsal's own, for a cause whose field the store does not know."""


def correct_row(stage: Stage, row: Row, **fields: object) -> None:
    """The row's user corrects the refused record on the Errors tab."""
    device, refused = stage.device(row.device), {entry.key for _, entry in stage.entries()}
    for key in [one for one in stage.keys[row.key] if one in refused]:
        fresh = amend(device, key, stage.ids[row.key], fields)
        for keys in stage.keys.values():
            if key in keys:
                keys.append(fresh)


def correct_visit(stage: Stage, device: str, **fields: object) -> None:
    """The device's user corrects the call that was assumed, where Vault refused it."""
    key = (device, ASSUMED)
    for _, entry in stage.entries({key}):
        stage.keys[key].append(amend(stage.device(device), entry.key, stage.ids[key], fields))


def named(stage: Stage, *operations: str) -> list[Row]:
    """The rows that the errors name; of a case without such rows, all."""
    rows = stage.rows(*operations)
    return [row for row in rows if row.named] or rows


def only_creates_and_updates(case: Case, why: str) -> str | None:
    """The reason `why`, if nothing but deletes is stuck, which this cause never refuses."""
    rows = [row for one in case.saved if one.ours for row in one.rows]
    return why if rows and all(row.operation == "delete" for row in rows) else None


def add_mark(stage: Stage) -> None:
    """Give the objects of the issue's records the field MARK."""
    for name in sorted({row.object for row in stage.rows()}):
        definition = stage.vault.live["object"][name]
        stage.configure("object", name, definition | {"fields": definition["fields"] | {MARK: text()}})


def parents(stage: Stage) -> Iterable[tuple[Row, str, str]]:
    """For each refused create, the field that names the record it hangs on, and that record in the Vault."""
    for row in named(stage, "create"):
        definition = stage.vault.live["object"][row.object]
        wished = stage.case.field if stage.case.field in references(definition) else None
        for name in [wished] if wished else list(references(definition)):
            value = stage.written[row.key].get(str(name))
            if isinstance(value, str) and not value.startswith("m-"):
                yield row, str(name), value
                break
