"""Records one by one and in bulk: read, create, update, upsert and delete, with a result for each row.

Rows go through the engine's own upload, so that permissions, rules, locks and limits answer as they answer a device.
"""

from __future__ import annotations

from math import isfinite

from sync_engine.hashing import short_hash
from sync_engine.json_docs import JsonDict
from sync_engine.protocol import VaultError
from sync_engine.vault import admin, records, uploads
from sync_engine.vault_api.messages import Reply, format_timestamp, parse_whole_number, success_reply
from sync_engine.vault_api.metadata import require_readable_object
from sync_engine.vault_api.objects import USER_FLAGS, Field, Object
from sync_engine.vault_api.server_state import ApiCall

BULK_ROWS = 500
BULK_BYTES = 50 * 1024 * 1024
_VERBS = {"POST": "create", "PUT": "update", "DELETE": "delete"}
_WORDS = {"true": True, "false": False, "1": True, "0": False}


def list_records(call: ApiCall) -> Reply:
    """`GET /vobjects/{object}`: names and ids, a page at a time."""
    source = require_readable_object(call, call.args["object"])
    size = parse_whole_number(call.request.query.get("limit"), 200, low=1, high=1000)
    start = parse_whole_number(call.request.query.get("offset"), 0)
    wanted = call.request.query.get("fields", "id,name__v").replace("+", " ").split(",")
    rows = list(source.rows())
    shown = [{name.strip(): row.get(name.strip()) for name in wanted} for row in rows[start : start + size]]
    details: JsonDict = {"total": len(rows), "limit": size, "offset": start, "size": len(shown)}
    if start + size < len(rows):
        details["next_page"] = call.url(f"/vobjects/{source.name}?limit={size}&offset={start + size}")
    return success_reply({"responseDetails": details, "data": shown})


def get_record(call: ApiCall) -> Reply:
    """`GET /vobjects/{object}/{id}`: every field of a record."""
    source = require_readable_object(call, call.args["object"])
    row = next((row for row in source.rows() if str(row["id"]) == call.args["id"]), None)
    if row is None:
        raise VaultError("INVALID_DATA", f"The resource [{call.args['id']}] does not exist")
    return success_reply({"data": row})


def list_deletions(call: ApiCall) -> Reply:
    """`GET /objects/deletions/vobjects/{object}`: ids that went within the last 30 days."""
    source = require_readable_object(call, call.args["object"])
    size = parse_whole_number(call.request.query.get("limit"), 1000, low=1, high=5000)
    start = parse_whole_number(call.request.query.get("offset"), 0)
    gone = [row for row in find_deleted(call, source.name) if row[1] > call.now - 30 * 86400]
    page = gone[start : start + size]
    details = {"total": len(gone), "size": len(page), "limit": size, "offset": start}
    data = [{"id": record_id, "date_deleted": format_timestamp(at)} for record_id, at in page]
    return success_reply({"responseDetails": details, "data": data})


def find_deleted(call: ApiCall, name: str) -> list[tuple[str, float]]:
    """Ids of deleted records with the time of deletion in seconds, oldest first."""
    rows = call.vault.db.execute(
        "SELECT id, json_extract(doc, '$.modified_date__v') FROM record WHERE object = ? AND deleted ORDER BY 2, 1",
        (name,),
    )
    return [(row[0], float(row[1])) for row in rows.fetchall()]


def write_records(call: ApiCall) -> Reply:
    """`POST`, `PUT` or `DELETE /vobjects/{object}` with CSV or JSON rows."""
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
    idle = [one for one in results if one["responseStatus"] == "WARNING"]
    if not idle:
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
        for n, row in enumerate(rows, start=1):
            try:
                results.append(_write_row(call, source, row, lane, n))
            except VaultError as refused:
                results.append(_failure_result(refused.type, refused.message))
    return results


def _write_row(call: ApiCall, source: Object, row: JsonDict, lane: int, n: int) -> JsonDict:
    operation, record_id, event = _resolve_target(call, source, row, n)
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
    # API calls have no device with an older state: the last write wins.
    seen = {name: record.doc.get(name) for name in fields} if record else {}
    sent = {"object": source.name, "id": record_id, "operation": operation, "was": seen} | {
        "fields": {} if operation == "delete" else fields,
        "base_revision": record.revision if record else None,
    }
    transactions = [{"key": f"{call.execution_id}/{n}", "rows": [sent]}]
    message = {"transactions": transactions, "lane": lane, "number": n}
    reply = uploads.upload(call.vault, call.user | _all_territories(call), "rest", message, call.now)
    result = reply["results"][0]
    if result["responseStatus"] != "SUCCESS":
        return _failure_result(result["errors"][0]["type"], result["errors"][0]["message"])
    return {"responseStatus": "SUCCESS", "data": _result_data(call, source, result["ids"][record_id], event)}


