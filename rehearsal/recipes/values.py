"""Causes that lie in a value or in what the Vault makes of it: fields, picklists, references, triggers."""

from __future__ import annotations

from collections.abc import Callable

from rehearsal.builders import make_value, required_references
from rehearsal.issue_case import IssueCase, PendingRecord
from rehearsal.recipes.recipe import SYNC_AGAIN, Fix, Recipe
from rehearsal.recipes.steps import (
    MARKER_FIELD,
    add_marker_field,
    correct_record,
    parent_references,
    reason_if_only_deletes,
    records_with_errors,
)
from rehearsal.sandbox import Sandbox
from sync_engine.json_docs import JsonDict
from sync_engine.model import text


def _required_field(case: IssueCase) -> Recipe:
    def needed(sandbox: Sandbox, row: PendingRecord) -> str:
        fields = sandbox.vault.live["object"][row.object]["fields"]
        named = case.field if row.object == case.object else None
        return named if named and named in fields else MARKER_FIELD

    def leave_out(sandbox: Sandbox, row: PendingRecord, fields: JsonDict) -> JsonDict:
        return (
            {n: v for n, v in fields.items() if n != needed(sandbox, row)} if row.has_issue_error else fields
        )

    def demand(sandbox: Sandbox, required: bool) -> None:
        for row in records_with_errors(sandbox, "create", "update"):
            sandbox.change_field(row.object, needed(sandbox, row), required=required)
            if required and row.operation == "update":
                sandbox.lab.change(sandbox.record_ids[row.key], **{needed(sandbox, row): None})

    def fill(sandbox: Sandbox) -> None:
        for row in records_with_errors(sandbox, "create", "update"):
            name = needed(sandbox, row)
            spec = sandbox.vault.live["object"][row.object]["fields"][name]
            value = (
                sandbox.create_record(spec["to"])
                if spec["type"] == "reference"
                else make_value(spec, 1, name)
            )
            correct_record(sandbox, row, **{name: value})

    field = case.field or "the field"
    return Recipe(
        assumption="The field became required after the device had the object's definition.",
        prepare=add_marker_field,
        shape_fields=leave_out,
        inject_fault=lambda sandbox: demand(sandbox, True),
        fixes=(
            Fix(f"Fill in {field}", "user", fill),
            Fix(f"Make {field} optional", "admin", lambda s: demand(s, False)),
            SYNC_AGAIN,
        ),
        skip_reason=lambda one: reason_if_only_deletes(one, "A delete lacks no field."),
    )


def _picklist_value(case: IssueCase) -> Recipe:
    def chosen(sandbox: Sandbox, row: PendingRecord) -> str:
        fields = sandbox.vault.live["object"][row.object]["fields"]
        named = case.field if row.object == case.object else None
        return str(named) if named in fields and fields[named]["type"] == "picklist" else MARKER_FIELD

    def lists(sandbox: Sandbox) -> None:
        add_marker_field(sandbox)
        for row in sandbox.issue_records():
            fields = sandbox.vault.live["object"][row.object]["fields"]
            name = case.field if row.object == case.object and case.field in fields else MARKER_FIELD
            kept = fields[name].get("values") or ["kept__c"]
            sandbox.change_field(row.object, str(name), type="picklist", values=[*kept, "retired__c"])

    def allow(sandbox: Sandbox, allowed: bool) -> None:
        for row in records_with_errors(sandbox, "create", "update"):
            name = chosen(sandbox, row)
            values = sandbox.vault.live["object"][row.object]["fields"][name]["values"]
            kept = [value for value in values if value != "retired__c"]
            sandbox.change_field(row.object, name, values=[*kept, "retired__c"] if allowed else kept)

    def choose(sandbox: Sandbox) -> None:
        for row in records_with_errors(sandbox, "create", "update"):
            name = chosen(sandbox, row)
            value = sandbox.vault.live["object"][row.object]["fields"][name]["values"][0]
            correct_record(sandbox, row, **{name: value})

    about = f" of {case.field}" if case.field else ""
    return Recipe(
        assumption="The value was taken off the picklist after the device had it; it goes by another name here.",
        prepare=lists,
        shape_fields=lambda sandbox, row, fields: (
            fields | {chosen(sandbox, row): "retired__c"} if row.has_issue_error else fields
        ),
        inject_fault=lambda sandbox: allow(sandbox, False),
        fixes=(
            Fix(f"Put the value back on the picklist{about}", "admin", lambda s: allow(s, True)),
            Fix(f"Choose a value{about} that is still there", "user", choose),
            SYNC_AGAIN,
        ),
        skip_reason=lambda one: reason_if_only_deletes(one, "A delete holds no value."),
    )


