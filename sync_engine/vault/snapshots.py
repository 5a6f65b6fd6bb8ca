"""A database for a device, built by the Vault: the whole scope as one SQLite file.

Building pages is what a first download costs; the Vault does it once per scope and sequence, and the device
only stores bytes.
"""

from __future__ import annotations

import sqlite3

from sync_engine.device_schema import DATA_SCHEMA
from sync_engine.digest import short_hash
from sync_engine.vault.downloads import wire
from sync_engine.vault.scope import Scope
from sync_engine.vault.state import Vault

KEPT = 8


def build(vault: Vault, scope: Scope) -> bytes:
    """The bytes of a data database that holds exactly the scope, from memory when nothing has changed."""
    key = ("snapshot", short_hash(vault.sequence(), *sorted(rule.name for rule in scope.rules.values())))
    known = vault.scopes.get(key)
    if known is None:
        for old in [k for k in vault.scopes if k[0] == "snapshot"][: -KEPT + 1]:
            del vault.scopes[old]
        known = vault.scopes[key] = _build(vault, scope)
    return bytes(known)


def _build(vault: Vault, scope: Scope) -> bytes:
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.executescript(DATA_SCHEMA)
    made.execute("BEGIN")
    for name in scope.rules:
        condition, values = scope.condition(name)
        rows = vault.db.execute(
            "SELECT r.object, r.id, r.revision, r.mobile_id, r.doc, r.tag FROM record AS r "
            f"WHERE {condition} ORDER BY r.id",
            values,
        )
        hidden = scope.rules[name]
        made.executemany(
            "INSERT INTO record (object, id, revision, mobile_id, doc, tag) VALUES (?, ?, ?, ?, ?, ?)",
            ((*wire(row, hidden), row[5]) for row in rows),
        )
    made.execute("COMMIT")
    bytes_of = made.serialize()
    made.close()
    return bytes_of
