"""Endpoints to read, create, update, upsert and delete records.

Each written row has its own result. Writes use the engine's own upload, so that permissions, rules, locks and
limits are the same as for a device.
"""

from __future__ import annotations

from math import isfinite

from sync_engine.hashing import short_hash
from sync_engine.json_docs import JsonDict
from sync_engine.protocol import VaultError
from sync_engine.vault import admin, records, uploads
from sync_engine.vault_api.configuration_objects import USER_FLAGS
from sync_engine.vault_api.messages import Reply, format_timestamp, parse_whole_number, success_reply
from sync_engine.vault_api.metadata import require_readable_object
from sync_engine.vault_api.objects import Field, Object
from sync_engine.vault_api.server_state import ApiCall

BULK_ROWS = 500
BULK_BYTES = 50 * 1024 * 1024
_VERBS = {"POST": "create", "PUT": "update", "DELETE": "delete"}
_WORDS = {"true": True, "false": False, "1": True, "0": False}


def list_records(call: ApiCall) -> Reply:
    """Handle `GET /vobjects/{object}`: return a page of record names and ids."""
    source = require_readable_object(call, call.args["object"])
    size = parse_whole_number(call.request.query.get("limit"), 200, low=1, high=1000)
    start = parse_whole_number(call.request.query.get("offset"), 0)
    field_names = call.request.query.get("fields", "id,name__v").replace("+", " ").split(",")
    rows = list(source.rows())
    page = [
        {name.strip(): row.get(name.strip()) for name in field_names} for row in rows[start : start + size]
    ]
    details: JsonDict = {"total": len(rows), "limit": size, "offset": start, "size": len(page)}
    if start + size < len(rows):
        details["next_page"] = call.url(f"/vobjects/{source.name}?limit={size}&offset={start + size}")
    return success_reply({"responseDetails": details, "data": page})


def get_record(call: ApiCall) -> Reply:
    """Handle `GET /vobjects/{object}/{id}`: return all fields of a record."""
    source = require_readable_object(call, call.args["object"])
    row = next((row for row in source.rows() if str(row["id"]) == call.args["id"]), None)
    if row is None:
        raise VaultError("INVALID_DATA", f"The resource [{call.args['id']}] does not exist")
    return success_reply({"data": row})


def list_deletions(call: ApiCall) -> Reply:
    """Handle `GET /objects/deletions/vobjects/{object}`: list ids deleted in the last 30 days."""
    source = require_readable_object(call, call.args["object"])
    size = parse_whole_number(call.request.query.get("limit"), 1000, low=1, high=5000)
    start = parse_whole_number(call.request.query.get("offset"), 0)
    deletions = [row for row in find_deleted(call, source.name) if row[1] > call.now - 30 * 86400]
    page = deletions[start : start + size]
    details = {"total": len(deletions), "size": len(page), "limit": size, "offset": start}
    data = [{"id": record_id, "date_deleted": format_timestamp(at)} for record_id, at in page]
    return success_reply({"responseDetails": details, "data": data})


def find_deleted(call: ApiCall, name: str) -> list[tuple[str, float]]:
    """Return ids of deleted records with their deletion times in seconds, oldest first."""
    rows = call.vault.db.execute(
        "SELECT id, json_extract(doc, '$.modified_date__v') FROM record WHERE object = ? AND deleted ORDER BY 2, 1",
        (name,),
    )
    return [(row[0], float(row[1])) for row in rows.fetchall()]


def write_records(call: ApiCall) -> Reply:
    """Handle `POST`, `PUT` or `DELETE /vobjects/{object}` with CSV or JSON rows."""
    source = require_readable_object(call, call.args["object"])
    if len(call.request.body) > BULK_BYTES:
        raise VaultError("EXCEEDS_FILE_MAX_SIZE", f"The input exceeds [{BULK_BYTES}] bytes")
    rows = call.request.rows()
    if len(rows) > BULK_ROWS:
        raise VaultError(
            "OPERATION_NOT_ALLOWED", f"The input has [{len(rows)}] rows; the maximum is [{BULK_ROWS}]"
        )
    if source.name in _CONFIGURATION_WRITERS and call.request.method == "PUT":
        results = [_update_configuration(call, source, row) for row in rows]
    elif not source.writable:
        raise VaultError(
            "OPERATION_NOT_ALLOWED", f"Records of [{source.name}] cannot be written through the API here"
        )
    else:
        results = _write_rows(call, source, rows)
    unchanged = [result for result in results if result["responseStatus"] == "WARNING"]
    if not unchanged:
        return success_reply({"data": results})
    warning = {
        "warning_type": "NO_DATA_CHANGES",
        "message": "No changes in values - one or more records not updated",
    }
    return success_reply({"responseStatus": "WARNING", "warnings": [warning], "data": results})


