"""The Vault's state: one connection, the configuration held in memory beside it, and the sequence."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sync_engine.documents import Doc, as_text, from_text
from sync_engine.model import default_objects, default_settings
from sync_engine.vault.schema import SCHEMA
from sync_engine.vmoc import default_vmocs

EVERYWHERE = "*"
"""The territory of records that everybody sees."""

Witness = Callable[[str, str | None, str, str | None], None]
"""Told of each refusal: device, key of the upload or None, cause, and the configuration that is to blame."""


class Vault:
    """One Vault. `witness` hears the true cause of refusals, which never travel to a device."""

    def __init__(self, db: sqlite3.Connection, *, epoch: str = "1", witness: Witness | None = None) -> None:
        db.isolation_level = None
        self.db = db
        self.epoch = epoch
        self.witness = witness
        self.live: dict[str, dict[str, Doc]] = {}
        self.published: dict[str, dict[str, Doc]] = {}
        self.version = 0
        self.scopes: dict[tuple[str, str], Any] = {}
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
            self.live.setdefault(kind, {})[name] = from_text(live)
            if published is not None:
                self.published.setdefault(kind, {})[name] = from_text(published)
        self._touch()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; a failure also takes back what is held in memory."""
        self.db.execute("BEGIN IMMEDIATE")
        version = self.version
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            if self.version != version:
                self.reload()
            raise
        self.db.execute("COMMIT")

    def configure(self, kind: str, name: str, doc: Doc | None) -> None:
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
                (kind, name, as_text(doc)),
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

    def object(self, name: str) -> Doc | None:
        """The live definition of an object, or None where there is none."""
        return self.live["object"].get(name)

    def user(self, user_id: str) -> Doc | None:
        """The user's configuration, or None where nobody has this id."""
        return self.live.get("user", {}).get(user_id)

    def count(self, name: str) -> int:
        """The next value of a counter, taken inside the running transaction."""
        row = self.db.execute(
            "INSERT INTO counter VALUES (?, 1) ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value",
            (name,),
        ).fetchone()
        return int(row[0])

    def sequence(self) -> int:
        """The last sequence number given out."""
        row = self.db.execute("SELECT value FROM counter WHERE name = 'seq'").fetchone()
        return int(row[0]) if row else 0
