"""Recipes for causes that refuse single records, reproduced by configuration or data in Vault."""

from __future__ import annotations

import re
from collections.abc import Callable

from rehearsal.builders import make_value, required_references, writable_field
from rehearsal.issue_case import IssueCase, PendingRecord
from rehearsal.recipes.recipe import SYNC_AGAIN, Fix, Recipe, permission_fixes
from rehearsal.recipes.steps import (
    MARKER_FIELD,
    add_marker_field,
    correct_record,
    parent_references,
    reason_if_only_deletes,
    records_with_errors,
)
from rehearsal.sandbox import OTHER_TERRITORY, TERRITORY, Sandbox
from sync_engine.device import errors_tab
from sync_engine.device.edits import Edit, save
from sync_engine.json_docs import JsonDict
from sync_engine.model import object_definition, reference
from sync_engine.vault import admin

REFUSED, CORRECTED = "refused", "corrected"
LINK_SUFFIX = "rehearsal_link__c"
ACCOUNT, MERGE_SETTING = "account__v", "disable_veeva_merge__v"
_RIGHT_FOR_OPERATION = {"create": "create", "update": "edit", "delete": "delete"}

_LOCK = re.compile(
    r"lock_row|exclusive access|deadlock|(row|record)[_ ]lock|locked by another", re.IGNORECASE
)
"""Messages about a lock that another transaction holds for a short time, as databases report them."""


def _field_permission(case: IssueCase) -> Recipe:
    name, field = case.object or "account__v", case.field

    def set_permission(sandbox: Sandbox, names: tuple[str, ...], allowed: bool) -> None:
        for row in {row.object: row for row in records_with_errors(sandbox, "create", "update")}.values():
            issue_field = field if row.object == name else None
            definition = sandbox.vault.live["object"][row.object]
            field_name = (
                issue_field
                if issue_field and issue_field in definition["fields"]
                else writable_field(definition, None)
            )
            for permission_set in names:
                admin.set_field_permission(
                    sandbox.vault, permission_set, row.object, field_name, "edit", allowed, at=sandbox.now
                )

    fix = f"Grant Edit on {name}.{field or 'the field'}"
    return Recipe(
        assumption=f"{case.permission_set_assumption}; only Edit permission on the field is missing.",
        inject_fault=lambda sandbox: set_permission(sandbox, sandbox.permission_sets, False),
        fixes=(*permission_fixes(case, fix, lambda s, names: set_permission(s, names, True)), SYNC_AGAIN),
        shape_fields=_write_issue_field,
    )


def _write_issue_field(sandbox: Sandbox, row: PendingRecord, fields: JsonDict) -> JsonDict:
    """Add the field named in the errors to the written fields."""
    name = sandbox.case.field
    spec = sandbox.vault.live["object"][row.object]["fields"].get(name)
    if row.object != sandbox.case.object or spec is None or name in fields:
        return fields
    value = (
        sandbox.create_record(spec["to"])
        if spec["type"] == "reference" and spec["to"] != "user__sys"
        else None
    )
    return fields | {str(name): value or make_value(spec, sandbox.next_number(), str(name))}


def _object_permission(case: IssueCase) -> Recipe:
    def set_permission(sandbox: Sandbox, names: tuple[str, ...], allowed: bool) -> None:
        for object_name, operation in sorted(
            {(row.object, row.operation) for row in records_with_errors(sandbox)}
        ):
            for permission_set in names:
                admin.set_object_permission(
                    sandbox.vault,
                    permission_set,
                    object_name,
                    _RIGHT_FOR_OPERATION[operation],
                    allowed,
                    at=sandbox.now,
                )

    permission, name = (
        _RIGHT_FOR_OPERATION.get(case.operation or "", "the permission").capitalize(),
        case.object or "the object",
    )
    return Recipe(
        assumption=f"{case.permission_set_assumption}; only the permission on the object is missing.",
        inject_fault=lambda sandbox: set_permission(sandbox, sandbox.permission_sets, False),
        fixes=(
            *permission_fixes(
                case, f"Grant {permission} on {name}", lambda s, names: set_permission(s, names, True)
            ),
            SYNC_AGAIN,
        ),
    )


def _validation_rule(case: IssueCase) -> Recipe:
    match = re.search(r"\[(\w+)\]\s*$", case.message)
    rule = match.group(1) if match else "rehearsal_rule__c"

    def switch(sandbox: Sandbox, active: bool) -> None:
        for name in sorted({row.object for row in records_with_errors(sandbox)}):
            doc = {"object": name, "active": active, "message": "Refused by the validation rule"}
            when = f"{MARKER_FIELD} = '{REFUSED}'"
            sandbox.configure("validation_rule", f"{rule}.{name}", doc | {"refuse_when": when})

    def correct(sandbox: Sandbox) -> None:
        for row in records_with_errors(sandbox, "create", "update"):
            correct_record(sandbox, row, **{MARKER_FIELD: CORRECTED})

    return Recipe(
        assumption="The store does not contain the condition of the rule: it is reproduced as a rule that refuses "
        "exactly these records because of one value.",
        prepare=add_marker_field,
        shape_fields=lambda _, row, fields: (
            fields | {MARKER_FIELD: REFUSED} if row.has_issue_error else fields
        ),
        inject_fault=lambda sandbox: switch(sandbox, True),
        fixes=(
            Fix("Correct the records as the rule requires", "user", correct),
            Fix(f"Deactivate the rule {rule}", "admin", lambda s: switch(s, False)),
            SYNC_AGAIN,
        ),
        skip_reason=lambda case: reason_if_only_deletes(
            case, "Validation rules in the engine never refuse a delete."
        ),
    )


