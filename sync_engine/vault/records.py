"""Records of the Vault and the bucket log, which lists every write.

Every write uses the next sequence number, which is also the record's revision. A record belongs to the bucket
of its territory. Child records move with their parent, so moving an account also moves its calls.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from sync_engine.hashing import revision_hash
from sync_engine.json_docs import JsonDict, from_json, to_json
from sync_engine.vault.state import EVERYWHERE, Vault


@dataclass(frozen=True, slots=True)
class Record:
    """One record as stored in the Vault."""

    id: str
    object: str
    mobile_id: str | None
    revision: int
    territory: str
    parent: str | None
    deleted: bool
    doc: JsonDict


_COLUMNS = "id, object, mobile_id, revision, territory, parent, deleted, doc"


def find(vault: Vault, record_id: object) -> Record | None:
    """Find a record by id or mobile id, including deleted records. Returns None if it never existed."""
    id_columns = ("mobile_id",) if str(record_id).startswith("m-") else ("id", "mobile_id")
    for column in id_columns:
        row = vault.db.execute(f"SELECT {_COLUMNS} FROM record WHERE {column} = ?", (record_id,)).fetchone()
        if row:
            return Record(
                id=row[0],
                object=row[1],
                mobile_id=row[2],
                revision=row[3],
                territory=row[4],
                parent=row[5],
                deleted=bool(row[6]),
                doc=from_json(row[7]),
            )
    return None


def list_child_ids(vault: Vault, record_id: str) -> list[str]:
    """Return the ids of the child records that are not deleted."""
    rows = vault.db.execute(
        "SELECT id FROM record WHERE parent = ? AND NOT deleted ORDER BY id", (record_id,)
    )
    return [row[0] for row in rows]


def insert(
    vault: Vault, object_name: str, doc: JsonDict, *, at: float, by: str, mobile_id: str | None = None
) -> Record:
    """Store a new record with a new id."""
    record_id = f"V{_id_prefix(object_name)}{vault.next_value('id'):012d}"
    definition = vault.live["object"][object_name]
    parent = doc.get(definition["parent"]) if definition["parent"] else None
    territory = _territory_of(vault, definition, parent, doc)
    stamped = doc | {
        "id": record_id,
        "mobile_id__v": mobile_id,
        "created_by__v": by,
        "modified_by__v": by,
        "created_date__v": at,
        "modified_date__v": at,
    }
    record = Record(record_id, object_name, mobile_id, 0, territory, parent, False, stamped)
    return _write(vault, record)


def update(vault: Vault, record: Record, changes: JsonDict, *, at: float, by: str) -> Record:
    """Change fields of a record. If its parent changes, move it to the parent's territory."""
    doc = record.doc | changes | {"modified_by__v": by, "modified_date__v": at}
    definition = vault.live["object"][record.object]
    parent = doc.get(definition["parent"]) if definition["parent"] else None
    changed = replace(record, parent=parent, doc=doc)
    territory = record.territory if parent == record.parent else _territory_of(vault, definition, parent, doc)
    if territory != record.territory:
        return move(vault, changed, territory)
    return _write(vault, changed)


def delete(vault: Vault, record: Record, *, at: float, by: str) -> None:
    """Mark a record as deleted, so that devices delete it."""
    _write(vault, replace(record, deleted=True, doc=_with_modification(record, at, by)))


def undelete(vault: Vault, record: Record, *, at: float, by: str) -> Record:
    """Restore a deleted record and send its children to devices again."""
    restored = _write(vault, replace(record, deleted=False, doc=_with_modification(record, at, by)))
    for child in list_child_ids(vault, record.id):
        child_record = find(vault, child)
        if child_record is not None:
            _write(vault, child_record)
    return restored


def _with_modification(record: Record, at: float, by: str) -> JsonDict:
    return record.doc | {"modified_by__v": by, "modified_date__v": at}


def move(vault: Vault, record: Record, territory: str) -> Record:
    """Move a record and its descendants to the bucket of another territory."""
    _log_removal(vault, record)
    moved = _write(vault, replace(record, territory=territory), placed=False)
    rows = vault.db.execute("SELECT id FROM record WHERE parent = ? ORDER BY id", (record.id,)).fetchall()
    for (child,) in rows:
        child_record = find(vault, child)
        if child_record is not None and child_record.territory != territory:
            move(vault, child_record, territory)
    return moved


def _log_removal(vault: Vault, record: Record) -> None:
    _subtract_from_digest(vault, record.id)
    _log_change(vault, record.territory, record, vault.next_value("seq"), "remove")


def _write(vault: Vault, record: Record, *, placed: bool = True) -> Record:
    seq = vault.next_value("seq")
    if placed and record.revision:
        _subtract_from_digest(vault, record.id)
    written = replace(record, revision=seq)
    text = to_json(record.doc)
    tag = revision_hash(record.id, seq)
    leading_values = (record.id, record.object, record.mobile_id, seq, record.territory, record.parent)
    vault.db.execute(
        f"INSERT OR REPLACE INTO record ({_COLUMNS}, tag) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*leading_values, int(record.deleted), text, tag),
    )
    _log_change(vault, record.territory, record, seq, "put")
    if not record.deleted:
        vault.add_to_digest(record.object, record.territory, 1, tag)
    return written


def _log_change(vault: Vault, territory: str, record: Record, seq: int, operation: str) -> None:
    vault.db.execute(
        "INSERT OR REPLACE INTO bucket_log (territory, id, object, seq, operation) VALUES (?, ?, ?, ?, ?)",
        (territory, record.id, record.object, seq, operation),
    )


def _subtract_from_digest(vault: Vault, record_id: str) -> None:
    row = vault.db.execute(
        "SELECT object, territory, tag FROM record WHERE id = ? AND NOT deleted", (record_id,)
    ).fetchone()
    if row:
        vault.add_to_digest(row[0], row[1], -1, -row[2])


def _territory_of(vault: Vault, definition: JsonDict, parent: str | None, doc: JsonDict) -> str:
    if definition["sharing"] == "public":
        return EVERYWHERE
    if parent is not None:
        row = vault.db.execute("SELECT territory FROM record WHERE id = ?", (parent,)).fetchone()
        if row:
            return str(row[0])
    return str(doc.get("territory__v") or EVERYWHERE)


@cache
def _id_prefix(object_name: str) -> str:
    """Return three letters that identify the object in its ids, as in Vault."""
    total = sum(ord(letter) * position for position, letter in enumerate(object_name, start=1))
    return f"{total % 46656:03X}"[-3:]
