"""Causes that refuse records: each is planted by the very configuration or data that brings it about."""

from __future__ import annotations

import re
from collections.abc import Callable

from rehearsal.builders import a_field, a_value, references
from rehearsal.issue_case import Case, Row
from rehearsal.recipes.recipe import AGAIN, Recipe, Way, right_ways
from rehearsal.recipes.steps import MARK, add_mark, correct_row, named, only_creates_and_updates, parents
from rehearsal.sandbox import ELSEWHERE, TERRITORY, Stage
from sync_engine.device import errors_tab
from sync_engine.device.edits import Edit, save
from sync_engine.json_docs import JsonDict
from sync_engine.model import an_object, reference
from sync_engine.vault import admin

REFUSED, MENDED = "refused", "mended"
LINK = "rehearsal_link__c"
_RIGHT = {"create": "create", "update": "edit", "delete": "delete"}


def _field_permission(case: Case) -> Recipe:
    name, field = case.object or "account__v", case.field

    def put(stage: Stage, names: tuple[str, ...], allowed: bool) -> None:
        for row in {row.object: row for row in named(stage, "create", "update")}.values():
            wanted = field if row.object == name else None
            definition = stage.vault.live["object"][row.object]
            chosen = wanted if wanted and wanted in definition["fields"] else a_field(definition, None)
            for one in names:
                admin.set_field_right(stage.vault, one, row.object, chosen, "edit", allowed, at=stage.now)

    fix = f"Give Edit on {name}.{field or 'the field'} back"
    return Recipe(
        assumes=f"{case.shares}; only Edit on the field is missing there.",
        plant=lambda stage: put(stage, stage.permission_sets, False),
        ways=(*right_ways(case, fix, lambda s, names: put(s, names, True)), AGAIN),
        shape=_write_the_field,
    )


def _write_the_field(stage: Stage, row: Row, fields: JsonDict) -> JsonDict:
    """Make sure that a row writes the field that its errors name."""
    name = stage.case.field
    spec = stage.vault.live["object"][row.object]["fields"].get(name)
    if row.object != stage.case.object or spec is None or name in fields:
        return fields
    value = stage.found(spec["to"]) if spec["type"] == "reference" and spec["to"] != "user__sys" else None
    return fields | {str(name): value or a_value(spec, stage.number(), str(name))}


def _object_permission(case: Case) -> Recipe:
    def put(stage: Stage, names: tuple[str, ...], allowed: bool) -> None:
        for about, operation in sorted({(row.object, row.operation) for row in named(stage)}):
            for one in names:
                admin.set_object_right(stage.vault, one, about, _RIGHT[operation], allowed, at=stage.now)

    right, name = _RIGHT.get(case.operation or "", "the right").capitalize(), case.object or "the object"
    return Recipe(
        assumes=f"{case.shares}; only the right on the object is missing there.",
        plant=lambda stage: put(stage, stage.permission_sets, False),
        ways=(*right_ways(case, f"Give {right} on {name} back", lambda s, names: put(s, names, True)), AGAIN),
    )


def _validation_rule(case: Case) -> Recipe:
    found = re.search(r"\[(\w+)\]\s*$", case.message)
    rule = found.group(1) if found else "rehearsal_rule__c"

    def switch(stage: Stage, active: bool) -> None:
        for name in sorted({row.object for row in named(stage)}):
            doc = {"object": name, "active": active, "message": "Refused by the rule"}
            when = f"{MARK} = '{REFUSED}'"
            stage.configure("validation_rule", f"{rule}.{name}", doc | {"refuse_when": when})

    def correct(stage: Stage) -> None:
        for row in named(stage, "create", "update"):
            correct_row(stage, row, **{MARK: MENDED})

    return Recipe(
        assumes="What the rule asks for is not known to the store: it is rebuilt as a rule that refuses "
        "exactly these records because of one value.",
        before=add_mark,
        shape=lambda _, row, fields: fields | {MARK: REFUSED} if row.named else fields,
        plant=lambda stage: switch(stage, True),
        ways=(
            Way("Correct the records as the rule asks", "user", correct),
            Way(f"Switch the rule {rule} off", "admin", lambda s: switch(s, False)),
            AGAIN,
        ),
        unfit=lambda one: only_creates_and_updates(
            one, "A validation rule of the engine never refuses a delete."
        ),
    )


def _record_locked(_: Case) -> Recipe:
    def lockable(stage: Stage) -> None:
        for name in sorted({row.object for row in stage.rows()}):
            stage.configure("object", name, stage.vault.live["object"][name] | {"lockable": True})

    def change(stage: Stage, **fields: object) -> None:
        for row in named(stage, "update", "delete"):
            stage.story.change(stage.ids[row.key], **fields)

    return Recipe(
        assumes="Each record was submitted in Vault after the device had it, which locks it.",
        before=lockable,
        plant=lambda stage: change(stage, status__v="submitted__v"),
        ways=(Way("Unlock the records", "admin", lambda s: change(s, unlock__v=True)), AGAIN),
    )


