"""What a user should see, worked out from scratch: no SQL of the engine, no log, no digest.

Slow and plain on purpose: it judges the engine's scope, so it shares with it only the WHERE clause's parser.
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
    """Every record that belongs on the user's device now."""
    rows = vault.db.execute(
        "SELECT object, id, revision, territory, parent, doc FROM record WHERE NOT deleted ORDER BY id"
    ).fetchall()
    user = vault.live["user"][user_id]
    rights = vault.live["permission_set"][user["permission_set"]]
    vmocs = {
        one["object_name__v"]: one
        for one in vault.published["vmoc"].values()
        if one["active__v"] and f"{platform.lower()}__v" in one["device__v"]
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
    """The fields of a record as it went over the wire, or lies in the Vault; only to be looked at."""
    return from_json(text)  # type: ignore[no-any-return]


def _parents_first(vmocs: dict[str, JsonDict]) -> list[str]:
    """Parents before the objects that hang on them."""
    done: list[str] = []
    while len(done) < len(vmocs):
        done += [
            name
            for name, one in vmocs.items()
            if name not in done
            and (one["type__v"] != "related_to_top_level__v" or one["parent_object__v"] in [*done, None]
                 or one["parent_object__v"] not in vmocs)
        ]  # fmt: skip
    return done


def _in_territory(vault: Vault, user: JsonDict, record: Record) -> bool:
    public = vault.live["object"][record[0]]["sharing"] == "public"
    return record[3] == "*" if public else record[3] in user["territories"]


def _is_selected(
    one: JsonDict,
    record: Record,
    records: Records,
    selected_ids: set[str],
) -> bool:
    if not matches(
        parse(one["where_clause__v"], {}), record[5], lambda _, other: _fields_of_record(records, other)
    ):
        return False
    return (
        one["type__v"] != "related_to_top_level__v"
        or record[4] in selected_ids
        or one["parent_object__v"] is None
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
    """Parents that come along with their children's rows."""
    parent_ids: set[str] = set()
    reaching = [name for name, one in vmocs.items() if one["type__v"] == "child_and_parent_row__v"]
    for record in (one for name in reaching for one in kinds.get(name, [])):
        one = vmocs[record[0]]
        parent = records.get(record[4] or "")
        if parent is None:
            continue
        readable = all(rights["objects"].get(name, {}).get("read", True) for name in (record[0], parent[0]))
        placed = _in_territory(vault, user, record) and _in_territory(vault, user, parent)
        wanted = matches(
            parse(one["where_clause__v"], {}), record[5], lambda _, other: _fields_of_record(records, other)
        )
        if readable and placed and wanted and parent[0] == one["parent_object__v"] and parent[0] in vmocs:
            parent_ids.add(parent[1])
    return parent_ids


def _drop_orphans(
    rights: JsonDict,
    vmocs: dict[str, JsonDict],
    kinds: dict[str, list[Record]],
    records: Records,
    selected_ids: set[str],
) -> None:
    """A parent that came along brings its related rows too; nothing else hangs in the air."""
    for name in _parents_first(vmocs):
        one = vmocs[name]
        readable = rights["objects"].get(name, {}).get("read", True)
        if one["type__v"] != "related_to_top_level__v" or not readable:
            continue
        for record in kinds.get(name, []):
            if record[4] not in selected_ids:
                selected_ids.discard(record[1])
            elif matches(
                parse(one["where_clause__v"], {}),
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
