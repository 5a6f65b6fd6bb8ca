"""Uploads from devices: each transaction is applied at most once and has its own result.

A success is stored under the transaction's key in the same commit as its effect, so that a repeated upload
returns the stored result and is not applied again. A refusal changes nothing and is evaluated again, because an
administrator may have fixed the cause.
"""

from __future__ import annotations

from sync_engine.json_docs import JsonDict, from_json, to_json
from sync_engine.model import SYSTEM_FIELDS
from sync_engine.protocol import VaultError
from sync_engine.vault import permissions, records, validation
from sync_engine.vault.records import Record
from sync_engine.vault.state import EVERYWHERE, Vault

SYSTEM_AUTHOR = "System"
"""Author of a record that refers to a record its user may no longer see."""


def upload(vault: Vault, user: JsonDict, device: str, message: JsonDict, now: float) -> JsonDict:
    """Apply the transactions of a request in order. The reply has one result for each."""
    _check_lane(vault, device, message)
    rows = sum(len(transaction["rows"]) for transaction in message["transactions"])
    limit = vault.setting("bulk_row_limit")
    if rows > limit:
        raise VaultError(
            "OPERATION_NOT_ALLOWED",
            f"The request has [{rows}] rows; the maximum is [{limit}]",
            cause="payload-too-large",
            blame="setting/bulk_row_limit//",
        )
    answers = _stored_answers(vault, device, [transaction["key"] for transaction in message["transactions"]])
    return {
        "results": [
            _apply_transaction(vault, user, device, transaction, answers=answers, now=now)
            for transaction in message["transactions"]
        ]
    }


def open_lane(vault: Vault, device: str) -> int:
    """Open a new upload lane for the device and return its number.

    Uploads of an older lane that arrive later are refused.
    """
    row = vault.db.execute(
        "INSERT INTO lane VALUES (?, 1, 0) "
        "ON CONFLICT DO UPDATE SET lane = lane + 1, number = 0 RETURNING lane",
        (device,),
    ).fetchone()
    return int(row[0])


def _check_lane(vault: Vault, device: str, message: JsonDict) -> None:
    row = vault.db.execute("SELECT lane, number FROM lane WHERE device = ?", (device,)).fetchone()
    lane, number = row if row else (0, 0)
    if message["lane"] != lane or message["number"] <= number:
        raise VaultError(
            "RACE_CONDITION",
            f"Upload [{message['lane']}.{message['number']}] of device [{device}] arrived after a later one",
            cause="concurrent-change",
        )
    vault.db.execute("UPDATE lane SET number = ? WHERE device = ?", (message["number"], device))


def _apply_transaction(
    vault: Vault, user: JsonDict, device: str, transaction: JsonDict, *, answers: dict[str, str], now: float
) -> JsonDict:
    key, ids, row_number = transaction["key"], {}, 0
    if key in answers:
        return {**from_json(answers[key]), "replayed": True}
    try:
        with vault.savepoint():
            for row in transaction["rows"]:
                ids[row["id"]] = _apply_row(vault, user, row, now)
                row_number += 1
            result: JsonDict = {"key": key, "responseStatus": "SUCCESS", "ids": ids, "seq": vault.sequence()}
            answers[key] = to_json(result)
            vault.db.execute("INSERT INTO answer VALUES (?, ?, ?)", (device, key, answers[key]))
    except VaultError as refusal:
        return _failure_result(vault, device, key, row_number, refusal)
    return result


def _stored_answers(vault: Vault, device: str, keys: list[str]) -> dict[str, str]:
    """Return the stored results of the transactions that were applied before, by key."""
    rows = vault.db.execute(
        "SELECT key, result FROM answer WHERE device = ? AND key IN (SELECT value FROM json_each(?))",
        (device, to_json(keys)),
    )
    return dict(rows.fetchall())


def _failure_result(vault: Vault, device: str, key: str, row_number: int, refusal: VaultError) -> JsonDict:
    if vault.on_refusal:
        vault.on_refusal(device, key, refusal.cause, refusal.blame)
    return {"key": key, "responseStatus": "FAILURE", "row": row_number, "errors": [refusal.to_dict()]}


