"""Snapshots: SQLite databases that contain the whole scope of a device.

Building the database is the main cost of a first download. The Vault builds it once per scope and sequence
number, and the device only stores the bytes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from sync_engine.device_schema import DATA_INDEXES, DATA_TABLES
from sync_engine.hashing import short_hash
from sync_engine.vault.downloads import to_wire
from sync_engine.vault.scope import Scope
from sync_engine.vault.state import Vault

KEPT = 8
"""Maximum number of cached snapshots."""


def build_snapshot(vault: Vault, scope: Scope) -> bytes:
    """Return the bytes of a data database with all records of the scope.

    The snapshot is cached until the Vault or the scope changes.
    """
    key = (
        "snapshot",
        short_hash(vault.sequence(), *sorted(rule.fingerprint for rule in scope.rules.values())),
    )
    snapshot: bytes | None = vault.scopes.get(key)
    if snapshot is None:
        for stale_key in [k for k in vault.scopes if k[0] == "snapshot"][: -KEPT + 1]:
            del vault.scopes[stale_key]
        snapshot = vault.scopes[key] = _build_database(vault, scope)
    return snapshot


def _build_database(vault: Vault, scope: Scope) -> bytes:
    database = sqlite3.connect(":memory:", isolation_level=None)
    database.execute("PRAGMA journal_mode = OFF")
    database.executescript(";".join(DATA_TABLES))
    database.execute("BEGIN")
    for name, rule in scope.rules.items():
        condition, values = scope.condition(name)
        visible_rows = vault.db.execute(
            "SELECT r.object, r.id, r.revision, r.mobile_id, r.doc, r.tag FROM record AS r "
            f"WHERE {condition} ORDER BY r.id",
            values,
        )
        rows: Iterable[Sequence[object]] = visible_rows
        if rule.hidden:
            rows = ((*to_wire(row, rule), row[5]) for row in visible_rows)
        database.executemany(
            "INSERT INTO record (object, id, revision, mobile_id, doc, tag) VALUES (?, ?, ?, ?, ?, ?)", rows
        )
    database.execute("COMMIT")
    # Sorting once is cheaper than updating the indexes with each insert.
    database.executescript(";".join(DATA_INDEXES))
    content = database.serialize()
    database.close()
    return content
