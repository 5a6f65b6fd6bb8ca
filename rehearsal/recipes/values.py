"""Causes that lie in a value or in what the Vault makes of it: fields, picklists, references, triggers."""

from __future__ import annotations

from collections.abc import Callable

from rehearsal.builders import a_value, references
from rehearsal.issue_case import Case, Row
from rehearsal.recipes.recipe import AGAIN, Recipe, Way
from rehearsal.recipes.steps import MARK, add_mark, correct_row, named, only_creates_and_updates, parents
from rehearsal.sandbox import Stage
from sync_engine.json_docs import JsonDict
from sync_engine.model import text


def _required_field(case: Case) -> Recipe:
    def needed(stage: Stage, row: Row) -> str:
        fields = stage.vault.live["object"][row.object]["fields"]
        named = case.field if row.object == case.object else None
        return named if named and named in fields else MARK

    def leave_out(stage: Stage, row: Row, fields: JsonDict) -> JsonDict:
        return {n: v for n, v in fields.items() if n != needed(stage, row)} if row.named else fields

    def demand(stage: Stage, required: bool) -> None:
        for row in named(stage, "create", "update"):
            stage.spec(row.object, needed(stage, row), required=required)
            if required and row.operation == "update":
                stage.story.change(stage.ids[row.key], **{needed(stage, row): None})

    def fill(stage: Stage) -> None:
        for row in named(stage, "create", "update"):
            name = needed(stage, row)
            spec = stage.vault.live["object"][row.object]["fields"][name]
            value = stage.found(spec["to"]) if spec["type"] == "reference" else a_value(spec, 1, name)
            correct_row(stage, row, **{name: value})

    field = case.field or "the field"
    return Recipe(
        assumes="The field became required after the device had the object's definition.",
        before=add_mark,
        shape=leave_out,
        plant=lambda stage: demand(stage, True),
        ways=(
            Way(f"Fill in {field}", "user", fill),
            Way(f"Make {field} optional", "admin", lambda s: demand(s, False)),
            AGAIN,
        ),
        unfit=lambda one: only_creates_and_updates(one, "A delete lacks no field."),
    )


def _picklist_value(case: Case) -> Recipe:
    def chosen(stage: Stage, row: Row) -> str:
        fields = stage.vault.live["object"][row.object]["fields"]
        named = case.field if row.object == case.object else None
        return str(named) if named in fields and fields[named]["type"] == "picklist" else MARK

    def lists(stage: Stage) -> None:
        add_mark(stage)
        for row in stage.rows():
            fields = stage.vault.live["object"][row.object]["fields"]
            name = case.field if row.object == case.object and case.field in fields else MARK
            kept = fields[name].get("values") or ["kept__c"]
            stage.spec(row.object, str(name), type="picklist", values=[*kept, "retired__c"])

    def allow(stage: Stage, allowed: bool) -> None:
        for row in named(stage, "create", "update"):
            name = chosen(stage, row)
            values = stage.vault.live["object"][row.object]["fields"][name]["values"]
            kept = [value for value in values if value != "retired__c"]
            stage.spec(row.object, name, values=[*kept, "retired__c"] if allowed else kept)

    def choose(stage: Stage) -> None:
        for row in named(stage, "create", "update"):
            name = chosen(stage, row)
            value = stage.vault.live["object"][row.object]["fields"][name]["values"][0]
            correct_row(stage, row, **{name: value})

    about = f" of {case.field}" if case.field else ""
    return Recipe(
        assumes="The value was taken off the picklist after the device had it; it goes by another name here.",
        before=lists,
        shape=lambda stage, row, fields: fields | {chosen(stage, row): "retired__c"} if row.named else fields,
        plant=lambda stage: allow(stage, False),
        ways=(
            Way(f"Put the value back on the picklist{about}", "admin", lambda s: allow(s, True)),
            Way(f"Choose a value{about} that is still there", "user", choose),
            AGAIN,
        ),
        unfit=lambda one: only_creates_and_updates(one, "A delete holds no value."),
    )


def _schema_mismatch(case: Case) -> Recipe:
    gone = case.field or MARK
    removed: dict[str, JsonDict] = {}

    def add(stage: Stage) -> None:
        for name in sorted({row.object for row in named(stage, "create", "update")}):
            definition = stage.vault.live["object"][name]
            fields = {gone: text()} | definition["fields"]
            stage.configure("object", name, definition | {"fields": fields})

    def write(stage: Stage, row: Row, fields: JsonDict) -> JsonDict:
        spec = stage.vault.live["object"][row.object]["fields"].get(gone)
        missing = row.named and spec is not None and gone not in fields and spec["type"] != "reference"
        return fields | {gone: a_value(spec, stage.number(), gone)} if missing and spec else fields

    def remove(stage: Stage) -> None:
        for name in sorted({row.object for row in named(stage, "create", "update")}):
            definition = removed[name] = stage.vault.live["object"][name]
            fields = {field: spec for field, spec in definition["fields"].items() if field != gone}
            stage.configure("object", name, definition | {"fields": fields})

    def restore(stage: Stage) -> None:
        for name, definition in removed.items():
            stage.configure("object", name, definition)

    return Recipe(
        assumes="The field was removed from the object after the device had it.",
        before=add,
        shape=write,
        plant=remove,
        ways=(Way(f"Bring the field {gone} back", "admin", restore), AGAIN),
        unfit=lambda one: only_creates_and_updates(one, "A delete names no field."),
    )


def _server_automation(_: Case) -> Recipe:
    def switch(stage: Stage, active: bool) -> None:
        for name in sorted({row.object for row in named(stage, "create", "update")}):
            stage.configure("trigger", name, {"active": active, "message": "The trigger failed"})

    return Recipe(
        assumes="The failing trigger refuses every create and update of the object.",
        plant=lambda stage: switch(stage, True),
        ways=(Way("Roll the failing trigger back", "developer", lambda s: switch(s, False)), AGAIN),
        unfit=lambda one: only_creates_and_updates(one, "The engine runs no trigger on a delete."),
    )


def _invalid_reference(case: Case) -> Recipe:
    def spoil(stage: Stage, row: Row, fields: JsonDict) -> JsonDict:
        known = references(stage.vault.live["object"][row.object])
        name = case.field if case.field in known else next(iter(known), None)
        return fields | {name: "undefined"} if row.named and name else fields

    def choose(stage: Stage) -> None:
        for row, name, _ in list(parents(stage)):
            correct_row(
                stage, row, **{name: stage.found(references(stage.vault.live["object"][row.object])[name])}
            )

    return Recipe(
        assumes="The device wrote a text into the reference that is no id.",
        shape=spoil,
        plant=lambda _: None,
        ways=(Way("Choose the reference again on the device", "user", choose), AGAIN),
        unfit=lambda one: (
            None
            if any(row.operation == "create" for saved in one.saved if saved.ours for row in saved.rows)
            else "Only references of new records are rebuilt, and none is stuck here."
        ),
    )


RECIPES: dict[str, Callable[[Case], Recipe]] = {
    "required-field": _required_field,
    "picklist-value": _picklist_value,
    "schema-mismatch": _schema_mismatch,
    "server-automation": _server_automation,
    "invalid-reference": _invalid_reference,
}