def _concurrent_change(_: Case) -> Recipe:
    def empty(stage: Stage) -> None:
        """A field of two values can only meet a third one if it was empty when the device had it."""
        for row in named(stage, "update"):
            specs = stage.vault.live["object"][row.object]["fields"]
            name = a_field({"fields": specs}, stage.case.field)
            if specs[name]["type"] == "boolean" or len(specs[name].get("values", "any")) < 3:
                stage.story.change(stage.ids[row.key], **{name: None})

    def meet(stage: Stage) -> None:
        for row in named(stage, "update"):
            specs = stage.vault.live["object"][row.object]["fields"]
            for name, mine in stage.written[row.key].items():
                known = (mine, stage.held(row.device, stage.ids[row.key]).get(name))
                numbers = (stage.number() for _ in range(200))
                other = next((v for n in numbers if (v := a_value(specs[name], n, name)) not in known), None)
                stage.story.change(stage.ids[row.key], **{name: other})

    return Recipe(
        assumes="Somebody else changed the same fields in Vault after the device had the record; that "
        "conflicts are judged field by field is the engine's assumption.",
        before=empty,
        plant=meet,
        ways=(Way("Undo, sync, and enter the change again", "user", _enter_again), AGAIN),
        unfit=lambda case: (
            None
            if any(row.operation == "update" for one in case.saved if one.ours for row in one.rows)
            else "The engine knows conflicts of updates only, and no update is stuck here."
        ),
    )


def _enter_again(stage: Stage) -> None:
    rows = {(row.device, stage.ids[row.key]): row for row in stage.rows("update")}
    undone = []
    for name, entry in stage.entries():
        row = rows.get((name, entry.record_id))
        if row is not None and "undo" in entry.actions and _undo(stage, row, entry.key):
            undone.append(row)
    stage.sync()
    for row in undone:
        edit = Edit(
            operation="update", object=row.object, record_id=stage.ids[row.key], fields=stage.written[row.key]
        )
        stage.keys[row.key].append(save(stage.device(row.device), [edit]))


def _undo(stage: Stage, row: Row, key: str) -> bool:
    try:
        errors_tab.undo(stage.device(row.device), key)
    except ValueError:  # another upload of the record waits, which Undo does not allow
        return False
    return True


def _record_deleted(_: Case) -> Recipe:
    def remove(stage: Stage) -> None:
        for row in named(stage, "update", "delete"):
            stage.story.remove(stage.ids[row.key])
        for _, _, above in parents(stage):
            stage.story.remove(above)

    def restore(stage: Stage) -> None:
        for row in named(stage, "update", "delete"):
            stage.restore(stage.ids[row.key])
        for _, _, above in parents(stage):
            stage.restore(above)

    return Recipe(
        assumes="The record, or the record that a new one refers to, was deleted in Vault after the device "
        "had it; whether it can still be restored there is not known.",
        plant=remove,
        ways=(
            Way("Restore the deleted records in Vault", "admin", restore),
            Way("Choose an existing record instead", "user", _refer_elsewhere),
            AGAIN,
        ),
    )


def _refer_elsewhere(stage: Stage) -> None:
    for row, name, _ in list(parents(stage)):
        to = references(stage.vault.live["object"][row.object])[name]
        correct_row(stage, row, **{name: stage.found(to)})


def _delete_blocked(_: Case) -> Recipe:
    links: dict[str, str] = {}

    def link(stage: Stage) -> None:
        for name in sorted({row.object for row in stage.rows("delete")}):
            blocker = f"{name.removesuffix('__v').removesuffix('__c')}_{LINK}"
            fields = {"to__c": reference(name, required=True)}
            stage.configure("object", blocker, an_object(blocker, fields, parent="to__c"))
        for row in stage.rows("delete"):
            blocker = f"{row.object.removesuffix('__v').removesuffix('__c')}_{LINK}"
            links[row.record] = stage.story.record(blocker, to__c=stage.ids[row.key])

    def unlink(stage: Stage) -> None:
        for row in stage.rows("delete"):
            stage.story.remove(links[row.record])

    return Recipe(
        assumes="One record in Vault, which the device does not have, refers to each record to be deleted.",
        plant=link,
        ways=(Way("Delete the records that refer to them first", "admin", unlink), AGAIN),
        unfit=lambda case: (
            None
            if any(row.operation == "delete" for one in case.saved if one.ours for row in one.rows)
            else "No delete is stuck here."
        ),
    )


def _record_visibility(_: Case) -> Recipe:
    def place(stage: Stage, territory: str) -> None:
        for row in named(stage, "update", "delete"):
            stage.move(stage.ids[row.key], territory)
        for _, _, above in parents(stage):
            stage.move(above, territory)

    def strict(stage: Stage) -> None:
        admin.set_setting(stage.vault, "save_as_system", False, at=stage.now)

    def widen(stage: Stage) -> None:
        for device in stage.case.devices:
            stage.set_user(device, territories=[TERRITORY, ELSEWHERE])

    return Recipe(
        assumes="The records, or those that new ones refer to, moved to a territory that the users lack.",
        before=strict,
        plant=lambda stage: place(stage, ELSEWHERE),
        ways=(
            Way("Give the users the records' territory", "admin", widen),
            Way("Move the records back", "admin", lambda s: place(s, TERRITORY)),
            AGAIN,
        ),
    )


RECIPES: dict[str, Callable[[Case], Recipe]] = {
    "field-permission": _field_permission,
    "object-permission": _object_permission,
    "validation-rule": _validation_rule,
    "record-locked": _record_locked,
    "concurrent-change": _concurrent_change,
    "record-deleted": _record_deleted,
    "delete-blocked": _delete_blocked,
    "record-visibility": _record_visibility,
}