def _record_locked(_: IssueCase) -> Recipe:
    def make_lockable(sandbox: Sandbox) -> None:
        for name in sorted({row.object for row in sandbox.issue_records()}):
            sandbox.configure("object", name, sandbox.vault.live["object"][name] | {"lockable": True})

    def change(sandbox: Sandbox, **fields: object) -> None:
        for row in records_with_errors(sandbox, "update", "delete"):
            sandbox.lab.change_in_vault(sandbox.record_ids[row.key], **fields)

    return Recipe(
        assumption="Each record was submitted, and so locked, in Vault after the device downloaded it.",
        prepare=make_lockable,
        inject_fault=lambda sandbox: change(sandbox, status__v="submitted__v"),
        fixes=(Fix("Unlock the records", "admin", lambda s: change(s, unlock__v=True)), SYNC_AGAIN),
    )


def _concurrent_change(_: IssueCase) -> Recipe:
    def clear_fields(sandbox: Sandbox) -> None:
        """Clear fields that have fewer than three possible values.

        Otherwise no value in Vault could differ from both the old and the new one.
        """
        for row in records_with_errors(sandbox, "update"):
            specs = sandbox.vault.live["object"][row.object]["fields"]
            name = writable_field({"fields": specs}, sandbox.case.field)
            if specs[name]["type"] == "boolean" or len(specs[name].get("values", "any")) < 3:
                sandbox.lab.change_in_vault(sandbox.record_ids[row.key], **{name: None})

    def change_in_vault(sandbox: Sandbox) -> None:
        for row in records_with_errors(sandbox, "update"):
            specs = sandbox.vault.live["object"][row.object]["fields"]
            for name, value in sandbox.written_fields[row.key].items():
                used_values = (
                    value,
                    sandbox.downloaded_record(row.device, sandbox.record_ids[row.key]).get(name),
                )
                numbers = (sandbox.next_number() for _ in range(200))
                different_value = next(
                    (
                        new
                        for number in numbers
                        if (new := make_value(specs[name], number, name)) not in used_values
                    ),
                    None,
                )
                sandbox.lab.change_in_vault(sandbox.record_ids[row.key], **{name: different_value})

    return Recipe(
        assumption="Another user changed the same fields in Vault after the device downloaded the record. The engine "
        "assumes that conflicts are detected field by field.",
        prepare=clear_fields,
        inject_fault=change_in_vault,
        fixes=(Fix("Undo, sync, and enter the change again", "user", _enter_again), SYNC_AGAIN),
        skip_reason=_skip_conflict,
    )


def _skip_conflict(case: IssueCase) -> str | None:
    if _LOCK.search(f"{case.error_type} {case.message}"):
        return (
            "The record was locked by another transaction for a short time. The engine has conflicts of field "
            "values, but no such locks, so its result would not apply. Sync again after some minutes, as the "
            "playbook describes."
        )
    is_update = any(
        row.operation == "update" for group in case.save_groups if group.from_issue for row in group.records
    )
    return (
        None if is_update else "The engine has conflicts for updates only, and this issue blocks no update."
    )


def _enter_again(sandbox: Sandbox) -> None:
    rows = {(row.device, sandbox.record_ids[row.key]): row for row in sandbox.issue_records("update")}
    undone = []
    for name, entry in sandbox.error_entries():
        row = rows.get((name, entry.record_id))
        if row is not None and "undo" in entry.actions and _undo(sandbox, row, entry.key):
            undone.append(row)
    sandbox.sync()
    for row in undone:
        edit = Edit(
            operation="update",
            object=row.object,
            record_id=sandbox.record_ids[row.key],
            fields=sandbox.written_fields[row.key],
        )
        sandbox.upload_keys[row.key].append(save(sandbox.device(row.device), [edit]))


def _undo(sandbox: Sandbox, row: PendingRecord, key: str) -> bool:
    try:
        errors_tab.undo(sandbox.device(row.device), key)
    except ValueError:  # not allowed while another upload of the record is pending
        return False
    return True


