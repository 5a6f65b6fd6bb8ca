"""One device: its user, its app version, and its two databases."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from sync_engine.device_schema import DATA_SCHEMA, JOURNAL_SCHEMA
from sync_engine.json_docs import JsonDict, from_json, to_json
from sync_engine.protocol import Env

IN_FLIGHT = "on_its_way"
"""Journal key of the uploads that were sent but not answered; their outcome is unknown."""


@dataclass(slots=True, kw_only=True)
class Device:
    """A device and its user. A database refresh replaces `data` and keeps `journal`."""

    device_id: str
    user_id: str
    password: str
    platform: str
    version: str
    env: Env
    model: str | None = None
    os_version: str | None = None
    session: str | None = None
    busy: bool = False  # one sync at a time
    foreground: bool = True
    cancel_at: float | None = None  # time at which the user presses Cancel
    journal: sqlite3.Connection = field(init=False)
    data: sqlite3.Connection = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Open the databases, as the app does at each start, also after a kill."""
        self.journal = self.env.open_store("journal")
        self.data = self.env.open_store("data")
        _create_tables(self.journal, JOURNAL_SCHEMA)
        _create_tables(self.data, DATA_SCHEMA)
        self.busy = False
        self.session = self.get("session")

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - JSON
        """Return a value stored in the journal."""
        return read_state(self.journal, name, default)

    def put(self, name: str, value: object) -> None:
        """Store a value in the journal."""
        write_state(self.journal, name, value)

    def setting(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - JSON
        """Return a setting as the device last received it."""
        return self.get("settings", {}).get(name, default)

    def identity(self) -> JsonDict:
        """Return the fields that identify the sender in every request."""
        return {
            "device": self.device_id,
            "session": self.session,
            "platform": self.platform,
            "version": self.version,
        }


def _create_tables(store: sqlite3.Connection, schema: str) -> None:
    """Create the tables of a store, unless its schema version shows that they exist."""
    schema_version = crc32(schema.encode()) >> 1
    if store.execute("PRAGMA user_version").fetchone()[0] != schema_version:
        store.executescript(f"{schema};PRAGMA user_version = {schema_version}")


def read_state(store: sqlite3.Connection, name: str, default: Any = None) -> Any:  # noqa: ANN401 - JSON
    """Read a JSON value from the `state` table of a store."""
    row = store.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
    return default if row is None else from_json(row[0])


def write_state(store: sqlite3.Connection, name: str, value: object) -> None:
    """Write a JSON value to the `state` table of a store."""
    store.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (name, to_json(value)))


@contextmanager
def durable_transaction(store: sqlite3.Connection) -> Iterator[None]:
    """Run a transaction that survives a power loss, for data that only this device has.

    Other data can be downloaded again and needs only a plain commit, which survives a kill.
    """
    store.execute("PRAGMA synchronous = FULL")
    try:
        store.execute("BEGIN")
        yield
        store.execute("COMMIT")
    except BaseException:
        if store.in_transaction:
            store.execute("ROLLBACK")
        raise
    finally:
        store.execute("PRAGMA synchronous = NORMAL")
