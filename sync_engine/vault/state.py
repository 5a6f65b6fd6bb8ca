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
"""The territory of records that everybody sees."""

RefusalObserver = Callable[[str, str | None, str, str | None], None]
"""Told of each refusal: device, key of the upload or None, cause, and the configuration that is to blame."""


@dataclass(slots=True)
class _Open:
    """What the running transaction has counted and not yet written: nobody else may write before it ends."""

    counters: dict[str, int] = field(default_factory=dict)
    tallies: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)


class Vault:
    """One Vault. `witness` hears the true cause of refusals, which never travel to a device."""

    def __init__(
        self, db: sqlite3.Connection, *, epoch: str = "1", witness: RefusalObserver | None = None
    ) -> None:
        db.isolation_level = None
        self.db = db
        self.epoch = epoch
        self.witness = witness
        self.live: dict[str, dict[str, JsonDict]] = {}
        self.published: dict[str, dict[str, JsonDict]] = {}
        self.version = 0
        self.scopes: dict[tuple[str, str], Any] = {}
        self._open: _Open | None = None
        db.executescript(SCHEMA)
        self.reload()
        if not self.live:
            with self.transaction():
                self._found()

    def _found(self) -> None:
        for kind, entries in (("object", default_objects()), ("vmoc", default_vmocs())):
            for name, doc in entries.items():
                self.configure(kind, name, doc)
        for name, value in default_settings().items():
            self.configure("setting", name, {"value": value})
        self.publish()

    def reload(self) -> None:
        """Read the configuration again from the database, after a start or a rolled-back transaction."""
        self.live, self.published = {}, {}
        for kind, name, live, published in self.db.execute("SELECT kind, name, live, published FROM config"):
            self.live.setdefault(kind, {})[name] = from_json(live)
            if published is not None:
                self.published.setdefault(kind, {})[name] = from_json(published)
        self._touch()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; a failure also takes back what is held in memory."""
        self.db.execute("BEGIN IMMEDIATE")
        version = self.version
        self._open = _Open()
        try:
            yield
            self.settle()
        except BaseException:
            self.db.execute("ROLLBACK")
            if self.version != version:
                self.reload()
            raise
        finally:
            self._open = None
        self.db.execute("COMMIT")

    @contextmanager
    def part(self) -> Iterator[None]:
        """A part of the running transaction that fails alone: an exception takes back just what it did."""
        self.db.execute("SAVEPOINT part")
        before = self._open and _Open(dict(self._open.counters), dict(self._open.tallies))
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK TO part")
            self._open = before
            raise
        finally:
            self.db.execute("RELEASE part")

    def settle(self) -> None:
        """Write what the running transaction has counted, so that it can be read by SQL."""
        if self._open is not None:
            self._write(self._open)
            self._open = _Open()

    def _write(self, counted: _Open) -> None:
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
        self._touch()

    def publish(self) -> None:
        """Clear the cache: from now on devices get the configuration as it is now."""
        self.db.execute("UPDATE config SET published = live WHERE published IS NOT live")
        self.published = {kind: dict(entries) for kind, entries in self.live.items()}
        self._touch()

    def _touch(self) -> None:
        self.version += 1
        self.scopes.clear()

    def setting(self, name: str) -> Any:  # noqa: ANN401 - JSON
        """The live value of a setting."""
        return self.live["setting"][name]["value"]

    def switched_on(self, name: str) -> bool:
        """Whether a setting that a new Vault does not have was made, and made true."""
        return bool(self.live["setting"].get(name, {}).get("value"))

    def object(self, name: str) -> JsonDict | None:
        """The live definition of an object, or None where there is none."""
        return self.live["object"].get(name)

    def user(self, user_id: str) -> JsonDict | None:
        """The user's configuration, or None where nobody has this id."""
        return self.live.get("user", {}).get(user_id)

    def count(self, name: str) -> int:
        """The next value of a counter, taken inside the running transaction."""
        value = self.counted(name) + 1
        if self._open is None:
            self._write(_Open(counters={name: value}))
        else:
            self._open.counters[name] = value
        return value

    def counted(self, name: str) -> int:
        """The last value that a counter gave out, 0 before the first."""
        if self._open is not None and name in self._open.counters:
            return self._open.counters[name]
        row = self.db.execute("SELECT value FROM counter WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def sequence(self) -> int:
        """The last sequence number given out."""
        return self.counted("seq")

    def tally(self, object_name: str, territory: str, count: int, total: int) -> None:
        """Add to the number of records, and to the sum of their tags, of an object in a territory."""
        place = object_name, territory
        if self._open is None:
            self._write(_Open(tallies={place: (count, total)}))
        else:
            counted, summed = self._open.tallies.get(place, (0, 0))
            self._open.tallies[place] = counted + count, summed + total
