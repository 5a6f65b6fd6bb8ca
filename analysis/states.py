"""Triage state: what people decided about issues, in a small SQLite file beside the store.

It is a file of its own so that a click in the dashboard never waits for an ingest, and in WAL mode so that
several dashboards and the command line may write at once. Every change, by people or by `review`, is one row
of the activity log with its actor and its reason; nothing is ever deleted from it. The clock is an argument.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

import pandas as pd

from analysis.errors import AnalysisError

State = Literal["new", "ongoing", "escalating", "regressed", "archived", "resolved"]
STATES: tuple[str, ...] = get_args(State)
OPEN_STATES = ("new", "ongoing", "escalating", "regressed")
Priority = Literal["high", "medium", "low"]
PRIORITIES: tuple[str, ...] = get_args(Priority)
UntilKind = Literal["time", "events", "device_share", "release", "escalating", "forever"]
UNTIL_KINDS: tuple[str, ...] = get_args(UntilKind)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS issue_state (
    issue_id    TEXT PRIMARY KEY,
    state       TEXT NOT NULL,
    since       TEXT NOT NULL,
    until_kind  TEXT,
    until_value TEXT,
    fixed_in    TEXT,
    assignee    TEXT,
    priority    TEXT
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
CREATE TABLE IF NOT EXISTS correction (
    key   TEXT PRIMARY KEY,
    cause TEXT NOT NULL
);
"""
_PATIENCE_SECONDS = 10.0
# Records that only a device holds weigh more than events: a rep loses work, not time.
_HIGH_PENDING, _MEDIUM_USERS = 10, 3


class UnusableTriage(AnalysisError):
    """A change of triage state that cannot be made as it was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueState:
    """Where one issue stands. `since` is UTC without a zone, like every moment of the store."""

    issue_id: str
    state: str = "new"
    since: datetime | None = None
    until_kind: str | None = None
    until_value: str | None = None
    fixed_in: str | None = None
    assignee: str | None = None
    priority: str | None = None  # only when somebody pinned it


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One change: who did what to which issue, when and why."""

    number: int
    at: datetime
    actor: str
    issue_id: str
    action: str
    before: str | None
    after: str | None
    reason: str


