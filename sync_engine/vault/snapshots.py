"""A database for a device, built by the Vault: the whole scope as one SQLite file.

Building pages is what a first download costs; the Vault does it once per scope and sequence, and the device
only stores bytes.
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


def build_snapshot(vault: Vault, scope: Scope) -> bytes:
    """The bytes of a data database that holds exactly the scope, from memory when nothing has changed."""
    key = (
        "snapshot",
        short_hash(vault.sequence(), *sorted(rule.fingerprint for rule in scope.rules.values())),
    )
    snapshot: bytes | None = vault.scopes.get(key)
    if snapshot is None:
        for old in [k for k in vault.scopes if k[0] == "snapshot"][: -KEPT + 1]:
            del vault.scopes[old]
        snapshot = vault.scopes[key] = _build_database(vault, scope)
    return snapshot


def _build_database(vault: Vault, scope: Scope) -> bytes:
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.execute("PRAGMA journal_mode = OFF")
    made.executescript(";".join(DATA_TABLES))
    made.execute("BEGIN")
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
        made.executemany(
            "INSERT INTO record (object, id, revision, mobile_id, doc, tag) VALUES (?, ?, ?, ?, ?, ?)", rows
        )
    made.execute("COMMIT")
    made.executescript(";".join(DATA_INDEXES))  # sorted once, which is cheaper than kept sorted
    content = made.serialize()
    made.close()
    return content
