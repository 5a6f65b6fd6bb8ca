"""Recipes for values that Vault refuses: fields, picklists, references, and triggers."""

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
    def field_of(sandbox: Sandbox, row: PendingRecord) -> str:
        fields = sandbox.vault.live["object"][row.object]["fields"]
        named = case.field if row.object == case.object else None
        return named if named and named in fields else MARKER_FIELD

    def leave_out(sandbox: Sandbox, row: PendingRecord, fields: JsonDict) -> JsonDict:
        return (
            {name: value for name, value in fields.items() if name != field_of(sandbox, row)}
            if row.has_issue_error
            else fields
        )

    def set_required(sandbox: Sandbox, required: bool) -> None:
        for row in records_with_errors(sandbox, "create", "update"):
            sandbox.change_field(row.object, field_of(sandbox, row), required=required)
            if required and row.operation == "update":
                sandbox.lab.change_in_vault(sandbox.record_ids[row.key], **{field_of(sandbox, row): None})

    def fill(sandbox: Sandbox) -> None:
        for row in records_with_errors(sandbox, "create", "update"):
            name = field_of(sandbox, row)
            spec = sandbox.vault.live["object"][row.object]["fields"][name]
            value = (
                sandbox.create_record(spec["to"])
                if spec["type"] == "reference"
                else make_value(spec, 1, name)
            )
            correct_record(sandbox, row, **{name: value})

    field = case.field or "the field"
    return Recipe(
        assumption="The field became required after the device downloaded the object definition.",
        prepare=add_marker_field,
        shape_fields=leave_out,
        inject_fault=lambda sandbox: set_required(sandbox, True),
        fixes=(
            Fix(f"Fill in {field}", "user", fill),
            Fix(f"Make {field} optional", "admin", lambda s: set_required(s, False)),
            SYNC_AGAIN,
        ),
        skip_reason=lambda case: reason_if_only_deletes(case, "A delete needs no field."),
    )


def _picklist_value(case: IssueCase) -> Recipe:
    def picklist_of(sandbox: Sandbox, row: PendingRecord) -> str:
        fields = sandbox.vault.live["object"][row.object]["fields"]
        named = case.field if row.object == case.object else None
        return str(named) if named in fields and fields[named]["type"] == "picklist" else MARKER_FIELD

    def add_value(sandbox: Sandbox) -> None:
        add_marker_field(sandbox)
        for row in sandbox.issue_records():
            fields = sandbox.vault.live["object"][row.object]["fields"]
            name = case.field if row.object == case.object and case.field in fields else MARKER_FIELD
            values = fields[name].get("values") or ["active__c"]
            sandbox.change_field(row.object, str(name), type="picklist", values=[*values, "retired__c"])

    def set_allowed(sandbox: Sandbox, allowed: bool) -> None:
        for row in records_with_errors(sandbox, "create", "update"):
            name = picklist_of(sandbox, row)
            values = sandbox.vault.live["object"][row.object]["fields"][name]["values"]
            active = [value for value in values if value != "retired__c"]
            sandbox.change_field(row.object, name, values=[*active, "retired__c"] if allowed else active)

    def choose(sandbox: Sandbox) -> None:
        for row in records_with_errors(sandbox, "create", "update"):
            name = picklist_of(sandbox, row)
            value = sandbox.vault.live["object"][row.object]["fields"][name]["values"][0]
            correct_record(sandbox, row, **{name: value})

    suffix = f" of {case.field}" if case.field else ""
    return Recipe(
        assumption="The value was removed from the picklist after the device downloaded it; a placeholder is used.",
        prepare=add_value,
        shape_fields=lambda sandbox, row, fields: (
            fields | {picklist_of(sandbox, row): "retired__c"} if row.has_issue_error else fields
        ),
        inject_fault=lambda sandbox: set_allowed(sandbox, False),
        fixes=(
            Fix(f"Restore the value in the picklist{suffix}", "admin", lambda s: set_allowed(s, True)),
            Fix(f"Select an active value{suffix}", "user", choose),
            SYNC_AGAIN,
        ),
        skip_reason=lambda case: reason_if_only_deletes(case, "A delete contains no value."),
    )


