"""The SQLite file in which triage state is kept: its tables, how it is opened, how a change is logged."""

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
-- Corrections by the id of an issue: those of older versions, and those of issues that no load has shown yet.
CREATE TABLE IF NOT EXISTS correction (
    key   TEXT PRIMARY KEY,
    cause TEXT NOT NULL
);
-- Corrections by what errors say: they hold whatever their issue is called.
CREATE TABLE IF NOT EXISTS correction_rule (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    issue_id TEXT NOT NULL,
    cause    TEXT NOT NULL,
    contents TEXT NOT NULL,
    at       TEXT NOT NULL,
    actor    TEXT NOT NULL,
    reason   TEXT NOT NULL
);
-- In which issue each content was when the store was last concluded on.
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
-- What an issue was called before; its log is that of the earlier one up to `number`.
CREATE TABLE IF NOT EXISTS lineage (
    issue_id   TEXT NOT NULL,
    earlier_id TEXT NOT NULL,
    number     INTEGER NOT NULL,
    PRIMARY KEY (issue_id, earlier_id, number)
);
"""
_WHO_DECIDED = """
UPDATE issue_state SET decided_by = (
    SELECT actor FROM activity
    WHERE activity.issue_id = issue_state.issue_id AND action = 'state'
    ORDER BY number DESC LIMIT 1
)
"""
_PATIENCE_SECONDS = 10.0


def triage_path(store: Path | str) -> Path:
    """Return the path of the triage file that belongs to the store at `store`."""
    return Path(store).with_suffix(".triage.sqlite")


class TriageError(AnalysisError):
    """A change of triage state that cannot be made as it was asked."""


class TriageFile:
    """The file at `path`, made when it is missing and brought up to date when an older version made it.

    Raises TriageError when the file is not such a state, or when others keep it busy for ten seconds.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        with self.connect() as connection:
            connection.executescript(_SCHEMA)
            current = "decided_by" in _columns(connection)
        if not current:
            self._add_who_decided()

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        """Open the file for a moment. WAL mode: readers and a writer do not wait for each other."""
        try:
            connection = sqlite3.connect(self.path, timeout=_PATIENCE_SECONDS, isolation_level=None)
            try:
                connection.row_factory = sqlite3.Row
                connection.execute("PRAGMA journal_mode = WAL")
                yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise TriageError(
                f"the triage state {self.path} cannot be used: {error}",
                next_step="Check that the folder exists and may be written, and that no backup holds it.",
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one change: all of it is kept, or nothing."""
        with self.connect() as connection:
            # Immediate: the read before the write must not be overtaken by another writer.
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    def _add_who_decided(self) -> None:
        with self.transaction() as connection:
            if "decided_by" not in _columns(connection):
                connection.execute("ALTER TABLE issue_state ADD COLUMN decided_by TEXT")
                connection.execute(_WHO_DECIDED)


def log_activity(  # noqa: PLR0917 - the columns of one table, in their order
    connection: sqlite3.Connection, at: datetime, actor: str, issue_id: str, action: str, before: str | None,
    after: str | None, reason: str,
) -> None:  # fmt: skip
    """Add one line to the activity log. Raises TriageError when nobody is named as its actor."""
    if not actor:
        raise TriageError(
            "a change needs an actor", next_step="Say who does it, e.g. the signed-in user's name."
        )
    connection.execute(
        "INSERT INTO activity (at, actor, issue_id, action, before, after, reason)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (format_timestamp(at), actor, issue_id, action, before, after, reason),
    )


def format_timestamp(at: datetime) -> str:
    """A moment as it is kept: UTC without a zone."""
    return (at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at).isoformat()


def _columns(connection: sqlite3.Connection) -> set[str]:
    return {row["name"] for row in connection.execute("PRAGMA table_info(issue_state)")}