def _apply_row(vault: Vault, user: JsonDict, row: JsonDict, now: float) -> str:
    if vault.object_definition(row["object"]) is None:
        raise VaultError(
            "MALFORMED_URL",
            f"The object [{row['object']}] does not exist in this Vault",
            cause="schema-mismatch",
            blame=f"object/{row['object']}/{row['object']}/",
            object=row["object"],
        )
    permissions.require_object_permission(vault, user, row["object"], row["operation"])
    if row["operation"] == "create":
        return _create_record(vault, user, row, now)
    return _change_record(vault, user, row, now)


def _create_record(vault: Vault, user: JsonDict, row: JsonDict, now: float) -> str:
    name, doc = row["object"], _resolve_references(vault, row["object"], row["fields"])
    _require_mobile_id(vault, name)
    permissions.require_field_permissions(vault, user, name, list(doc))
    validation.validate_record(vault, user, name, doc, doc, record_id=row["id"], now=now)
    duplicate = records.find(vault, row["id"])
    if duplicate is not None:
        raise VaultError(
            "OPERATION_NOT_ALLOWED",
            f"Another resource already exists with [mobile_id__v={row['id']}]",
            cause="duplicate-record",
            object=name,
            record_id=duplicate.id,
        )
    author = _record_author(vault, user, name, doc)
    return records.insert(vault, name, doc, at=now, by=author, mobile_id=row["id"]).id


def _require_mobile_id(vault: Vault, name: str) -> None:
    """Raise VaultError if a custom object needs a field for mobile ids and has none.

    CRM on Salesforce needed this field. Vault does not document it, so a setting enables this check.
    """
    fields = vault.live["object"][name]["fields"]
    if not name.endswith("__c") or any(field.lower().startswith("mobile_id_") for field in fields):
        return
    if vault.is_enabled("custom_objects_need_mobile_id"):
        raise VaultError(
            "OPERATION_NOT_ALLOWED",
            f"A record of [{name}] cannot be created on a device: the object has no field for mobile ids",
            cause="sync-configuration",
            blame=f"object/{name}/{name}/",
            object=name,
        )


def _change_record(vault: Vault, user: JsonDict, row: JsonDict, now: float) -> str:
    record = _find_target(vault, row)
    _require_visible(vault, user, record)
    definition = vault.live["object"][record.object]
    if (
        definition.get("lockable")
        and record.doc.get("status__v") == "submitted__v"
        and not _is_unlocked(record)
    ):
        raise VaultError(
            "OPERATION_NOT_ALLOWED",
            f"The record [{record.id}] is locked because it is submitted; unlock it before changing it",
            cause="record-locked",
            blame=f"record/{record.id}//",
            object=record.object,
            record_id=record.id,
        )
    if row["operation"] == "delete":
        _delete_record(vault, user, record, now)
        return record.id
    changes = _resolve_references(vault, record.object, row["fields"])
    permissions.require_field_permissions(vault, user, record.object, list(changes))
    _check_conflicts(vault, record, row, changes)
    merged = record.doc | changes
    validation.validate_record(vault, user, record.object, merged, changes, record_id=record.id, now=now)
    author = _record_author(vault, user, record.object, merged)
    records.update(vault, record, changes, at=now, by=author)
    return record.id


def _find_target(vault: Vault, row: JsonDict) -> Record:
    record = records.find(vault, row["id"])
    if record is None or record.deleted:
        winner = vault.db.execute("SELECT winner FROM merged WHERE loser = ?", (row["id"],)).fetchone()
        winner_record = (
            records.find(vault, winner[0]) if winner and not vault.setting("disable_veeva_merge__v") else None
        )
        if winner_record is not None and not winner_record.deleted:
            return winner_record
        raise VaultError(
            "INVALID_DATA",
            f"The resource [{row['id']}] does not exist",
            cause="record-deleted",
            blame=f"record/{record.id if record else row['id']}//",
            object=row["object"],
            record_id=row["id"],
        )
    return record


def _is_unlocked(record: Record) -> bool:
    return bool(record.doc.get("unlock__v") or record.doc.get("override_lock__v"))


