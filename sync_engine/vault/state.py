"""The Vault's state: one connection, the configuration held in memory beside it, and the sequence."""

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
"""Called for each refusal with device, upload key or None, cause, and the configuration that caused it."""


@dataclass(slots=True)
class _PendingCounters:
    """What the running transaction has counted and not yet written; there is only one writer."""

    counters: dict[str, int] = field(default_factory=dict)
    tallies: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)


class Vault:
    """One Vault. `witness` receives the true cause of refusals, which never travel to a device."""

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
        """Read the configuration again from the database, after a start or a rolled-back transaction."""
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
        """A part of the running transaction that fails alone: an exception reverts only this part."""
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
        """Write what the running transaction has counted, so that it can be read by SQL."""
        if self._pending is not None:
            self._write(self._pending)
            self._pending = _PendingCounters()

    def _write(self, counted: _PendingCounters) -> None:
        self.db.executemany("INSERT OR REPLACE INTO counter VALUES (?, ?)", counted.counters.items())
        self.db.executemany(
            "INSERT INTO bucket_digest VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET count = count + excluded.count, total = total + excluded.total",
            [(*place, *tally) for place, tally in counted.tallies.items()],
        )

    def configure(self, kind: str, name: str, doc: JsonDict | None) -> None:
        """Set one piece of the live configuration, or remove it with None. Devices see it once published."""
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
        """Clear the cache: from now on devices get the configuration as it is now."""
        self.db.execute("UPDATE config SET published = live WHERE published IS NOT live")
        self.published = {kind: dict(entries) for kind, entries in self.live.items()}
        self._invalidate_scopes()

    def _invalidate_scopes(self) -> None:
        self.version += 1
        self.scopes.clear()

    def setting(self, name: str) -> Any:  # noqa: ANN401 - JSON
        """The live value of a setting."""
        return self.live["setting"][name]["value"]

    def is_enabled(self, name: str) -> bool:
        """Whether a setting that a new Vault does not have was made, and made true."""
        return bool(self.live["setting"].get(name, {}).get("value"))

    def object_definition(self, name: str) -> JsonDict | None:
        """The live definition of an object, or None where there is none."""
        return self.live["object"].get(name)

    def find_user(self, user_id: str) -> JsonDict | None:
        """The user's configuration, or None if no user has this id."""
        return self.live.get("user", {}).get(user_id)

    def next_value(self, name: str) -> int:
        """The next value of a counter, taken inside the running transaction."""
        value = self.current_value(name) + 1
        if self._pending is None:
            self._write(_PendingCounters(counters={name: value}))
        else:
            self._pending.counters[name] = value
        return value

    def current_value(self, name: str) -> int:
        """Return the last value of a counter, 0 before the first."""
        if self._pending is not None and name in self._pending.counters:
            return self._pending.counters[name]
        row = self.db.execute("SELECT value FROM counter WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def sequence(self) -> int:
        """Return the last sequence number."""
        return self.current_value("seq")

    def add_to_digest(self, object_name: str, territory: str, count: int, total: int) -> None:
        """Add to the number of records, and to the sum of their tags, of an object in a territory."""
        place = object_name, territory
        if self._pending is None:
            self._write(_PendingCounters(tallies={place: (count, total)}))
        else:
            counted, summed = self._pending.tallies.get(place, (0, 0))
            self._pending.tallies[place] = counted + count, summed + total
