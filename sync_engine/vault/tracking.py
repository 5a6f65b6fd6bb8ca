"""Sync tracking records: storing uploaded ones, and reading them in Vault's format."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from sync_engine.hashing import short_hash
from sync_engine.json_docs import JsonDict, from_json, to_json
from sync_engine.telemetry import SyncTracking
from sync_engine.vault.state import Vault

TIMES = ("sync_start_datetime__v", "sync_completed_datetime__v")


def tracking_id(mobile_id: str) -> str:
    """Return the id of a tracking record.

    It is derived from the mobile id, so that errors can refer to the record before it is uploaded.
    """
    return f"V8S{int(short_hash('sync', mobile_id, size=6), 16):015d}"


def store_tracking_records(vault: Vault, user: str, rows: list[JsonDict], now: float) -> JsonDict:
    """Store new or changed tracking records. Storing unchanged ones again has no effect."""
    for row in rows:
        vault.db.execute(
            "INSERT INTO tracking VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "modified = CASE WHEN doc = excluded.doc THEN modified ELSE excluded.modified END, "
            "doc = excluded.doc",
            (row["mobile_id__v"], tracking_id(row["mobile_id__v"]), user, now, now, to_json(row)),
        )
    return {"kept": [row["mobile_id__v"] for row in rows]}


def read_tracking_records(vault: Vault, since: float, until: float) -> Iterator[SyncTracking]:
    """Yield the tracking records last changed in (since, until], in order of creation."""
    rows = vault.db.execute(
        "SELECT id, user, created, modified, doc FROM tracking WHERE modified > ? AND modified <= ? "
        "ORDER BY created, id",
        (since, until),
    )
    for record_id, user, created, modified, text in rows:
        doc = from_json(text)
        for name in TIMES:
            doc[name] = _to_datetime(doc[name]) if doc[name] is not None else None
        yield SyncTracking(
            id=record_id,
            status__v="active__v",
            created_by__v=user,
            modified_by__v=user,
            created_date__v=_to_datetime(created),
            modified_date__v=_to_datetime(modified),
            **doc,
        )


def _to_datetime(seconds: float) -> datetime:
    return datetime.fromtimestamp(round(seconds, 3), UTC)