def _write_rows(call: ApiCall, source: Object, rows: list[JsonDict]) -> list[JsonDict]:
    results = []
    with call.vault.transaction():
        lane = uploads.open_lane(call.vault, "rest")
        for number, row in enumerate(rows, start=1):
            try:
                results.append(_write_row(call, source, row, lane, number))
            except VaultError as refusal:
                results.append(_failure_result(refusal.type, refusal.message))
    return results


def _write_row(call: ApiCall, source: Object, row: JsonDict, lane: int, number: int) -> JsonDict:
    operation, record_id, event = _resolve_target(call, source, row, number)
    record = records.find(call.vault, record_id) if operation != "create" else None
    fields = {
        name: to_engine_value(source.fields.get(name), value)
        for name, value in row.items()
        if name not in ("id", "mobile_id__v")
    }
    if (
        operation == "update"
        and record is not None
        and all(record.doc.get(k) == v for k, v in fields.items())
    ):
        warning = {"warning_type": "NO_DATA_CHANGES", "message": "No changes in values - record not updated"}
        return {
            "responseStatus": "WARNING",
            "warnings": [warning],
            "data": _result_data(call, source, record.id, None),
        }
    # An API call has no older device state to compare with, so the last write wins.
    current_values = {name: record.doc.get(name) for name in fields} if record else {}
    upload_row = {"object": source.name, "id": record_id, "operation": operation, "was": current_values} | {
        "fields": {} if operation == "delete" else fields,
        "base_revision": record.revision if record else None,
    }
    transactions = [{"key": f"{call.execution_id}/{number}", "rows": [upload_row]}]
    message = {"transactions": transactions, "lane": lane, "number": number}
    reply = uploads.upload(call.vault, call.user | _all_territories(call), "rest", message, call.now)
    result = reply["results"][0]
    if result["responseStatus"] != "SUCCESS":
        return _failure_result(result["errors"][0]["type"], result["errors"][0]["message"])
    return {"responseStatus": "SUCCESS", "data": _result_data(call, source, result["ids"][record_id], event)}


def _all_territories(call: ApiCall) -> JsonDict:
    """Return all territories for an administrator, and nothing for other users.

    Administrators may change the records of every territory.
    """
    if not call.user.get("admin"):
        return {}
    call.vault.flush_counters()
    rows = call.vault.db.execute("SELECT DISTINCT territory FROM bucket_digest")
    return {"territories": [row[0] for row in rows.fetchall()]}


def _resolve_target(call: ApiCall, source: Object, row: JsonDict, number: int) -> tuple[str, str, str | None]:
    """Return the operation, the record id and the upsert event for a row."""
    operation = _VERBS[call.request.method]
    key = call.request.query.get("idParam")
    if operation == "create" and key is None:
        return (
            "create",
            str(row.get("mobile_id__v") or f"m-{short_hash(call.execution_id, number, size=10)}"),
            None,
        )
    identifier = str(row.get(key or "id") or "")
    if not identifier:
        raise VaultError("PARAMETER_REQUIRED", f"Missing required parameter [{key or 'id'}]")
    target = (
        records.find(call.vault, identifier)
        if key in (None, "id", "mobile_id__v")
        else _find_by_unique_value(source, key, identifier)
    )
    if target is not None and not isinstance(target, str) and target.object != source.name:
        raise VaultError("INVALID_DATA", f"The resource [{identifier}] is no record of [{source.name}]")
    if target is not None:
        event = "updated__sys" if operation == "create" else None
        return "update" if operation == "create" else operation, getattr(target, "id", str(target)), event
    if operation == "create":
        new_id = (
            identifier if key == "mobile_id__v" else f"m-{short_hash(call.execution_id, number, size=10)}"
        )
        return "create", new_id, "created__sys"
    raise VaultError("INVALID_DATA", f"The resource [{identifier}] does not exist")


