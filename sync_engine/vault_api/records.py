"""Endpoints to read records, and the ids of deleted ones."""

from __future__ import annotations

from sync_engine.json_docs import JsonDict
from sync_engine.protocol import VaultError
from sync_engine.vault_api.messages import (
    Reply,
    csv_reply,
    format_second,
    parse_whole_number,
    parse_window,
    success_reply,
)
from sync_engine.vault_api.metadata import object_reference, require_readable_object
from sync_engine.vault_api.server_state import ApiCall

DELETION_DAYS = 30
"""Days for which the ids of deleted records are available, as documented."""


def list_records(call: ApiCall) -> Reply:
    """Handle `GET /vobjects/{object}`: return a page of record names and ids."""
    source = require_readable_object(call, call.args["object"])
    size = parse_whole_number(call.request.query.get("limit"), 200, low=1, high=1000)
    start = parse_whole_number(call.request.query.get("offset"), 0)
    text = call.request.query.get("fields", "id,name__v")
    names = [name.strip() for name in text.replace("+", " ").split(",")]
    unknown = sorted(set(names) - source.fields.keys())
    if unknown:
        raise VaultError("ATTRIBUTE_NOT_SUPPORTED", f"{unknown} are not fields of [{source.name}]")
    rows = list(source.rows())
    page = [{name: row.get(name) for name in names} for row in rows[start : start + size]]
    path = call.url(f"/vobjects/{source.name}")
    details: JsonDict = {"total": len(rows), "limit": size, "offset": start, "size": len(page), "url": path}
    details["object"] = object_reference(call, source.name)
    more = f"&fields={text}" if "fields" in call.request.query else ""
    if start + size < len(rows):
        details["next_page"] = f"{path}?limit={size}&offset={start + size}{more}"
    if start:
        details["previous_page"] = f"{path}?limit={size}&offset={max(0, start - size)}{more}"
    return success_reply({"responseDetails": details, "data": page})


def get_record(call: ApiCall) -> Reply:
    """Handle `GET /vobjects/{object}/{id}`: return all fields of a record."""
    source = require_readable_object(call, call.args["object"])
    row = next((row for row in source.rows() if str(row["id"]) == call.args["id"]), None)
    if row is None:
        raise VaultError("INVALID_DATA", f"The resource [{call.args['id']}] does not exist")
    details = {
        "url": call.url(f"/vobjects/{source.name}/{row['id']}"),
        "object": object_reference(call, source.name),
    }
    return success_reply({"responseDetails": details, "data": row})


def list_deletions(call: ApiCall) -> Reply:
    """Handle `GET /objects/deletions/vobjects/{object}`: list ids deleted in the last 30 days.

    Parameters are `start_date`, `end_date`, `limit` and `offset`. The reply is CSV if the caller accepts CSV only.
    """
    source = require_readable_object(call, call.args["object"])
    query = call.request.query
    size = parse_whole_number(query.get("limit"), 1000, high=5000)
    start = parse_whole_number(query.get("offset"), 0)
    since, until = parse_window(query, call.now, days=DELETION_DAYS, default=call.now - DELETION_DAYS * 86400)
    deletions = [row for row in find_deleted(call, source.name) if since <= row[1] <= until]
    data = [
        {"id": record_id, "date_deleted": format_second(at)}
        for record_id, at in deletions[start : start + size]
    ]
    if call.request.wants_csv():
        return csv_reply(["id", "date_deleted"], data)
    details: JsonDict = {"total": len(deletions), "size": len(data), "limit": size, "offset": start}
    window = "".join(f"&{name}={query[name]}" for name in ("start_date", "end_date") if query.get(name))
    if size and start + size < len(deletions):
        path = f"/objects/deletions/vobjects/{source.name}"
        details["next_page"] = call.url(f"{path}?limit={size}&offset={start + size}{window}")
    return success_reply({"responseMessage": "OK", "responseDetails": details, "data": data})


def find_deleted(call: ApiCall, name: str) -> list[tuple[str, float]]:
    """Return ids of deleted records with their deletion times in seconds, oldest first."""
    rows = call.vault.db.execute(
        "SELECT id, json_extract(doc, '$.modified_date__v') FROM record WHERE object = ? AND deleted ORDER BY 2, 1",
        (name,),
    )
    return [(row[0], float(row[1])) for row in rows.fetchall()]
