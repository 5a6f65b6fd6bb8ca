"""The SQLite file of the triage state: its tables, how to open it, and its activity log."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from analysis.base.errors import AnalysisError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS issue_state (
    issue_id    TEXT PRIMARY KEY,
    state       TEXT NOT NULL,
    since       TEXT NOT NULL,
    until_kind  TEXT,
    until_value TEXT,
    fixed_in    TEXT,
    assignee    TEXT,
    priority    TEXT,
    decided_by  TEXT
);
CREATE TABLE IF NOT EXISTS activity (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    at       TEXT NOT NULL,
    actor    TEXT NOT NULL,
    issue_id TEXT NOT NULL,
    action   TEXT NOT NULL,
    before   TEXT,
    after    TEXT,
    reason   TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS activity_of_issue ON activity (issue_id, number);
CREATE TABLE IF NOT EXISTS grouping_rule (
    rule_id TEXT PRIMARY KEY,
    kind    TEXT NOT NULL,
    content TEXT NOT NULL
);
-- Corrections by issue id: from older versions, and of issues without errors in the store so far.
CREATE TABLE IF NOT EXISTS correction (
    key   TEXT PRIMARY KEY,
    cause TEXT NOT NULL
);
-- Corrections by error content: they apply whatever id the issue has.
CREATE TABLE IF NOT EXISTS correction_rule (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    issue_id TEXT NOT NULL,
    cause    TEXT NOT NULL,
    contents TEXT NOT NULL,
    at       TEXT NOT NULL,
    actor    TEXT NOT NULL,
    reason   TEXT NOT NULL
);
-- The issue of each content at the last update of the findings.
CREATE TABLE IF NOT EXISTS content (
    fingerprint TEXT PRIMARY KEY,
    issue_id    TEXT NOT NULL,
    error_type  TEXT NOT NULL,
    object      TEXT NOT NULL,
    operation   TEXT NOT NULL,
    phase       TEXT NOT NULL,
    message     TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS content_of_issue ON content (issue_id);
-- The earlier ids of an issue; its log includes that of the earlier issue up to `number`.
CREATE TABLE IF NOT EXISTS lineage (
    issue_id   TEXT NOT NULL,
    earlier_id TEXT NOT NULL,
    number     INTEGER NOT NULL,
    PRIMARY KEY (issue_id, earlier_id, number)
);
"""
_FILL_DECIDED_BY = """
UPDATE issue_state SET decided_by = (
    SELECT actor FROM activity
    WHERE activity.issue_id = issue_state.issue_id AND action = 'state'
    ORDER BY number DESC LIMIT 1
)
"""
_TIMEOUT_SECONDS = 10.0


def triage_path(store: Path | str) -> Path:
    """Return the path of the triage file that belongs to the store at `store`."""
    return Path(store).with_suffix(".triage.sqlite")


class TriageError(AnalysisError):
    """The triage file cannot be used, or a change of the triage state is not valid."""


class TriageFile:
    """The triage file at `path`. Creates it if it is missing, and upgrades it if an older version wrote it.

    Raises TriageError if the file is not a triage file, or if other processes lock it for ten seconds.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        with self.connect() as connection:
            connection.executescript(_SCHEMA)
            current = "decided_by" in _columns(connection)
        if not current:
            self._add_decided_by()

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one block. In WAL mode, readers and a writer do not wait for each other."""
        try:
            connection = sqlite3.connect(self.path, timeout=_TIMEOUT_SECONDS, isolation_level=None)
            try:
                connection.row_factory = sqlite3.Row
                connection.execute("PRAGMA journal_mode = WAL")
                yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise TriageError(
                f"the triage file {self.path} cannot be used: {error}",
                next_step="Check that the folder exists and is writable, and that no backup is running.",
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one change, which is committed as a whole or not at all."""
        with self.connect() as connection:
            # Immediate: no other process can write between the read and the write.
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    def _add_decided_by(self) -> None:
        with self.transaction() as connection:
            if "decided_by" not in _columns(connection):
                connection.execute("ALTER TABLE issue_state ADD COLUMN decided_by TEXT")
                connection.execute(_FILL_DECIDED_BY)


def log_activity(  # noqa: PLR0917 - the columns of one table, in their order
    connection: sqlite3.Connection, at: datetime, actor: str, issue_id: str, action: str, before: str | None,
    after: str | None, reason: str,
) -> None:  # fmt: skip
    """Add one row to the activity log. Raises TriageError if `actor` is empty."""
    if not actor:
        raise TriageError(
            "a change needs an actor", next_step="Pass an actor, for example the name of the signed-in user."
        )
    connection.execute(
        "INSERT INTO activity (at, actor, issue_id, action, before, after, reason)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (format_timestamp(at), actor, issue_id, action, before, after, reason),
    )


def format_timestamp(at: datetime) -> str:
    """Return a timestamp as the file stores it: ISO text, UTC without a zone."""
    return (at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at).isoformat()


def _columns(connection: sqlite3.Connection) -> set[str]:
    return {row["name"] for row in connection.execute("PRAGMA table_info(issue_state)")}