def _schema_mismatch(case: IssueCase) -> Recipe:
    removed_field = case.field or MARKER_FIELD
    definitions: dict[str, JsonDict] = {}

    def add(sandbox: Sandbox) -> None:
        for name in sorted({row.object for row in records_with_errors(sandbox, "create", "update")}):
            definition = sandbox.vault.live["object"][name]
            fields = {removed_field: text()} | definition["fields"]
            sandbox.configure("object", name, definition | {"fields": fields})

    def write(sandbox: Sandbox, row: PendingRecord, fields: JsonDict) -> JsonDict:
        spec = sandbox.vault.live["object"][row.object]["fields"].get(removed_field)
        missing = (
            row.has_issue_error
            and spec is not None
            and removed_field not in fields
            and spec["type"] != "reference"
        )
        return (
            fields | {removed_field: make_value(spec, sandbox.next_number(), removed_field)}
            if missing and spec
            else fields
        )

    def remove(sandbox: Sandbox) -> None:
        for name in sorted({row.object for row in records_with_errors(sandbox, "create", "update")}):
            definition = definitions[name] = sandbox.vault.live["object"][name]
            fields = {field: spec for field, spec in definition["fields"].items() if field != removed_field}
            sandbox.configure("object", name, definition | {"fields": fields})

    def restore(sandbox: Sandbox) -> None:
        for name, definition in definitions.items():
            sandbox.configure("object", name, definition)

    return Recipe(
        assumption="The field was removed from the object after the device downloaded the definition.",
        prepare=add,
        shape_fields=write,
        inject_fault=remove,
        fixes=(Fix(f"Restore the field {removed_field}", "admin", restore), SYNC_AGAIN),
        skip_reason=lambda case: reason_if_only_deletes(case, "A delete contains no field."),
    )


def _server_automation(_: IssueCase) -> Recipe:
    def set_trigger(sandbox: Sandbox, active: bool) -> None:
        for name in sorted({row.object for row in records_with_errors(sandbox, "create", "update")}):
            sandbox.configure("trigger", name, {"active": active, "message": "The trigger failed"})

    return Recipe(
        assumption="The failing trigger refuses every create and update of the object.",
        inject_fault=lambda sandbox: set_trigger(sandbox, True),
        fixes=(
            Fix("Roll back the failing trigger", "developer", lambda s: set_trigger(s, False)),
            SYNC_AGAIN,
        ),
        skip_reason=lambda case: reason_if_only_deletes(
            case, "Triggers in the engine do not run on deletes."
        ),
    )


def _invalid_reference(case: IssueCase) -> Recipe:
    def write_invalid(sandbox: Sandbox, row: PendingRecord, fields: JsonDict) -> JsonDict:
        targets = required_references(sandbox.vault.live["object"][row.object])
        name = case.field if case.field in targets else next(iter(targets), None)
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
        assumption="The device wrote text instead of a record id into the reference.",
        shape_fields=write_invalid,
        inject_fault=lambda _: None,
        fixes=(Fix("Select the reference again on the device", "user", choose), SYNC_AGAIN),
        skip_reason=lambda case: (
            None
            if any(
                row.operation == "create"
                for group in case.save_groups
                if group.from_issue
                for row in group.records
            )
            else "Only references of new records are reproduced, and this issue blocks no new record."
        ),
    )


RECIPES: dict[str, Callable[[IssueCase], Recipe]] = {
    "required-field": _required_field,
    "picklist-value": _picklist_value,
    "schema-mismatch": _schema_mismatch,
    "server-automation": _server_automation,
    "invalid-reference": _invalid_reference,
}
