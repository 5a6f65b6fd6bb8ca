"""The `/query` endpoint: VQL over HTTP. Each page contains the link to the next one."""

from __future__ import annotations

from sync_engine.hashing import short_hash
from sync_engine.json_docs import JsonDict
from sync_engine.protocol import VaultError
from sync_engine.vault_api.messages import Reply, parse_whole_number, success_reply
from sync_engine.vault_api.metadata import field_entry
from sync_engine.vault_api.objects import Object
from sync_engine.vault_api.server_state import ApiCall, StoredPages
from sync_engine.vault_api.user_entries import build_users_target
from sync_engine.vault_api.vql.engine import USERS, QueryEngine
from sync_engine.vault_api.vql.parser import parse
from sync_engine.vault_api.vql.tree import Column, Select, Show

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
    if call.request.header("x-vaultapi-facets"):
        raise VaultError("OPERATION_NOT_ALLOWED", "Facets are not served; send no X-VaultAPI-Facets")
    try:
        tree = parse(text)
    except VaultError as refusal:
        if call.server.faults.setting("drift"):
            raise VaultError("INCORRECT_QUERY_SYNTAX", refusal.message) from refusal
        raise
    engine = _make_engine(call)
    if isinstance(tree, Show):
        rows = engine.show(tree)
        size = max(PAGE_ROWS, len(rows))
        details = {"pagesize": size, "pageoffset": 0, "size": len(rows), "total": len(rows)}
        return success_reply({"responseDetails": details, "data": rows})
    return success_reply(_first_page(call, engine, tree) | _injected_warning(call))


def _make_engine(call: ApiCall) -> QueryEngine:
    objects = call.list_objects()
    targets = objects | {USERS: build_users_target(call.server)} if "user__sys" in objects else objects

    def link_page(name: str, rows: list[JsonDict], size: int) -> str:
        key = _page_key(call, len(call.server.queries), name, rows[0].get("id"))
        call.server.store_pages(key, StoredPages(rows, name, call.now))
        return _page_link(call, key, size, size)

    return QueryEngine(targets, call.now, link_page)


def _first_page(call: ApiCall, engine: QueryEngine, tree: Select) -> JsonDict:
    call.server.require_access(tree.target)
    rows = engine.select(tree)
    source = engine.resolve_target(tree.target)
    key = _page_key(call)
    call.server.store_pages(key, StoredPages(rows, source.name, call.now))
    # Documented: LIMIT and OFFSET are the former names, and are ignored beside PAGESIZE and PAGEOFFSET.
    size = tree.number("PAGESIZE") or tree.number("LIMIT") or PAGE_ROWS
    offset = tree.number("PAGEOFFSET")
    doc = _read_page(call, key, size, (tree.number("OFFSET") or 0) if offset is None else offset)
    if tree.find_text is not None:
        doc["responseDetails"] = {"find": tree.find_text} | doc["responseDetails"]
    if source.name == USERS:  # documented: this target has no page links
        doc["responseDetails"].pop("next_page", None)
        doc["responseDetails"].pop("previous_page", None)
    if call.request.header("x-vaultapi-describequery").lower() == "true":
        doc["queryDescribe"] = _describe_query(engine, source, tree)
    if "x-vaultapi-recordproperties" in call.request.headers:
        doc["record_properties"] = [_record_properties(call, source, row) for row in doc["data"]]
    return doc


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


def _page_key(call: ApiCall, *parts: object) -> str:
    key = short_hash("query", call.execution_id, call.server.salt, *parts, size=16)
    return f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}"


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


def _describe_query(engine: QueryEngine, source: Object, tree: Select) -> JsonDict:
    fields = [
        _describe_column(engine, source, column) for column in tree.columns if isinstance(column, Column)
    ]
    description = {"name": source.name, "label": source.label, "label_plural": source.label_plural}
    return {"type": "select__sys", "object": description, "fields": fields}


def _describe_column(engine: QueryEngine, source: Object, column: Column) -> JsonDict:
    if column.path == "id":  # documented in this short form
        entry: JsonDict = {"type": "id", "required": True}
    else:
        entry = field_entry(engine.resolve_field(source, column.path))
    entry["name"] = column.key
    if column.function is not None:
        entry["function"] = column.function
    return entry | ({"alias": True} if column.alias else {})


def _record_properties(call: ApiCall, source: Object, row: JsonDict) -> JsonDict:
    rights = call.server.object_rights(call.user, source)
    editable = [
        name for name in row if rights["edit"] and name in source.fields and source.fields[name].editable
    ]
    return {"id": row.get("id"), "permissions": rights} | {
        "field_properties": {"hidden": [], "redacted": [], "edit": editable},
        "subquery_properties": {},
        "field_additional_data": {},
    }
