"""Audit trails of configuration changes and sign-ins.

Changes of VMOCs, users and settings are changes of records, so they are in the object trail. All other
configuration changes are in the system trail. The texts of items and descriptions are ours; Vault's are not
published.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping

from sync_engine.hashing import short_hash
from sync_engine.json_docs import JsonDict, from_json
from sync_engine.protocol import VaultError
from sync_engine.vault_api.messages import (
    Reply,
    csv_reply,
    format_second,
    parse_whole_number,
    parse_window,
    success_reply,
    to_csv,
)
from sync_engine.vault_api.metadata import require_readable_object
from sync_engine.vault_api.objects import Object, format_label
from sync_engine.vault_api.server_state import ApiCall

DAY = 86400.0
RECORD_KINDS = {
    "vmoc": "vmobile_object_configuration__v",
    "user": "user__sys",
    "setting": "veeva_settings__v",
    "profile_setting": "veeva_settings__v",
}
COLUMNS = {
    "login_audit_trail": [
        "id",
        "timestamp",
        "user_name",
        "full_name",
        "on_behalf_of",
        "source_ip",
        "type",
        "status",
        "browser",
        "platform",
        "vault_id",
    ],
    "system_audit_trail": [
        "id",
        "timestamp",
        "user_id",
        "user_name",
        "full_name",
        "action",
        "item",
        "field_name",
        "old_value",
        "new_value",
        "event_description",
        "on_behalf_of",
    ],
    "object_audit_trail": [
        "id",
        "timestamp",
        "user_name",
        "full_name",
        "action",
        "item",
        "field_label",
        "field_name",
        "old_value",
        "new_value",
        "old_display_value",
        "new_display_value",
        "record_id",
        "object_label",
        "object_name",
        "workflow_name",
        "task_name",
        "verdict",
        "reason",
        "capacity",
        "event_description",
        "on_behalf_of",
        "grouping_id",
    ],
    "domain_audit_trail": [
        "id",
        "timestamp",
        "user_id",
        "user_name",
        "full_name",
        "action",
        "type",
        "item",
        "field_name",
        "new_value",
        "event_description",
    ],
    "document_audit_trail": [
        "id",
        "timestamp",
        "user_name",
        "full_name",
        "action",
        "item",
        "field_name",
        "old_value",
        "new_value",
    ],
}
"""The columns of each trail, in order."""
TRAIL_DAYS = 30
_COLUMN_TYPES = {"id": "Number", "timestamp": "DateTime"}


def list_trails(call: ApiCall) -> Reply:
    """Handle `GET /metadata/audittrail`: list the audit trails."""
    trails = [
        {"name": name, "label": format_label(name + "__v"), "url": call.url(f"/metadata/audittrail/{name}")}
        for name in COLUMNS
    ]
    return success_reply({"audittrails": trails})


def _column_label(column: str) -> str:
    words = format_label(column + "__v").split(" ")
    return " ".join({"Id": "ID", "Ip": "IP"}.get(word, word) for word in words)


def describe_trail(call: ApiCall) -> Reply:
    """Handle `GET /metadata/audittrail/{type}`: describe the fields of a trail."""
    name = call.args["kind"]
    fields = [
        {"name": column, "label": _column_label(column), "type": _COLUMN_TYPES.get(column, "String")}
        for column in _columns(name)
    ]
    label = format_label(name + "__v")
    return success_reply({"data": {"name": name, "label": label, "fields": fields}})


def read_trail(call: ApiCall) -> Reply:
    """Handle `GET /audittrail/{type}`: return the rows of a trail.

    Parameters are `start_date`, `end_date`, `limit`, `offset`, `objects`, `events` and `format_result`.
    """
    require_log_permission(call, "Audit")
    name, parameters = call.args["kind"], call.request.query
    columns = _columns(name)
    if parameters.get("all_dates") == "true":
        raise VaultError(
            "OPERATION_NOT_ALLOWED", "An export of all dates is sent by email, which this Vault cannot do"
        )
    default = call.now // DAY * DAY - DAY
    since, until = parse_window(parameters, call.now, days=TRAIL_DAYS, default=default)
    rows = [row for at, row in iterate_trail(call, name) if since <= at <= until]
    rows = _filter_rows(rows, parameters, "objects", "object_name", allowed=name == "object_audit_trail")
    with_events = name in ("object_audit_trail", "document_audit_trail")
    rows = _filter_rows(rows, parameters, "events", "action", allowed=with_events)
    if not _wants_csv(parameters):
        return _page(call, name, rows)
    job = call.server.jobs.start(
        f"Export {name}", call.user["id"], call.now, f"{name}.csv", to_csv(columns, rows)
    )
    return success_reply({"jobId": str(job.id), "url": call.url(f"/services/jobs/{job.id}")})


def _wants_csv(parameters: Mapping[str, str]) -> bool:
    """Return whether `format_result` requests CSV. Raises VaultError for another format."""
    text = parameters.get("format_result", "json")
    if text not in ("csv", "json"):
        raise VaultError("INVALID_DATA", f"[{text}] is not a format_result; use csv, or leave it out")
    return text == "csv"


def _filter_rows(
    rows: list[JsonDict], parameters: Mapping[str, str], parameter: str, column: str, *, allowed: bool
) -> list[JsonDict]:
    """Keep the rows whose column has one of the values of a parameter.

    Raises VaultError if the trail has no such column.
    """
    text = parameters.get(parameter)
    if not text:
        return rows
    if not allowed:
        raise VaultError("INVALID_DATA", f"[{parameter}] cannot be used with this audit trail")
    return [row for row in rows if row.get(column) in text.split(",")]


def read_record_history(call: ApiCall) -> Reply:
    """Handle `GET /vobjects/{object}/{id}/audittrail`: return the history of a record.

    Parameters are `start_date`, `end_date`, `limit`, `offset`, `events` and `format_result`.
    """
    source = require_readable_object(call, call.args["object"])
    parameters = call.request.query
    if all(str(row["id"]) != call.args["id"] for row in source.rows()):
        raise VaultError("INVALID_DATA", f"The resource [{call.args['id']}] does not exist")
    since, until = parse_window(parameters, call.now, days=None, default=0.0)
    rows = [
        row
        for at, row in iterate_trail(call, "object_audit_trail")
        if row["object_name"] == source.name and row["record_id"] == call.args["id"] and since <= at <= until
    ]
    rows = _filter_rows(rows, parameters, "events", "action", allowed=True)
    if _wants_csv(parameters):
        return csv_reply(COLUMNS["object_audit_trail"], rows)
    return _page(call, "object_audit_trail", rows)


def require_log_permission(call: ApiCall, log: str) -> None:
    """Raise VaultError unless the caller may read logs. Here only administrators may."""
    if not call.user.get("admin"):
        error_message = f"User [{call.user['id']}] not licensed for permission [Admin: Logs: {log}]."
        raise VaultError("INSUFFICIENT_ACCESS", error_message)


def _page(call: ApiCall, name: str, rows: list[JsonDict]) -> Reply:
    size = parse_whole_number(call.request.query.get("limit"), 200, low=1, high=1000)
    start = parse_whole_number(call.request.query.get("offset"), 0)
    page = rows[start : start + size]
    trail = {
        "name": name,
        "label": format_label(name + "__v"),
        "url": call.url(f"/metadata/audittrail/{name}"),
    }
    details: JsonDict = {
        "offset": start,
        "limit": size,
        "size": len(page),
        "total": len(rows),
        "object": trail,
    }
    other_parameters = "&".join(
        f"{key}={value}" for key, value in call.request.query.items() if key not in ("limit", "offset")
    )
    separator = "&" if other_parameters else ""
    endpoint = call.request.path.partition(f"/{call.version}")[2]
    path = f"{endpoint}?{other_parameters}{separator}limit={size}&offset="
    if start + size < len(rows):
        details["next_page"] = call.url(f"{path}{start + size}")
    if start:
        details["previous_page"] = call.url(f"{path}{max(0, start - size)}")
    return success_reply({"responseDetails": details, "data": page})


def iterate_trail(call: ApiCall, name: str) -> Iterator[tuple[float, JsonDict]]:
    """Yield the rows of a trail with their times in seconds, oldest first."""
    blank: JsonDict = dict.fromkeys(_columns(name))
    for at, row in _TRAIL_ROWS[name](call) if name in _TRAIL_ROWS else ():
        yield at, blank | row


def _columns(name: str) -> list[str]:
    if name not in COLUMNS:
        raise VaultError("MALFORMED_URL", f"There is no audit trail [{name}]; there are {', '.join(COLUMNS)}")
    return COLUMNS[name]


def _row_id(*parts: object) -> str:
    return str(int(short_hash(*parts, size=5), 16))


def _login_rows(call: ApiCall) -> Iterator[tuple[float, JsonDict]]:
    users = call.vault.live.get("user", {})
    names = {user_document["email"]: user_document["name"] for user_document in users.values()}
    logins: list[tuple[float, JsonDict]] = []
    for number, at, name, status, client in call.vault.db.execute(
        "SELECT n, at, user_name, status, client FROM rest_login"
    ):
        identity = {
            "user_name": name,
            "full_name": names.get(name),
            "source_ip": client,
            "browser": "Unknown",
        }
        logins.append(
            (at, identity | {"id": _row_id("rest", number), "status": status, "platform": "Unknown"})
        )
    for token, user, at, device in call.vault.db.execute(
        "SELECT token, user, created, device FROM session WHERE device <> 'rest'"
    ):
        user_document = users.get(user, {})
        identity = {
            "user_name": user_document.get("email"),
            "full_name": user_document.get("name"),
            "platform": device.partition("-")[0],
        }
        logins.append(
            (at, identity | {"id": _row_id("session", token), "status": "Success", "browser": "Unknown"})
        )
    for at, row in sorted(logins, key=lambda pair: (pair[0], pair[1]["id"])):
        yield (
            at,
            row | {"timestamp": format_second(at), "type": "User Login", "vault_id": call.server.vault_id},
        )


def _audit_entries(call: ApiCall) -> Iterator[JsonDict]:
    for (text,) in call.vault.db.execute("SELECT doc FROM audit ORDER BY at, change_id").fetchall():
        yield from_json(text)


def _author(call: ApiCall, by: str) -> JsonDict:
    user = call.vault.live.get("user", {}).get(by)
    return {
        "user_name": user["email"] if user else f"{by}@example.com",
        "full_name": user["name"] if user else by.title(),
    }


def _system_rows(call: ApiCall) -> Iterator[tuple[float, JsonDict]]:
    for doc in _audit_entries(call):
        if doc["kind"] in RECORD_KINDS:
            continue
        yield (
            doc["changed_at"],
            _author(call, doc["changed_by"])
            | {
                "id": _row_id(doc["change_id"]),
                "timestamp": format_second(doc["changed_at"]),
                "user_id": doc["changed_by"] if doc["changed_by"].isdigit() else "1",  # System
                "action": "Create" if doc["before"] is None else "Delete" if doc["after"] is None else "Edit",
                "item": f"{doc['kind'].replace('_', ' ').title()} : {doc['target']}",
                "field_name": ".".join(part for part in (doc["object"], doc["field"]) if part) or None,
                "old_value": doc["before"],
                "new_value": doc["after"],
                "event_description": doc["detail"] or f"{doc['kind']} {doc['target']} changed",
            },
        )


def _object_rows(call: ApiCall) -> Iterator[tuple[float, JsonDict]]:
    objects = call.list_objects()
    ids = {name: _record_ids(objects[name]) for name in RECORD_KINDS.values() if name in objects}
    for doc in _audit_entries(call):
        if doc["kind"] not in RECORD_KINDS:
            continue
        name = RECORD_KINDS[doc["kind"]]
        old, new = _parse_fields(doc["before"]), _parse_fields(doc["after"])
        for field in new or old or {"value__v": None}:
            before, after = old.get(field), new.get(field)
            yield (
                doc["changed_at"],
                _author(call, doc["changed_by"])
                | {
                    "id": _row_id(doc["change_id"], field),
                    "timestamp": format_second(doc["changed_at"]),
                    "action": "Edit",
                    "item": f"{format_label(name)} : {doc['target']}",
                    "field_label": format_label(field),
                    "field_name": field,
                    "old_value": before,
                    "new_value": after,
                    "old_display_value": before,
                    "new_display_value": after,
                    "record_id": str(ids.get(name, {}).get(doc["target"], doc["target"])),
                    "object_label": format_label(name),
                    "object_name": name,
                    "event_description": f'"{format_label(field)}" changed',
                    "grouping_id": doc["change_id"],
                },
            )


def _record_ids(source: Object) -> dict[str, object]:
    return {
        str(row["id"] if source.name == "user__sys" else row["name__v"]): row["id"] for row in source.rows()
    }


def _parse_fields(text: str | None) -> dict[str, str | None]:
    """Parse the changed fields of an audit entry, with their values as text.

    A value that is no dictionary is returned as the field `value__v`.
    """
    if text is None:
        return {}
    try:
        values = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        values = text
    if not isinstance(values, dict):
        return {"value__v": text}
    return {str(name): None if value is None else str(value) for name, value in values.items()}


_TRAIL_ROWS: dict[str, Callable[[ApiCall], Iterator[tuple[float, JsonDict]]]] = {
    "login_audit_trail": _login_rows,
    "system_audit_trail": _system_rows,
    "object_audit_trail": _object_rows,
}
