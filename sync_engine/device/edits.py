"""Edits that a user makes between syncs, and reading records with pending edits applied.

The data database contains only records that Vault sent. An edit stays in the outbox until Vault has answered
and a download includes the answer. No download can overwrite an edit, and an edit is never hidden in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sync_engine.device.client import IN_FLIGHT, Device, durable_transaction
from sync_engine.json_docs import JsonDict, from_json, to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One change of one record. `fields` is empty for a delete."""

    operation: str  # create, update, delete
    object: str
    record_id: str
    fields: JsonDict


def new_mobile_id(device: Device) -> str:
    """Return a new mobile id for a record that exists only on this device."""
    return f"m-{device.env.random_stream('ids').getrandbits(80):020x}"


def save(device: Device, edits: list[Edit]) -> str:
    """Add the edits of one save to the outbox as one transaction.

    Returns the key of the transaction. Vault accepts all of its edits or none, such as a call with its children.
    """
    key = f"{device.env.random_stream('keys').getrandbits(128):032x}"
    now = device.env.now()
    device.env.fault_point("edit.save")
    with durable_transaction(device.journal):
        for edit in edits:
            _append_to_outbox(device, key, edit, now)
    return key


def correct_refused_edit(device: Device, key: str, record_id: str, fields: JsonDict) -> str:
    """Change a refused record before it is sent again. Returns the new key of the transaction.

    Only a refused edit may be changed: any other edit may already have reached Vault. Raises ValueError for a key
    without an open entry in the Errors tab, or if the edit was sent again.
    """
    if not device.journal.execute("SELECT 1 FROM failure WHERE key = ?", (key,)).fetchone():
        raise ValueError(f"{key} has no open error; only a refused record can be amended")
    if key in device.get(IN_FLIGHT, []):
        raise ValueError(f"{key} was sent again and has no answer yet; sync before you change it")
    new_key = f"{device.env.random_stream('keys').getrandbits(128):032x}"
    with durable_transaction(device.journal):
        device.journal.execute("DELETE FROM failure WHERE key = ?", (key,))
        device.journal.execute("UPDATE outbox SET key = ? WHERE key = ?", (new_key, key))
        update_previous_values(device, new_key, record_id, fields)
        device.journal.execute(
            "UPDATE outbox SET fields = json_patch(fields, ?) WHERE key = ? AND record_id = ?",
            (to_json(fields), new_key, record_id),
        )
    return new_key


def remove_transaction(device: Device, key: str) -> None:
    """Remove a transaction and move its previous values to later edits of the same fields."""
    rows = device.journal.execute("SELECT record_id, was FROM outbox WHERE key = ? ORDER BY n DESC", (key,))
    for record_id, previous in rows.fetchall():
        update_previous_values(device, key, record_id, from_json(previous))
    device.journal.execute("DELETE FROM outbox WHERE key = ?", (key,))


def update_previous_values(device: Device, key: str, record_id: str, values: JsonDict) -> None:
    """Set these values as the previous values of the next edit of each field.

    The next edit is the first one after the transaction `key`.
    """
    ids = ids_of_record(device, record_id)
    placeholders = ",".join("?" * len(ids))
    later_edits = device.journal.execute(
        "SELECT n, was FROM outbox WHERE n > (SELECT max(n) FROM outbox WHERE key = ?) "
        f"AND record_id IN ({placeholders}) ORDER BY n",
        (key, *ids),
    ).fetchall()
    remaining = dict(values)
    for n, previous in later_edits:
        new_values = {name: remaining.pop(name) for name in from_json(previous) if name in remaining}
        if new_values:
            device.journal.execute(
                "UPDATE outbox SET was = ? WHERE n = ?", (to_json(from_json(previous) | new_values), n)
            )


def _append_to_outbox(device: Device, key: str, edit: Edit, now: float) -> None:
    shown = {} if edit.operation == "create" else (read_record(device, edit.record_id) or {})
    previous = {name: shown.get(name) for name in edit.fields}
    device.journal.execute(
        "INSERT INTO outbox (key, object, record_id, operation, base_revision, fields, was, edited_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            key,
            edit.object,
            edit.record_id,
            edit.operation,
            _base_revision(device, edit.record_id),
            to_json(edit.fields),
            to_json(previous),
            now,
        ),
    )


def _base_revision(device: Device, record_id: str) -> int | None:
    for known_id in ids_of_record(device, record_id):
        row = device.data.execute("SELECT revision FROM record WHERE id = ?", (known_id,)).fetchone()
        if row:
            return int(row[0])
    return None


def ids_of_record(device: Device, record_id: str) -> tuple[str, ...]:
    """Return all ids of the record: one, or its Vault id and its mobile id."""
    row = device.journal.execute(
        "SELECT id, mobile_id FROM known_id WHERE mobile_id = ? OR id = ?", (record_id, record_id)
    ).fetchone()
    row = (
        row
        or device.data.execute(
            "SELECT id, mobile_id FROM record WHERE (mobile_id = ? OR id = ?) AND mobile_id IS NOT NULL",
            (record_id, record_id),
        ).fetchone()
    )
    return (record_id,) if row is None else (row[0], row[1])


def read_record(device: Device, record_id: str) -> JsonDict | None:
    """Return a record as its user sees it, with pending edits applied; None if there is none."""
    ids = ids_of_record(device, record_id)
    doc: JsonDict | None = None
    for known_id in ids:
        row = device.data.execute("SELECT doc FROM record WHERE id = ?", (known_id,)).fetchone()
        if row:
            doc = from_json(row[0])
            break
    placeholders = ",".join("?" * len(ids))
    rows = device.journal.execute(
        f"SELECT operation, fields FROM outbox WHERE record_id IN ({placeholders}) ORDER BY n", ids
    )
    for operation, fields in rows:
        doc = None if operation == "delete" else (doc or {}) | from_json(fields)
    return doc


def list_record_ids(device: Device, object_name: str) -> list[str]:
    """Return the ids of the object's records that Vault has sent to the device, sorted."""
    rows = device.data.execute("SELECT id FROM record WHERE object = ? ORDER BY id", (object_name,))
    return [row[0] for row in rows]


def list_pending_edits(device: Device) -> Iterator[tuple[str, str, str, float, str]]:
    """Yield pending edits as (object, record id, operation, edited at, key), oldest first."""
    yield from device.journal.execute(
        "SELECT object, record_id, operation, edited_at, key FROM outbox WHERE acked_seq IS NULL ORDER BY n"
    ).fetchall()


def count_pending_edits(device: Device) -> int:
    """Return the number of edits that are pending upload."""
    row = device.journal.execute("SELECT count(*) FROM outbox WHERE acked_seq IS NULL").fetchone()
    return int(row[0])
