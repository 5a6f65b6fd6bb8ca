"""Compute the records that a user should see, without the engine's SQL, log or digest.

The code is slow and simple, because it checks the engine's scope. Both share only the parser of WHERE clauses.
"""

from __future__ import annotations

from functools import lru_cache

from sync_engine.json_docs import JsonDict, from_json
from sync_engine.vault.server import Vault
from sync_engine.where_clause import matches, parse

View = dict[str, dict[str, tuple[int, JsonDict]]]
"""object -> record id -> (revision, visible fields)."""
Record = tuple[str, str, int, str, str | None, JsonDict]
"""(object, id, revision, territory, parent, fields)."""
Records = dict[str, Record]


def compute_view(vault: Vault, user_id: str, platform: str) -> View:
    """Return every record that the user's device should have now."""
    rows = vault.db.execute(
        "SELECT object, id, revision, territory, parent, doc FROM record WHERE NOT deleted ORDER BY id"
    ).fetchall()
    user = vault.live["user"][user_id]
    rights = vault.live["permission_set"][user["permission_set"]]
    vmocs = {
        rule["object_name__v"]: rule
        for rule in vault.published["vmoc"].values()
        if rule["active__v"] and f"{platform.lower()}__v" in rule["device__v"]
    }
    records: Records = {row[1]: (*row[:5], parse_fields(row[5])) for row in rows}
    kinds: dict[str, list[Record]] = {}
    for record in records.values():
        kinds.setdefault(record[0], []).append(record)
    selected_ids: set[str] = set()
    for name in _parents_first(vmocs):
        if rights["objects"].get(name, {}).get("read", True):
            selected_ids |= {
                record[1]
                for record in kinds.get(name, [])
                if _in_territory(vault, user, record)
                and _is_selected(vmocs[name], record, records, selected_ids)
            }
    selected_ids |= _parents(vault, user, rights, vmocs, kinds, records)
    _drop_orphans(rights, vmocs, kinds, records, selected_ids)
    return _visible_fields(rights, records, selected_ids)


@lru_cache(maxsize=8192)
def parse_fields(text: str) -> JsonDict:
    """Parse the fields of a record from a message or the Vault. The result is cached: do not change it."""
    return from_json(text)  # type: ignore[no-any-return]


def _parents_first(vmocs: dict[str, JsonDict]) -> list[str]:
    """Return the names of the objects, parents before the objects related to them."""
    sorted_names: list[str] = []
    while len(sorted_names) < len(vmocs):
        sorted_names += [
            name
            for name, rule in vmocs.items()
            if name not in sorted_names
            and (rule["type__v"] != "related_to_top_level__v" or rule["parent_object__v"] in [*sorted_names, None]
                 or rule["parent_object__v"] not in vmocs)
        ]  # fmt: skip
    return sorted_names


def _in_territory(vault: Vault, user: JsonDict, record: Record) -> bool:
    public = vault.live["object"][record[0]]["sharing"] == "public"
    return record[3] == "*" if public else record[3] in user["territories"]


def _is_selected(
    rule: JsonDict,
    record: Record,
    records: Records,
    selected_ids: set[str],
) -> bool:
    if not matches(
        parse(rule["where_clause__v"], {}), record[5], lambda _, other: _fields_of_record(records, other)
    ):
        return False
    return (
        rule["type__v"] != "related_to_top_level__v"
        or record[4] in selected_ids
        or rule["parent_object__v"] is None
    )


def _fields_of_record(records: Records, record_id: object) -> JsonDict | None:
    record = records.get(str(record_id))
    return None if record is None else record[5]


def _parents(  # noqa: PLR0917
    vault: Vault,
    user: JsonDict,
    rights: JsonDict,
    vmocs: dict[str, JsonDict],
    kinds: dict[str, list[Record]],
    records: Records,
) -> set[str]:
    """Return the ids of parents that are synced because of a child record."""
    parent_ids: set[str] = set()
    child_objects = [name for name, rule in vmocs.items() if rule["type__v"] == "child_and_parent_row__v"]
    for record in (child for name in child_objects for child in kinds.get(name, [])):
        rule = vmocs[record[0]]
        parent = records.get(record[4] or "")
        if parent is None:
            continue
        readable = all(rights["objects"].get(name, {}).get("read", True) for name in (record[0], parent[0]))
        in_territory = _in_territory(vault, user, record) and _in_territory(vault, user, parent)
        condition_met = matches(
            parse(rule["where_clause__v"], {}), record[5], lambda _, other: _fields_of_record(records, other)
        )
        if not (readable and in_territory and condition_met):
            continue
        if parent[0] == rule["parent_object__v"] and parent[0] in vmocs:
            parent_ids.add(parent[1])
    return parent_ids


def _drop_orphans(
    rights: JsonDict,
    vmocs: dict[str, JsonDict],
    kinds: dict[str, list[Record]],
    records: Records,
    selected_ids: set[str],
) -> None:
    """Add related records of the selected parents, and remove related records without a selected parent."""
    for name in _parents_first(vmocs):
        rule = vmocs[name]
        readable = rights["objects"].get(name, {}).get("read", True)
        if rule["type__v"] != "related_to_top_level__v" or not readable:
            continue
        for record in kinds.get(name, []):
            if record[4] not in selected_ids:
                selected_ids.discard(record[1])
            elif matches(
                parse(rule["where_clause__v"], {}),
                record[5],
                lambda _, other: _fields_of_record(records, other),
            ):
                selected_ids.add(record[1])


def _visible_fields(rights: JsonDict, records: Records, selected_ids: set[str]) -> View:
    view: View = {}
    for record_id in sorted(selected_ids):
        name, _, revision, _, _, doc = records[record_id]
        exceptions = rights["fields"].get(name, {})
        if not rights["objects"].get(name, {}).get("read", True):
            continue
        hidden = {field for field, rule in exceptions.items() if not rule.get("read", True)}
        visible = {k: v for k, v in doc.items() if k not in hidden} if hidden else doc
        view.setdefault(name, {})[record_id] = (revision, visible)
    return view