def _require_visible(vault: Vault, user: JsonDict, record: Record) -> None:
    if record.territory == EVERYWHERE or record.territory in user["territories"]:
        return
    raise VaultError(
        "INSUFFICIENT_ACCESS",
        f"User [{user['id']}] does not have sufficient privileges to access the record [{record.id}]",
        cause="record-visibility",
        blame=f"record/{record.id}//",
        object=record.object,
        record_id=record.id,
    )


def _delete_record(vault: Vault, user: JsonDict, record: Record, now: float) -> None:
    root_object = vault.live["object"][record.object].get("root")
    for child in records.list_child_ids(vault, record.id):
        child_record = records.find(vault, child)
        if child_record is None:
            continue
        if root_object is None or vault.live["object"][child_record.object].get("root") != root_object:
            raise VaultError(
                "OPERATION_NOT_ALLOWED",
                f"Cannot delete record [{record.id}]: "
                f"it is referenced by [{child_record.object}] record [{child_record.id}]",
                cause="delete-blocked",
                blame=f"record/{record.id}//",
                object=record.object,
                record_id=record.id,
            )
        records.delete(vault, child_record, at=now, by=user["id"])
    records.delete(vault, record, at=now, by=user["id"])


def _check_conflicts(vault: Vault, record: Record, row: JsonDict, changes: JsonDict) -> None:
    """Raise VaultError if another user changed the same fields since the device's revision."""
    conflicting_fields = [name for name in changes if _has_conflict(vault, record, row, name, changes[name])]
    if not conflicting_fields:
        return
    name = conflicting_fields[0]
    raise VaultError(
        "OPERATION_NOT_ALLOWED",
        f"Cannot merge the update of record [{record.id}]: field [{name}] was changed in Vault "
        f"to [{str(record.doc.get(name))[:40]}] after the device last received it",
        cause="concurrent-change",
        blame=f"record/{record.id}//{name}",
        object=record.object,
        field=name,
        record_id=record.id,
    )


def _has_conflict(vault: Vault, record: Record, row: JsonDict, name: str, value: object) -> bool:
    """Return whether the field has a value that the device never received.

    Fields that were hidden from the device count as never received.
    """
    current_value, device_value = record.doc.get(name), row["was"].get(name)
    if record.revision == row["base_revision"]:
        return device_value is None and current_value not in (None, value)
    if vault.setting("conflict_rule") == "record":
        return True
    return current_value not in (device_value, value)


def _resolve_references(vault: Vault, object_name: str, fields: JsonDict) -> JsonDict:
    """Replace mobile ids and ids of merged accounts in all references by current ids."""
    specs = vault.live["object"][object_name]["fields"]
    resolved = {name: value for name, value in fields.items() if name not in SYSTEM_FIELDS}
    for name, value in resolved.items():
        if specs.get(name, {}).get("type") == "reference" and isinstance(value, str):
            resolved[name] = _resolve_id(vault, value)
    return resolved


def _resolve_id(vault: Vault, value: str) -> str:
    row = vault.db.execute("SELECT id FROM record WHERE mobile_id = ?", (value,)).fetchone()
    value = row[0] if row else value
    if vault.setting("disable_veeva_merge__v"):
        return value
    row = vault.db.execute("SELECT winner FROM merged WHERE loser = ?", (value,)).fetchone()
    return row[0] if row else value


def _record_author(vault: Vault, user: JsonDict, object_name: str, doc: JsonDict) -> str:
    """Return the author of a record: the user, or System.

    The author is System if the record refers to a record that the user no longer sees.
    """
    for name, spec in vault.live["object"][object_name]["fields"].items():
        if spec["type"] != "reference" or spec["to"] == "user__sys" or not doc.get(name):
            continue
        row = vault.db.execute("SELECT territory FROM record WHERE id = ?", (doc[name],)).fetchone()
        if row and row[0] != EVERYWHERE and row[0] not in user["territories"]:
            if not vault.setting("save_as_system"):
                raise VaultError(
                    "INSUFFICIENT_ACCESS",
                    f"User [{user['id']}] does not have sufficient privileges to access "
                    f"the record [{doc[name]}]",
                    cause="record-visibility",
                    blame=f"record/{doc[name]}//",
                    object=object_name,
                    field=name,
                    record_id=doc[name],
                )
            return SYSTEM_AUTHOR
    return str(user["id"])
