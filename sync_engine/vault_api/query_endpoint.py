"""`/query`: VQL over HTTP, with pages that are asked for by the link that the page before carried."""

from __future__ import annotations

from sync_engine.hashing import short_hash
from sync_engine.json_docs import JsonDict
from sync_engine.protocol import VaultError
from sync_engine.vault_api import vql
from sync_engine.vault_api.evaluate import Answers
from sync_engine.vault_api.messages import Reply, success, whole
from sync_engine.vault_api.metadata import field_entry
from sync_engine.vault_api.objects import Object
from sync_engine.vault_api.server_state import Call, Pages

PAGE_ROWS = 1000
PAGE_SECONDS = 72 * 3600.0
"""Documented: a page link lives this long after its last use."""
_LINKS = ("full", "versioned", "bare")


def query(call: Call) -> Reply:
    """`POST /query`, also as GET with `q` in the URL."""
    text = call.request.form().get("q", "")
    if not text.strip():
        raise VaultError("PARAMETER_REQUIRED", "Missing required parameter [q]")
    try:
        tree = vql.parse(text)
    except VaultError as refused:
        if call.served.faults.number("drift"):
            raise VaultError("INCORRECT_QUERY_SYNTAX", refused.message) from refused
        raise
    answers = Answers(call.objects())
    if isinstance(tree, vql.Show):
        rows = answers.show(tree)
        return success({"responseDetails": {"size": len(rows), "total": len(rows)}, "data": rows})
    rows = answers.select(tree)
    source = answers.objects[answers.target(tree.target)]
    size = tree.number("PAGESIZE") or PAGE_ROWS
    key = short_hash("query", call.execution_id, call.served.salt, size=16)
    key = f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}"
    call.served.remember(key, Pages(rows, source.name, call.now))
    doc = _page(call, key, size, tree.number("PAGEOFFSET") or 0)
    if tree.target == "users":  # documented: this target has no page links
        doc["responseDetails"].pop("next_page", None)
    if call.request.header("x-vaultapi-describequery").lower() == "true":
        doc["queryDescribe"] = _describe(answers, source, tree)
    if "x-vaultapi-recordproperties" in call.request.headers:
        doc["record_properties"] = [_properties(row) for row in doc["data"]]
    return success(doc | _warnings(call))


def next_page(call: Call) -> Reply:
    """`/query/{id}?pagesize=&pageoffset=`, by GET or POST."""
    key = call.args["query"]
    pages = call.served.queries.get(key)
    if pages is None or call.now - pages.used > PAGE_SECONDS:
        call.served.queries.pop(key, None)
        raise VaultError("INVALID_DATA", f"The query [{key}] has expired; send it again")
    form = call.request.form()
    size = whole(form.get("pagesize"), PAGE_ROWS, low=1)
    return success(_page(call, key, size, whole(form.get("pageoffset"), 0)) | _warnings(call))


def _page(call: Call, key: str, size: int, offset: int) -> JsonDict:
    pages = call.served.queries[key]
    pages.used = call.now
    pages.taken += 1
    call.served.queries.move_to_end(key)
    limit = call.served.faults.number("shrink")
    asked, size = size, min(size, limit) if limit else size
    rows = pages.rows[offset : offset + size]
    details: JsonDict = {"pagesize": size, "pageoffset": offset, "size": len(rows), "total": len(pages.rows)}
    if offset + size < len(pages.rows):
        details["next_page"] = _link(call, key, asked, offset + size)
    if offset:
        details["previous_page"] = _link(call, key, asked, max(0, offset - size))
    _forget(call, key, pages)
    return {"responseDetails": details, "data": rows}


def _forget(call: Call, key: str, pages: Pages) -> None:
    """Maintenance may end a query's pages early; each time this has happened, the next query lives longer."""
    limit = call.served.faults.number("forget-pages")
    if limit and pages.taken >= limit << call.served.faults.done["forget-pages"]:
        del call.served.queries[key]
        call.served.faults.done["forget-pages"] += 1


def _link(call: Call, key: str, size: int, offset: int) -> str:
    tail = f"/query/{key}?pagesize={size}&pageoffset={offset}"
    form = call.served.links
    if form == "mixed":
        form = _LINKS[call.served.calls % len(_LINKS)]
    return {"full": call.request.base + call.url(tail), "versioned": call.url(tail), "bare": tail}[form]


def _warnings(call: Call) -> JsonDict:
    turn = call.served.faults.turn("warning")
    if not turn:
        return {}
    word = "type" if turn % 2 else "warning_type"
    warning = {word: "DUPLICATE", "message": "This query repeats an earlier one"}
    return {"responseStatus": "WARNING", "warnings": [warning]}


def _describe(answers: Answers, source: Object, tree: vql.Select) -> JsonDict:
    fields = [
        field_entry(answers.field_of(source, one.path)) | {"name": one.name}
        for one in tree.columns
        if isinstance(one, vql.Column)
    ]
    about = {"name": source.name, "label": source.label, "label_plural": source.label}
    return {"type": "select__sys", "object": about, "fields": fields}


def _properties(row: JsonDict) -> JsonDict:
    rights = {"read": True, "edit": False, "create": False, "delete": False}
    return {"id": row.get("id"), "permissions": rights} | {
        "field_properties": {"hidden": [], "redacted": [], "edit": []},
        "subquery_properties": {},
        "field_additional_data": {},
    }