def _record_deleted(case: IssueCase) -> Recipe:
    def missing_ids(sandbox: Sandbox) -> set[str]:
        records = {sandbox.record_ids[row.key] for row in records_with_errors(sandbox, "update", "delete")}
        return records | {parent_id for _, _, parent_id in parent_references(sandbox)}

    def remove(sandbox: Sandbox) -> None:
        for record_id in sorted(missing_ids(sandbox)):
            if case.has_merge and sandbox.is_record_of(ACCOUNT, record_id):
                winner = sandbox.create_record(ACCOUNT)
                admin.merge_accounts(sandbox.vault, record_id, winner, at=sandbox.now)
            else:
                sandbox.lab.delete_in_vault(record_id)

    def restore(sandbox: Sandbox) -> None:
        for record_id in sorted(missing_ids(sandbox)):
            sandbox.restore_record(record_id)

    def set_merge_processing(sandbox: Sandbox, enabled: bool) -> None:
        admin.set_setting(sandbox.vault, MERGE_SETTING, not enabled, at=sandbox.now)

    follow = Fix(
        f"Set {MERGE_SETTING} to false, so that a sync moves the records to the winning account",
        "admin",
        lambda sandbox: set_merge_processing(sandbox, True),
    )
    merged = "The records, or accounts that new ones refer to, were merged in Vault, whose merge processing is off."
    deleted = "The record, or a record that a new one refers to, was deleted in Vault after the device downloaded it."
    cause = merged if case.has_merge else deleted
    return Recipe(
        assumption=f"{cause} The store does not show whether it can still be restored.",
        prepare=lambda sandbox: set_merge_processing(sandbox, False) if case.has_merge else None,
        inject_fault=remove,
        fixes=(
            *((follow,) if case.has_merge else ()),
            Fix("Restore the deleted records in Vault", "admin", restore),
            Fix("Select an existing record instead", "user", _choose_existing_record),
            SYNC_AGAIN,
        ),
    )


def _choose_existing_record(sandbox: Sandbox) -> None:
    for row, name, _ in list(parent_references(sandbox)):
        target = required_references(sandbox.vault.live["object"][row.object])[name]
        correct_record(sandbox, row, **{name: sandbox.create_record(target)})


def _delete_blocked(_: IssueCase) -> Recipe:
    links: dict[str, str] = {}

    def link(sandbox: Sandbox) -> None:
        for name in sorted({row.object for row in sandbox.issue_records("delete")}):
            blocker = f"{name.removesuffix('__v').removesuffix('__c')}_{LINK_SUFFIX}"
            fields = {"to__c": reference(name, required=True)}
            sandbox.configure("object", blocker, object_definition(blocker, fields, parent="to__c"))
        for row in sandbox.issue_records("delete"):
            blocker = f"{row.object.removesuffix('__v').removesuffix('__c')}_{LINK_SUFFIX}"
            links[row.record] = sandbox.lab.add_record(blocker, to__c=sandbox.record_ids[row.key])

    def unlink(sandbox: Sandbox) -> None:
        for row in sandbox.issue_records("delete"):
            sandbox.lab.delete_in_vault(links[row.record])

    return Recipe(
        assumption="One record in Vault, which is not on the device, refers to each record to be deleted.",
        inject_fault=link,
        fixes=(Fix("Delete the records that refer to them first", "admin", unlink), SYNC_AGAIN),
        skip_reason=lambda case: (
            None
            if any(
                row.operation == "delete"
                for group in case.save_groups
                if group.from_issue
                for row in group.records
            )
            else "This issue blocks no delete."
        ),
    )


def _record_visibility(_: IssueCase) -> Recipe:
    def move_all(sandbox: Sandbox, territory: str) -> None:
        for row in records_with_errors(sandbox, "update", "delete"):
            sandbox.move_record(sandbox.record_ids[row.key], territory)
        for _, _, parent_id in parent_references(sandbox):
            sandbox.move_record(parent_id, territory)

    def require_visibility(sandbox: Sandbox) -> None:
        admin.set_setting(sandbox.vault, "save_as_system", False, at=sandbox.now)

    def add_territory(sandbox: Sandbox) -> None:
        for device in sandbox.case.devices:
            sandbox.set_user(device, territories=[TERRITORY, OTHER_TERRITORY])

    return Recipe(
        assumption="The records, or those that new ones refer to, moved to a territory without the users.",
        prepare=require_visibility,
        inject_fault=lambda sandbox: move_all(sandbox, OTHER_TERRITORY),
        fixes=(
            Fix("Add the users to the territory of the records", "admin", add_territory),
            Fix("Move the records back", "admin", lambda s: move_all(s, TERRITORY)),
            SYNC_AGAIN,
        ),
    )


RECIPES: dict[str, Callable[[IssueCase], Recipe]] = {
    "field-permission": _field_permission,
    "object-permission": _object_permission,
    "validation-rule": _validation_rule,
    "record-locked": _record_locked,
    "concurrent-change": _concurrent_change,
    "record-deleted": _record_deleted,
    "delete-blocked": _delete_blocked,
    "record-visibility": _record_visibility,
}