class TriageState:
    """The triage state in the SQLite file at `path`, which is made when it is missing.

    Every method opens the file for as long as it needs, so one object may serve many threads. Raises
    UnusableTriage when the file is not such a state, or when others keep it busy for ten seconds.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        with self._opened() as state:
            state.executescript(_SCHEMA)

    @classmethod
    def beside(cls, store: Path | str) -> TriageState:
        """Open the triage state that belongs to the store at `store`."""
        return cls(Path(store).with_suffix(".triage.sqlite"))

    def resolve(
        self, issue_id: str, *, actor: str, at: datetime, reason: str, fixed_in: str | None = None
    ) -> None:
        """Call an issue resolved. With `fixed_in`, only that app version or a newer one brings it back."""
        self.change(issue_id, "resolved", actor=actor, at=at, reason=reason, fixed_in=fixed_in)

    def archive(
        self,
        issue_id: str,
        *,
        actor: str,
        at: datetime,
        reason: str,
        until: UntilKind = "forever",
        value: object = None,
    ) -> None:
        """Put an issue away until something happens.

        `value` is a moment for "time", a number of further events for "events", a share of active devices
        (0 to 1) for "device_share", the newest app version known now for "release"; nothing for the others.
        """
        self.change(
            issue_id,
            "archived",
            actor=actor,
            at=at,
            reason=reason,
            until_kind=until,
            until_value=_until_value(until, value),
        )

    def reopen(self, issue_id: str, *, actor: str, at: datetime, reason: str) -> None:
        """Take an archived or resolved issue back to ongoing."""
        self.change(issue_id, "ongoing", actor=actor, at=at, reason=reason)

    def change(
        self,
        issue_id: str,
        state: State,
        *,
        actor: str,
        at: datetime,
        reason: str,
        until_kind: str | None = None,
        until_value: str | None = None,
        fixed_in: str | None = None,
    ) -> None:
        """Move an issue to a state; the road that all others take. Unknown states raise UnusableTriage."""
        if state not in STATES:
            raise UnusableTriage(
                f"there is no state {state!r}", next_step=f"Use one of: {', '.join(STATES)}."
            )
        with self._writing() as connection:
            before = _row(connection, issue_id)
            connection.execute(
                "INSERT INTO issue_state (issue_id, state, since, until_kind, until_value, fixed_in)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (issue_id) DO UPDATE SET state = excluded.state,"
                " since = excluded.since, until_kind = excluded.until_kind,"
                " until_value = excluded.until_value, fixed_in = excluded.fixed_in",
                (issue_id, state, _text(at), until_kind, until_value, fixed_in),
            )
            until = f"{state} until {until_kind} {until_value or ''}".rstrip() if until_kind else state
            _log(connection, at, actor, issue_id, "state", before.state if before else None, until, reason)

    def assign(
        self, issue_id: str, assignee: str | None, *, actor: str, at: datetime, reason: str = ""
    ) -> None:
        """Give an issue to somebody, or to nobody with None."""
        self._set(issue_id, "assignee", assignee, actor, at, reason)

    def pin_priority(
        self, issue_id: str, priority: Priority | None, *, actor: str, at: datetime, reason: str = ""
    ) -> None:
        """Fix the priority of an issue against the automatic one; None lets that decide again."""
        if priority is not None and priority not in PRIORITIES:
            raise UnusableTriage(
                f"there is no priority {priority!r}",
                next_step=f"Use one of: {', '.join(PRIORITIES)}, or none.",
            )
        self._set(issue_id, "priority", priority, actor, at, reason)

    def note(self, issue_id: str, text: str, *, actor: str, at: datetime) -> None:
        """Add a note to the log of an issue. It is kept as it is and shown as text."""
        with self._writing() as connection:
            _log(connection, at, actor, issue_id, "note", None, None, text)

    def state_of(self, issue_id: str) -> IssueState:
        """Say where an issue stands; new when nobody has said anything."""
        with self._opened() as connection:
            return _row(connection, issue_id) or IssueState(issue_id=issue_id)

    def states(self) -> dict[str, IssueState]:
        """Give every issue that has a state, by id."""
        with self._opened() as connection:
            rows = connection.execute("SELECT * FROM issue_state ORDER BY issue_id").fetchall()
        return {row["issue_id"]: _state(row) for row in rows}

    def activity(self, issue_id: str | None = None) -> list[Activity]:
        """Give the log of one issue, or of all, oldest first."""
        where, values = ("", ()) if issue_id is None else (" WHERE issue_id = ?", (issue_id,))
        with self._opened() as connection:
            rows = connection.execute(f"SELECT * FROM activity{where} ORDER BY number", values).fetchall()
        return [Activity(**(dict(row) | {"at": _moment(row["at"])})) for row in rows]

    def onto(self, issues: pd.DataFrame) -> pd.DataFrame:
        """Put state, assignee and priority onto a triage list."""
        known = self.states()
        found = [known.get(str(name)) or IssueState(issue_id=str(name)) for name in issues["issue_id"]]
        return issues.assign(
            state=[one.state for one in found],
            assignee=pd.Series([one.assignee for one in found], index=issues.index, dtype=object),
            priority=[
                one.priority or default_priority(pending, users)
                for one, pending, users in zip(found, issues["pending"], issues["users"], strict=True)
            ],
        )

    def add_rule(
        self, rule_id: str, kind: Literal["merge", "unmerge"], content: Mapping[str, Any], *, actor: str,
        at: datetime, reason: str,
    ) -> None:  # fmt: skip
        """Keep a rule on content that joins or parts issues, for the next grouping to follow."""
        text = json.dumps(content, sort_keys=True, ensure_ascii=False)
        with self._writing() as connection:
            connection.execute("INSERT OR REPLACE INTO grouping_rule VALUES (?, ?, ?)", (rule_id, kind, text))
            _log(connection, at, actor, rule_id, kind, None, text, reason)

    def remove_rule(self, rule_id: str, *, actor: str, at: datetime, reason: str) -> None:
        """Take a grouping rule back."""
        with self._writing() as connection:
            row = connection.execute(
                "SELECT content FROM grouping_rule WHERE rule_id = ?", (rule_id,)
            ).fetchone()
            connection.execute("DELETE FROM grouping_rule WHERE rule_id = ?", (rule_id,))
            _log(connection, at, actor, rule_id, "rule removed", row and row["content"], None, reason)

    def rules(self) -> list[dict[str, Any]]:
        """Give the grouping rules in force: rule_id, kind, content."""
        with self._opened() as connection:
            rows = connection.execute("SELECT * FROM grouping_rule ORDER BY rule_id").fetchall()
        return [dict(row) | {"content": json.loads(row["content"])} for row in rows]

    def correct(self, key: str, cause: str | None, *, actor: str, at: datetime, reason: str) -> None:
        """Overrule the cause of what `key` names (an issue id); None takes the correction back."""
        with self._writing() as connection:
            row = connection.execute("SELECT cause FROM correction WHERE key = ?", (key,)).fetchone()
            connection.execute("DELETE FROM correction WHERE key = ?", (key,))
            if cause is not None:
                connection.execute("INSERT INTO correction VALUES (?, ?)", (key, cause))
            _log(connection, at, actor, key, "cause", row and row["cause"], cause, reason)

    def corrections(self) -> dict[str, str]:
        """Give the causes that people overruled, by key."""
        with self._opened() as connection:
            rows = connection.execute("SELECT key, cause FROM correction ORDER BY key").fetchall()
        return {row["key"]: row["cause"] for row in rows}

    def _set(  # noqa: PLR0917 - private, and called twice
        self, issue_id: str, column: str, value: str | None, actor: str, at: datetime, reason: str
    ) -> None:
        with self._writing() as connection:
            before = _row(connection, issue_id) or IssueState(issue_id=issue_id)
            connection.execute(
                f"INSERT INTO issue_state (issue_id, state, since, {column}) VALUES (?, ?, ?, ?)"
                f" ON CONFLICT (issue_id) DO UPDATE SET {column} = excluded.{column}",
                (issue_id, before.state, _text(before.since or at), value),
            )
            _log(connection, at, actor, issue_id, column, getattr(before, column), value, reason)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = sqlite3.connect(self.path, timeout=_PATIENCE_SECONDS, isolation_level=None)
            try:
                connection.row_factory = sqlite3.Row
                connection.execute("PRAGMA journal_mode = WAL")
                yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise UnusableTriage(
                f"the triage state {self.path} cannot be used: {error}",
                next_step="Check that the folder exists and may be written, and that no backup holds it.",
            ) from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._opened() as connection:
            # Immediate: the read before the write must not be overtaken by another writer.
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")


def default_priority(pending: int, users: int) -> str:
    """Rank an issue by the records at risk, then by the people hit."""
    if pending >= _HIGH_PENDING:
        return "high"
    return "medium" if pending > 0 or users >= _MEDIUM_USERS else "low"


def _row(connection: sqlite3.Connection, issue_id: str) -> IssueState | None:
    row = connection.execute("SELECT * FROM issue_state WHERE issue_id = ?", (issue_id,)).fetchone()
    return _state(row) if row else None


def _state(row: sqlite3.Row) -> IssueState:
    return IssueState(**(dict(row) | {"since": _moment(row["since"])}))


def _log(  # noqa: PLR0917 - the columns of one table, in their order
    connection: sqlite3.Connection, at: datetime, actor: str, issue_id: str, action: str, before: str | None,
    after: str | None, reason: str,
) -> None:  # fmt: skip
    if not actor:
        raise UnusableTriage(
            "a change needs an actor", next_step="Say who does it, e.g. the signed-in user's name."
        )
    connection.execute(
        "INSERT INTO activity (at, actor, issue_id, action, before, after, reason)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (_text(at), actor, issue_id, action, before, after, reason),
    )


def _until_value(until: str, value: object) -> str | None:
    if until not in UNTIL_KINDS:
        raise UnusableTriage(
            f"nothing can be archived until {until!r}", next_step=f"Use one of: {', '.join(UNTIL_KINDS)}."
        )
    if until in ("escalating", "forever"):
        return None
    try:
        if until == "time":
            return _text(value if isinstance(value, datetime) else datetime.fromisoformat(str(value)))
        if until == "release":
            return str(value or "")
        return str(int(str(value))) if until == "events" else str(float(str(value)))
    except ValueError:
        raise UnusableTriage(
            f"{value!r} is no value for until {until}",
            next_step="Give a moment for time, a whole number for events, 0 to 1 for device_share.",
        ) from None


def _text(at: datetime) -> str:
    return (at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at).isoformat()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
