"""The Errors tab: one entry per failing record, with the actions of the user and the administrator."""

from __future__ import annotations

from dataclasses import dataclass

from sync_engine.device.client import IN_FLIGHT, Device, durable_transaction
from sync_engine.device.download import request_full_download
from sync_engine.device.edits import ids_of_record, remove_transaction
from sync_engine.json_docs import JsonDict


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of the Errors tab: one failing record."""

    key: str
    object: str
    record_id: str
    operation: str
    type: str
    message: str
    field: str | None
    opened_at: float

    @property
    def actions(self) -> tuple[str, ...]:
        """Return the user's actions: undo an update, undelete a delete. A create can only be cleared."""
        return {"update": ("undo",), "delete": ("undelete",)}.get(self.operation, ())


def entries(device: Device) -> list[Entry]:
    """Return every open entry, oldest first."""
    rows = device.journal.execute(
        "SELECT key, object, record_id, operation, type, message, field, opened_at FROM failure "
        "ORDER BY opened_at, key"
    )
    names = ("key", "object", "record_id", "operation", "type", "message", "field", "opened_at")
    return [Entry(**dict(zip(names, row, strict=True))) for row in rows]


def undo(device: Device, key: str) -> None:
    """Revert a refused update. The next incremental sync downloads all records of the object again.

    Raises ValueError if the entry cannot be undone or another upload of the record is pending.
    """
    entry = _find_entry(device, key, "undo")
    _drop_edits(device, [key])
    request_full_download(device, entry.object)


def undelete(device: Device, key: str) -> None:
    """Revert a refused delete. The next incremental sync becomes a database refresh."""
    _find_entry(device, key, "undelete")
    _drop_edits(device, [key])
    device.put("refresh_wanted", "undelete")


def clear(device: Device) -> list[JsonDict]:
    """Delete every entry with its edits, as the administrator requested. Returns the lost edits.

    An entry that was sent again and has no answer yet stays: Vault may have accepted it.
    """
    unanswered_keys = device.get(IN_FLIGHT, [])
    keys = [entry.key for entry in entries(device) if entry.key not in unanswered_keys]
    lost = [
        {"key": key, "object": name, "record_id": record_id, "operation": operation, "fields": fields}
        for key, name, record_id, operation, fields in device.journal.execute(
            "SELECT key, object, record_id, operation, fields FROM outbox ORDER BY n"
        )
        if key in keys
    ]
    _drop_edits(device, keys)
    for name in sorted({edit["object"] for edit in lost}):
        request_full_download(device, name)
    device.put("lost", [*device.get("lost", []), *lost])
    return lost


def _find_entry(device: Device, key: str, action: str) -> Entry:
    entry = next((item for item in entries(device) if item.key == key), None)
    if entry is None or action not in entry.actions:
        raise ValueError(f"{action} is not possible for {key}: no such entry offers it")
    ids = ids_of_record(device, entry.record_id)
    row = device.journal.execute(
        f"SELECT 1 FROM outbox WHERE record_id IN ({','.join('?' * len(ids))}) "
        "AND key <> ? AND acked_seq IS NULL",
        (*ids, key),
    ).fetchone()
    if row or key in device.get(IN_FLIGHT, []):
        raise ValueError(f"{action} is not possible for {key}: another upload of the record is pending")
    return entry


def _drop_edits(device: Device, keys: list[str]) -> None:
    with durable_transaction(device.journal):
        for key in keys:
            remove_transaction(device, key)
        device.journal.executemany("DELETE FROM failure WHERE key = ?", [(key,) for key in keys])