def _find_by_unique_value(source: Object, key: str, value: str) -> str | None:
    if key not in source.fields or not source.fields[key].unique:
        raise VaultError("INVALID_DATA", f"[{key}] is not a unique field of [{source.name}]")
    return next((str(row["id"]) for row in source.rows() if str(row.get(key)) == value), None)


def to_engine_value(definition: Field | None, value: object) -> object:
    """Convert a CSV or JSON value to the engine's format.

    A value that cannot be converted stays unchanged, so that validation refuses it.
    """
    # JSON has no NaN or Infinity, so no record may contain them.
    if definition is None or (isinstance(value, float) and not isfinite(value)):
        return value if definition is None else str(value)
    if value == "" or value is None or value == []:
        return None
    if definition.type == "Picklist" and isinstance(value, list):
        return value[0] if len(value) == 1 else ",".join(map(str, value))
    if definition.type == "Boolean" and isinstance(value, str):
        return _WORDS.get(value.lower(), value)
    if definition.type == "Number" and isinstance(value, str):
        return _number(value)
    return value


def _number(text: str) -> object:
    try:
        number = float(text)
    except ValueError:
        return text
    if not isfinite(number):
        return text
    return int(number) if number.is_integer() and "." not in text else number


def _result_data(call: ApiCall, source: Object, record_id: str, event: str | None) -> JsonDict:
    data = {"id": record_id, "url": call.url(f"/vobjects/{source.name}/{record_id}")}
    return data | ({"event": event} if event else {})


def _failure_result(error_type: str, message: str) -> JsonDict:
    return {"responseStatus": "FAILURE", "errors": [{"type": error_type, "message": message}]}


def _update_configuration(call: ApiCall, source: Object, row: JsonDict) -> JsonDict:
    """Update a record that represents configuration, with an entry in the audit trail."""
    try:
        if not call.user.get("admin"):
            raise VaultError("INSUFFICIENT_ACCESS", "User does not have permission to edit this record.")
        current_row = next(
            (candidate for candidate in source.rows() if str(candidate["id"]) == str(row.get("id"))), None
        )
        if current_row is None:
            raise VaultError("INVALID_DATA", f"The resource [{row.get('id')}] does not exist")
        changes = {
            name: to_engine_value(source.fields.get(name), value)
            for name, value in row.items()
            if name != "id"
        }
        _CONFIGURATION_WRITERS[source.name](call, current_row, changes)
    except VaultError as refusal:
        return _failure_result(refusal.type, refusal.message)
    return {"responseStatus": "SUCCESS", "data": _result_data(call, source, str(current_row["id"]), None)}


def _set_user(call: ApiCall, current_row: JsonDict, changes: JsonDict) -> None:
    unsupported = sorted(changes.keys() - set(USER_FLAGS))
    if unsupported:
        raise VaultError(
            "OPERATION_NOT_ALLOWED",
            f"Of users only {', '.join(USER_FLAGS)} can be set here, not {unsupported}",
        )
    admin.set_user(call.vault, str(current_row["id"]), at=call.now, **changes)


def _set_vmoc(call: ApiCall, current_row: JsonDict, changes: JsonDict) -> None:
    doc = call.vault.live["vmoc"][current_row["name__v"]]
    unknown = sorted(changes.keys() - doc.keys())
    if unknown:
        raise VaultError("ATTRIBUTE_NOT_SUPPORTED", f"Attributes {unknown} are not supported")
    lists = {
        name: value if isinstance(value, list) else [value]
        for name, value in changes.items()
        if name == "device__v"
    }
    admin.set_vmoc(call.vault, current_row["name__v"], doc | changes | lists, at=call.now)


_CONFIGURATION_WRITERS = {"user__sys": _set_user, "vmobile_object_configuration__v": _set_vmoc}