def _schema_mismatch(case: IssueCase) -> Recipe:
    gone = case.field or MARKER_FIELD
    removed: dict[str, JsonDict] = {}

    def add(sandbox: Sandbox) -> None:
        for name in sorted({row.object for row in records_with_errors(sandbox, "create", "update")}):
            definition = sandbox.vault.live["object"][name]
            fields = {gone: text()} | definition["fields"]
            sandbox.configure("object", name, definition | {"fields": fields})

    def write(sandbox: Sandbox, row: PendingRecord, fields: JsonDict) -> JsonDict:
        spec = sandbox.vault.live["object"][row.object]["fields"].get(gone)
        missing = (
            row.has_issue_error and spec is not None and gone not in fields and spec["type"] != "reference"
        )
        return fields | {gone: make_value(spec, sandbox.next_number(), gone)} if missing and spec else fields

    def remove(sandbox: Sandbox) -> None:
        for name in sorted({row.object for row in records_with_errors(sandbox, "create", "update")}):
            definition = removed[name] = sandbox.vault.live["object"][name]
            fields = {field: spec for field, spec in definition["fields"].items() if field != gone}
            sandbox.configure("object", name, definition | {"fields": fields})

    def restore(sandbox: Sandbox) -> None:
        for name, definition in removed.items():
            sandbox.configure("object", name, definition)

    return Recipe(
        assumption="The field was removed from the object after the device had it.",
        prepare=add,
        shape_fields=write,
        inject_fault=remove,
        fixes=(Fix(f"Bring the field {gone} back", "admin", restore), SYNC_AGAIN),
        skip_reason=lambda one: reason_if_only_deletes(one, "A delete names no field."),
    )


def _server_automation(_: IssueCase) -> Recipe:
    def switch(sandbox: Sandbox, active: bool) -> None:
        for name in sorted({row.object for row in records_with_errors(sandbox, "create", "update")}):
            sandbox.configure("trigger", name, {"active": active, "message": "The trigger failed"})

    return Recipe(
        assumption="The failing trigger refuses every create and update of the object.",
        inject_fault=lambda sandbox: switch(sandbox, True),
        fixes=(Fix("Roll the failing trigger back", "developer", lambda s: switch(s, False)), SYNC_AGAIN),
        skip_reason=lambda one: reason_if_only_deletes(one, "The engine runs no trigger on a delete."),
    )


def _invalid_reference(case: IssueCase) -> Recipe:
    def spoil(sandbox: Sandbox, row: PendingRecord, fields: JsonDict) -> JsonDict:
        known = required_references(sandbox.vault.live["object"][row.object])
        name = case.field if case.field in known else next(iter(known), None)
        return fields | {name: "undefined"} if row.has_issue_error and name else fields

    def choose(sandbox: Sandbox) -> None:
        for row, name, _ in list(parent_references(sandbox)):
            correct_record(
                sandbox,
                row,
                **{
                    name: sandbox.create_record(
                        required_references(sandbox.vault.live["object"][row.object])[name]
                    )
                },
            )

    return Recipe(
        assumption="The device wrote a text into the reference that is no id.",
        shape_fields=spoil,
        inject_fault=lambda _: None,
        fixes=(Fix("Choose the reference again on the device", "user", choose), SYNC_AGAIN),
        skip_reason=lambda one: (
            None
            if any(
                row.operation == "create"
                for saved in one.save_groups
                if saved.from_issue
                for row in saved.records
            )
            else "Only references of new records are rebuilt, and none is stuck here."
        ),
    )


RECIPES: dict[str, Callable[[IssueCase], Recipe]] = {
    "required-field": _required_field,
    "picklist-value": _picklist_value,
    "schema-mismatch": _schema_mismatch,
    "server-automation": _server_automation,
    "invalid-reference": _invalid_reference,
}
