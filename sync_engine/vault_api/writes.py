"""Endpoints to create, update, upsert and delete records.

Each written row has its own result. Writes use the engine's own upload, so that permissions, rules, locks and
limits are the same as for a device.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import isfinite

from sync_engine.hashing import short_hash
from sync_engine.json_docs import JsonDict
from sync_engine.protocol import VaultError
from sync_engine.vault import admin, records, uploads
from sync_engine.vault_api.configuration_objects import USER_FLAGS
from sync_engine.vault_api.messages import Reply, csv_reply, success_reply
from sync_engine.vault_api.metadata import require_readable_object
from sync_engine.vault_api.objects import Field, Object
from sync_engine.vault_api.server_state import ApiCall

BULK_ROWS = 500
BULK_BYTES = 50 * 1024 * 1024
_VERBS = {"POST": "create", "PUT": "update", "DELETE": "delete"}
_WORDS = {"true": True, "false": False, "1": True, "0": False}
_CSV_COLUMNS = ["responseStatus", "id", "errors", "row_id", "event", "id_param_value"]
RowWriter = Callable[[JsonDict, int], JsonDict]
_UNCHANGED = {"warning_type": "NO_DATA_CHANGES", "message": "No changes in values - record not updated"}


def write_records(call: ApiCall) -> Reply:
    """Handle `POST`, `PUT` or `DELETE /vobjects/{object}` with CSV or JSON rows, or one row as a form."""
    source = require_readable_object(call, call.args["object"])
    if len(call.request.body) > BULK_BYTES:
        raise VaultError("EXCEEDS_FILE_MAX_SIZE", f"The input exceeds [{BULK_BYTES}] bytes")
    if call.request.header("x-vaultapi-migrationmode").lower() == "true":
        raise VaultError("INSUFFICIENT_ACCESS", "User does not have the Record Migration permission")
    rows = call.request.rows()
    if len(rows) > BULK_ROWS:
        raise VaultError(
            "OPERATION_NOT_ALLOWED", f"The input has [{len(rows)}] rows; the maximum is [{BULK_ROWS}]"
        )
    results = _write_all(call, source, rows)
    if call.request.is_form():
        return success_reply(results[0])
    if call.request.wants_csv():
        return csv_reply(_CSV_COLUMNS, (_csv_result(result, n) for n, result in enumerate(results, start=1)))
    if all(result["responseStatus"] != "WARNING" for result in results):
        return success_reply({"data": results})
    message = "No changes in values - one or more records not updated"
    warnings = [_UNCHANGED | {"message": message}]
    return success_reply({"responseStatus": "WARNING", "warnings": warnings, "data": results})


def _csv_result(result: JsonDict, number: int) -> JsonDict:
    """Return a row of a CSV reply. Vault documents the first four columns for one object; the others are ours."""
    data: JsonDict = result.get("data", {})
    errors = [f"{error['type']}|{error['message']}" for error in result.get("errors", ())]
    return data | {
        "responseStatus": result["responseStatus"],
        "errors": ",".join(errors) or None,
        "row_id": number,
    }


def _write_all(call: ApiCall, source: Object, rows: list[JsonDict]) -> list[JsonDict]:
    key = _row_key(call)
    _require_distinct_upserts(call, rows, key)
    if source.name in _CONFIGURATION_WRITERS and call.request.method == "PUT":
        return _write_each(call, rows, key, lambda row, number: _update_configuration(call, source, row))
    if not source.writable:
        raise VaultError(
            "OPERATION_NOT_ALLOWED", f"Records of [{source.name}] cannot be written through the API here"
        )
    with call.vault.transaction():
        lane = uploads.open_lane(call.vault, "rest")
        return _write_each(call, rows, key, lambda row, number: _write_row(call, source, row, lane, number))


def _row_key(call: ApiCall) -> str | None:
    """Return the field that identifies the records of a request. None for plain creation."""
    key = call.request.query.get("idParam")
    return key or (None if call.request.method == "POST" else "id")


def _require_distinct_upserts(call: ApiCall, rows: list[JsonDict], key: str | None) -> None:
    """Raise VaultError if an upsert has a key value twice. Documented: the whole batch fails."""
    if call.request.method != "POST" or key is None:
        return
    counts = Counter(str(row[key]) for row in rows if row.get(key) not in (None, ""))
    repeated = sorted(value for value, count in counts.items() if count > 1)
    if repeated:
        raise VaultError("INVALID_DATA", f"Duplicate values of [{key}] in the request: {repeated[:5]}")


def _write_each(call: ApiCall, rows: list[JsonDict], key: str | None, write: RowWriter) -> list[JsonDict]:
    """Write rows in order and return their results.

    Documented: an id may occur once in a request; further rows with it fail.
    """
    results: list[JsonDict] = []
    written: set[str] = set()
    for number, row in enumerate(rows, start=1):
        value = row.get(key) if key else None
        try:
            if value is not None and str(value) in written:
                raise VaultError(
                    "INVALID_DATA", f"The [{key}] [{value}] occurs more than once in the request"
                )
            result = write(row, number)
        except VaultError as refusal:
            result = {"responseStatus": "FAILURE"}
            result |= {"errors": [{"type": refusal.type, "message": refusal.message}]}
        if value is not None:
            written.add(str(value))
            if "idParam" in call.request.query:
                result["data"] = result.get("data", {}) | {"id_param_value": value}
        results.append(result)
    return results


def _write_row(call: ApiCall, source: Object, row: JsonDict, lane: int, number: int) -> JsonDict:
    operation, record_id, event = _resolve_target(call, source, row, number)
    record = records.find(call.vault, record_id) if operation != "create" else None
    if operation != "delete":
        _require_editable(call, source, row, record)
    fields = {
        name: to_engine_value(source.fields.get(name), value)
        for name, value in row.items()
        if name not in ("id", "mobile_id__v")
    }
    if operation == "create" and "active__v" in getattr(source.fields.get("status__v"), "values", ()):
        fields = {"status__v": "active__v"} | fields
    if (
        operation == "update"
        and record is not None
        and all(record.doc.get(k) == v for k, v in fields.items())
    ):
        return {
            "responseStatus": "WARNING",
            "warnings": [_UNCHANGED],
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
        raise VaultError(result["errors"][0]["type"], result["errors"][0]["message"])
    if operation == "delete":
        return {"responseStatus": "SUCCESS", "data": {"id": result["ids"][record_id]}}
    return {"responseStatus": "SUCCESS", "data": _result_data(call, source, result["ids"][record_id], event)}


def _require_editable(call: ApiCall, source: Object, row: JsonDict, record: records.Record | None) -> None:
    """Raise VaultError if a row sets a read-only field. Documented: only editable fields can be set."""
    for name, value in row.items():
        definition = source.fields.get(name)
        if name == _row_key(call) or definition is None:
            continue
        fixed = not definition.editable
        if name == "mobile_id__v" and record is not None:  # set on creation only
            fixed = str(value or "") != (record.mobile_id or "")
        if fixed:
            raise VaultError(
                "OPERATION_NOT_ALLOWED",
                f"Cannot set field [{name}] on object [{source.name}]: it is read-only",
            )


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
    """Return the operation, the record id and the event for a row."""
    operation = _VERBS[call.request.method]
    key = _row_key(call)
    new_id = f"m-{short_hash(call.execution_id, number, size=10)}"
    if key is None:
        return "create", str(row.get("mobile_id__v") or new_id), "created__sys"
    identifier = str(row.get(key) or "")
    if not identifier:
        raise VaultError("PARAMETER_REQUIRED", f"Missing required parameter [{key}]")
    target = _find_target_id(call, source, key, identifier)
    if target is not None:
        upsert = operation == "create"
        return ("update" if upsert else operation), target, "updated__sys" if upsert else None
    if operation == "create" and key != "id":
        return "create", identifier if key == "mobile_id__v" else new_id, "created__sys"
    raise VaultError("INVALID_DATA", f"The resource [{identifier}] does not exist")


def _find_target_id(call: ApiCall, source: Object, key: str, identifier: str) -> str | None:
    """Return the id of the record that a row names by a field. None if there is none."""
    if key not in ("id", "mobile_id__v"):
        return _find_by_unique_value(source, key, identifier)
    record = records.find(call.vault, identifier)
    if record is None or identifier != (record.id if key == "id" else record.mobile_id):
        return None
    if record.object != source.name:
        raise VaultError("INVALID_DATA", f"The resource [{identifier}] is no record of [{source.name}]")
    return record.id


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


def _update_configuration(call: ApiCall, source: Object, row: JsonDict) -> JsonDict:
    """Update a record that represents configuration, with an entry in the audit trail."""
    if not call.user.get("admin"):
        raise VaultError("INSUFFICIENT_ACCESS", "User does not have permission to edit this record.")
    key = _row_key(call) or "id"
    if key != "id" and (key not in source.fields or not source.fields[key].unique):
        raise VaultError("INVALID_DATA", f"[{key}] is not a unique field of [{source.name}]")
    current_row = next(
        (candidate for candidate in source.rows() if str(candidate.get(key)) == str(row.get(key))), None
    )
    if current_row is None:
        raise VaultError("INVALID_DATA", f"The resource [{row.get(key)}] does not exist")
    changes = {
        name: to_engine_value(source.fields.get(name), value) for name, value in row.items() if name != key
    }
    _CONFIGURATION_WRITERS[source.name](call, current_row, changes)
    return {"responseStatus": "SUCCESS", "data": _result_data(call, source, str(current_row["id"]), None)}


def _set_user(call: ApiCall, current_row: JsonDict, changes: JsonDict) -> None:
    unsupported = sorted(changes.keys() - set(USER_FLAGS))
    if unsupported:
        raise VaultError(
            "OPERATION_NOT_ALLOWED",
            f"Of users only {', '.join(USER_FLAGS)} can be set here, not {unsupported}",
        )
    admin.set_user(call.vault, str(current_row["id"]), str(call.user["id"]), at=call.now, **changes)


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
    author = str(call.user["id"])
    admin.set_vmoc(call.vault, current_row["name__v"], doc | changes | lists, at=call.now, by=author)


_CONFIGURATION_WRITERS = {"user__sys": _set_user, "vmobile_object_configuration__v": _set_vmoc}
