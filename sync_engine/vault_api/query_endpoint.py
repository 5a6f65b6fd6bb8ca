"""The `/query` endpoint: VQL over HTTP. Each page contains the link to the next one."""

from __future__ import annotations

from sync_engine.hashing import short_hash
from sync_engine.json_docs import JsonDict
from sync_engine.protocol import VaultError
from sync_engine.vault_api import vql
from sync_engine.vault_api.evaluate import QueryEngine
from sync_engine.vault_api.messages import Reply, parse_whole_number, success_reply
from sync_engine.vault_api.metadata import field_entry
from sync_engine.vault_api.objects import Object
from sync_engine.vault_api.server_state import ApiCall, StoredPages

PAGE_ROWS = 1000
PAGE_SECONDS = 72 * 3600.0
"""Lifetime of a page link after its last use, as documented."""
_LINK_FORMS = ("full", "versioned", "bare")


def run_query(call: ApiCall) -> Reply:
    """Handle `POST /query`: run a query and return its first page.

    GET with `q` in the URL is also supported.
    """
    text = call.request.form().get("q", "")
    if not text.strip():
        raise VaultError("PARAMETER_REQUIRED", "Missing required parameter [q]")
    try:
        tree = vql.parse(text)
    except VaultError as refusal:
        if call.server.faults.setting("drift"):
            raise VaultError("INCORRECT_QUERY_SYNTAX", refusal.message) from refusal
        raise
    engine = QueryEngine(call.list_objects())
    if isinstance(tree, vql.Show):
        rows = engine.show(tree)
        return success_reply({"responseDetails": {"size": len(rows), "total": len(rows)}, "data": rows})
    rows = engine.select(tree)
    source = engine.objects[engine.resolve_target(tree.target)]
    size = tree.number("PAGESIZE") or PAGE_ROWS
    key = short_hash("query", call.execution_id, call.server.salt, size=16)
    key = f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}"
    call.server.store_pages(key, StoredPages(rows, source.name, call.now))
    doc = _read_page(call, key, size, tree.number("PAGEOFFSET") or 0)
    if tree.target == "users":  # documented: this target has no page links
        doc["responseDetails"].pop("next_page", None)
    if call.request.header("x-vaultapi-describequery").lower() == "true":
        doc["queryDescribe"] = _describe_query(engine, source, tree)
    if "x-vaultapi-recordproperties" in call.request.headers:
        doc["record_properties"] = [_record_properties(row) for row in doc["data"]]
    return success_reply(doc | _injected_warning(call))


def get_next_page(call: ApiCall) -> Reply:
    """Handle GET or POST `/query/{id}?pagesize=&pageoffset=`: return another page."""
    key = call.args["query"]
    pages = call.server.queries.get(key)
    if pages is None or call.now - pages.last_used > PAGE_SECONDS:
        call.server.queries.pop(key, None)
        raise VaultError("INVALID_DATA", f"The query [{key}] has expired; send it again")
    form = call.request.form()
    size = parse_whole_number(form.get("pagesize"), PAGE_ROWS, low=1)
    return success_reply(
        _read_page(call, key, size, parse_whole_number(form.get("pageoffset"), 0)) | _injected_warning(call)
    )


def _read_page(call: ApiCall, key: str, size: int, offset: int) -> JsonDict:
    pages = call.server.queries[key]
    pages.last_used = call.now
    pages.pages_read += 1
    call.server.queries.move_to_end(key)
    limit = call.server.faults.setting("shrink")
    requested_size, size = size, min(size, limit) if limit else size
    rows = pages.rows[offset : offset + size]
    details: JsonDict = {"pagesize": size, "pageoffset": offset, "size": len(rows), "total": len(pages.rows)}
    if offset + size < len(pages.rows):
        details["next_page"] = _page_link(call, key, requested_size, offset + size)
    if offset:
        details["previous_page"] = _page_link(call, key, requested_size, max(0, offset - size))
    _drop_pages_early(call, key, pages)
    return {"responseDetails": details, "data": rows}


def _drop_pages_early(call: ApiCall, key: str, pages: StoredPages) -> None:
    """Delete the pages of a query early if `forget-pages` applies.

    In Vault, maintenance may do this. The limit doubles with each deletion.
    """
    limit = call.server.faults.setting("forget-pages")
    if limit and pages.pages_read >= limit << call.server.faults.counts["forget-pages"]:
        del call.server.queries[key]
        call.server.faults.counts["forget-pages"] += 1


def _page_link(call: ApiCall, key: str, size: int, offset: int) -> str:
    path = f"/query/{key}?pagesize={size}&pageoffset={offset}"
    form = call.server.link_form
    if form == "mixed":
        form = _LINK_FORMS[call.server.calls % len(_LINK_FORMS)]
    return {"full": call.request.base + call.url(path), "versioned": call.url(path), "bare": path}[form]


def _injected_warning(call: ApiCall) -> JsonDict:
    occurrence = call.server.faults.next_occurrence("warning")
    if not occurrence:
        return {}
    type_key = "type" if occurrence % 2 else "warning_type"
    warning = {type_key: "DUPLICATE", "message": "This query repeats an earlier one"}
    return {"responseStatus": "WARNING", "warnings": [warning]}


def _describe_query(engine: QueryEngine, source: Object, tree: vql.Select) -> JsonDict:
    fields = [
        field_entry(engine.resolve_field(source, column.path)) | {"name": column.name}
        for column in tree.columns
        if isinstance(column, vql.Column)
    ]
    description = {"name": source.name, "label": source.label, "label_plural": source.label}
    return {"type": "select__sys", "object": description, "fields": fields}


def _record_properties(row: JsonDict) -> JsonDict:
    rights = {"read": True, "edit": False, "create": False, "delete": False}
    return {"id": row.get("id"), "permissions": rights} | {
        "field_properties": {"hidden": [], "redacted": [], "edit": []},
        "subquery_properties": {},
        "field_additional_data": {},
    }
