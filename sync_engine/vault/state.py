"""The Vault's state: a database connection, the configuration in memory, and the sequence number."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sync_engine.json_docs import JsonDict, from_json, to_json
from sync_engine.model import default_objects, default_settings
from sync_engine.vault.schema import SCHEMA
from sync_engine.vmoc import default_vmocs

EVERYWHERE = "*"
"""The territory of records that all users see."""

RefusalObserver = Callable[[str, str | None, str, str | None], None]
"""Callback for each refusal.

The arguments are the device, the upload key or None, the cause, and the configuration that caused it.
"""


@dataclass(slots=True)
class _PendingCounters:
    """Counter values of the running transaction that are not yet written. There is only one writer."""

    counters: dict[str, int] = field(default_factory=dict)
    tallies: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)


class Vault:
    """One Vault. `on_refusal` receives the true cause of each refusal, which is never sent to a device."""

    def __init__(
        self, db: sqlite3.Connection, *, epoch: str = "1", on_refusal: RefusalObserver | None = None
    ) -> None:
        db.isolation_level = None
        self.db = db
        self.epoch = epoch
        self.on_refusal = on_refusal
        self.live: dict[str, dict[str, JsonDict]] = {}
        self.published: dict[str, dict[str, JsonDict]] = {}
        self.version = 0
        self.scopes: dict[tuple[str, str], Any] = {}
        self._pending: _PendingCounters | None = None
        db.executescript(SCHEMA)
        self.reload_configuration()
        if not self.live:
            with self.transaction():
                self._create_defaults()

    def _create_defaults(self) -> None:
        for kind, entries in (("object", default_objects()), ("vmoc", default_vmocs())):
            for name, doc in entries.items():
                self.configure(kind, name, doc)
        for name, value in default_settings().items():
            self.configure("setting", name, {"value": value})
        self.publish()

    def reload_configuration(self) -> None:
        """Load the configuration from the database, after a start or a rolled-back transaction."""
        self.live, self.published = {}, {}
        for kind, name, live, published in self.db.execute("SELECT kind, name, live, published FROM config"):
            self.live.setdefault(kind, {})[name] = from_json(live)
            if published is not None:
                self.published.setdefault(kind, {})[name] = from_json(published)
        self._invalidate_scopes()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run a transaction; a failure also reverts the configuration in memory."""
        self.db.execute("BEGIN IMMEDIATE")
        version = self.version
        self._pending = _PendingCounters()
        try:
            yield
            self.flush_counters()
        except BaseException:
            self.db.execute("ROLLBACK")
            if self.version != version:
                self.reload_configuration()
            raise
        finally:
            self._pending = None
        self.db.execute("COMMIT")

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Run a part of the transaction in a savepoint. An exception reverts only this part."""
        self.db.execute("SAVEPOINT part")
        before = self._pending and _PendingCounters(dict(self._pending.counters), dict(self._pending.tallies))
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK TO part")
            self._pending = before
            raise
        finally:
            self.db.execute("RELEASE part")

    def flush_counters(self) -> None:
        """Write the counters of the running transaction, so that SQL can read them."""
        if self._pending is not None:
            self._write(self._pending)
            self._pending = _PendingCounters()

    def _write(self, pending: _PendingCounters) -> None:
        self.db.executemany("INSERT OR REPLACE INTO counter VALUES (?, ?)", pending.counters.items())
        self.db.executemany(
            "INSERT INTO bucket_digest VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET count = count + excluded.count, total = total + excluded.total",
            [(*key, *tally) for key, tally in pending.tallies.items()],
        )

    def configure(self, kind: str, name: str, doc: JsonDict | None) -> None:
        """Set an entry of the live configuration. A `doc` of None removes it.

        Devices see the change after `publish`.
        """
        entries = self.live.setdefault(kind, {})
        if doc is None:
            entries.pop(name, None)
            self.db.execute("DELETE FROM config WHERE kind = ? AND name = ?", (kind, name))
        else:
            entries[name] = doc
            self.db.execute(
                "INSERT INTO config (kind, name, live) VALUES (?, ?, ?) "
                "ON CONFLICT DO UPDATE SET live = excluded.live",
                (kind, name, to_json(doc)),
            )
        self._invalidate_scopes()

    def publish(self) -> None:
        """Publish the live configuration to devices, as clearing the cache does."""
        self.db.execute("UPDATE config SET published = live WHERE published IS NOT live")
        self.published = {kind: dict(entries) for kind, entries in self.live.items()}
        self._invalidate_scopes()

    def _invalidate_scopes(self) -> None:
        self.version += 1
        self.scopes.clear()

    def setting(self, name: str) -> Any:  # noqa: ANN401 - JSON
        """Return the live value of a setting."""
        return self.live["setting"][name]["value"]

    def is_enabled(self, name: str) -> bool:
        """Return whether an optional setting exists and is true."""
        return bool(self.live["setting"].get(name, {}).get("value"))

    def object_definition(self, name: str) -> JsonDict | None:
        """Return the live definition of an object, or None if it does not exist."""
        return self.live["object"].get(name)

    def find_user(self, user_id: str) -> JsonDict | None:
        """Return the user's configuration, or None if no user has this id."""
        return self.live.get("user", {}).get(user_id)

    def next_value(self, name: str) -> int:
        """Increment a counter in the running transaction and return its value."""
        value = self.current_value(name) + 1
        if self._pending is None:
            self._write(_PendingCounters(counters={name: value}))
        else:
            self._pending.counters[name] = value
        return value

    def current_value(self, name: str) -> int:
        """Return the current value of a counter, 0 if it was never incremented."""
        if self._pending is not None and name in self._pending.counters:
            return self._pending.counters[name]
        row = self.db.execute("SELECT value FROM counter WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def sequence(self) -> int:
        """Return the last sequence number."""
        return self.current_value("seq")

    def add_to_digest(self, object_name: str, territory: str, count: int, total: int) -> None:
        """Add to the record count and tag sum of an object in a territory."""
        key = object_name, territory
        if self._pending is None:
            self._write(_PendingCounters(tallies={key: (count, total)}))
        else:
            pending_count, pending_total = self._pending.tallies.get(key, (0, 0))
            self._pending.tallies[key] = pending_count + count, pending_total + total