def _all_territories(call: ApiCall) -> JsonDict:
    """An administrator reaches the records of every territory."""
    if not call.user.get("admin"):
        return {}
    call.vault.flush_counters()
    rows = call.vault.db.execute("SELECT DISTINCT territory FROM bucket_digest")
    return {"territories": [row[0] for row in rows.fetchall()]}


def _resolve_target(call: ApiCall, source: Object, row: JsonDict, n: int) -> tuple[str, str, str | None]:
    """What to do with a row, on which record, and the event to report for an upsert."""
    operation = _VERBS[call.request.method]
    key = call.request.query.get("idParam")
    if operation == "create" and key is None:
        return (
            "create",
            str(row.get("mobile_id__v") or f"m-{short_hash(call.execution_id, n, size=10)}"),
            None,
        )
    wanted = str(row.get(key or "id") or "")
    if not wanted:
        raise VaultError("PARAMETER_REQUIRED", f"Missing required parameter [{key or 'id'}]")
    target = (
        records.find(call.vault, wanted)
        if key in (None, "id", "mobile_id__v")
        else _find_by_unique_value(source, key, wanted)
    )
    if target is not None and not isinstance(target, str) and target.object != source.name:
        raise VaultError("INVALID_DATA", f"The resource [{wanted}] is no record of [{source.name}]")
    if target is not None:
        event = "updated__sys" if operation == "create" else None
        return "update" if operation == "create" else operation, getattr(target, "id", str(target)), event
    if operation == "create":
        fresh = wanted if key == "mobile_id__v" else f"m-{short_hash(call.execution_id, n, size=10)}"
        return "create", fresh, "created__sys"
    raise VaultError("INVALID_DATA", f"The resource [{wanted}] does not exist")


def _find_by_unique_value(source: Object, key: str, wanted: str) -> str | None:
    if key not in source.fields or not source.fields[key].unique:
        raise VaultError("INVALID_DATA", f"[{key}] is not a unique field of [{source.name}]")
    return next((str(row["id"]) for row in source.rows() if str(row.get(key)) == wanted), None)


def to_engine_value(one: Field | None, value: object) -> object:
    """A value of a CSV cell or a JSON row as the engine keeps it; the rules refuse what does not fit."""
    if one is None or (isinstance(value, float) and not isfinite(value)):
        return value if one is None else str(value)  # JSON knows no such number; no record may hold one
    if value == "" or value is None or value == []:
        return None
    if one.type == "Picklist" and isinstance(value, list):
        return value[0] if len(value) == 1 else ",".join(map(str, value))
    if one.type == "Boolean" and isinstance(value, str):
        return _WORDS.get(value.lower(), value)
    if one.type == "Number" and isinstance(value, str):
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
    """Change what is configuration underneath; the change is written to the audit trail."""
    try:
        if not call.user.get("admin"):
            raise VaultError("INSUFFICIENT_ACCESS", "User does not have permission to edit this record.")
        current_row = next((seen for seen in source.rows() if str(seen["id"]) == str(row.get("id"))), None)
        if current_row is None:
            raise VaultError("INVALID_DATA", f"The resource [{row.get('id')}] does not exist")
        changes = {
            name: to_engine_value(source.fields.get(name), value)
            for name, value in row.items()
            if name != "id"
        }
        _CONFIGURATION_WRITERS[source.name](call, current_row, changes)
    except VaultError as refused:
        return _failure_result(refused.type, refused.message)
    return {"responseStatus": "SUCCESS", "data": _result_data(call, source, str(current_row["id"]), None)}


def _set_user(call: ApiCall, current_row: JsonDict, changes: JsonDict) -> None:
    other = sorted(changes.keys() - set(USER_FLAGS))
    if other:
        raise VaultError(
            "OPERATION_NOT_ALLOWED", f"Of users only {', '.join(USER_FLAGS)} can be set here, not {other}"
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
