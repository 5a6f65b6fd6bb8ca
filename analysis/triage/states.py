"""Triage state: the decisions of users about issues, in a small SQLite file beside the store.

It is a separate file, so a click in the dashboard never waits for an ingest. It is in WAL mode, so several
dashboards and the command line can write at the same time. Every change, by a user or by `update_issue_states`, is
one row of the activity log with its actor and its reason; rows are never deleted. The current time is an argument.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

import pandas as pd

from analysis.triage.database import TriageError, format_timestamp, log_activity, triage_path
from analysis.triage.overrides import Overrides

State = Literal["new", "ongoing", "escalating", "regressed", "archived", "resolved"]
STATES: tuple[str, ...] = get_args(State)
OPEN_STATES = ("new", "ongoing", "escalating", "regressed")
Priority = Literal["high", "medium", "low"]
PRIORITIES: tuple[str, ...] = get_args(Priority)
UntilKind = Literal["time", "events", "device_share", "release", "escalating", "forever"]
UNTIL_KINDS: tuple[str, ...] = get_args(UntilKind)

# The log of an issue includes the logs of its predecessors, up to the entry at which each became this issue.
_LOG_OF_ISSUE = """
WITH RECURSIVE line (issue_id, last) AS (
    SELECT ?, 9223372036854775807
    UNION
    SELECT l.earlier_id, min(l.number, line.last) FROM lineage AS l JOIN line ON line.issue_id = l.issue_id
)
SELECT DISTINCT a.* FROM activity AS a JOIN line ON line.issue_id = a.issue_id AND a.number <= line.last
ORDER BY a.number
"""
# Pending records weigh more than events: with them a rep can lose work, not only time.
_HIGH_PENDING, _MEDIUM_USERS = 10, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueState:
    """The triage state of one issue. `since` is UTC without a zone, as in the store."""

    issue_id: str
    state: str = "new"
    since: datetime | None = None
    until_kind: str | None = None
    until_value: str | None = None
    fixed_in: str | None = None
    assignee: str | None = None
    priority: str | None = None  # None if no user pinned it
    decided_by: str | None = None  # the actor of the current state


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One entry of the activity log: who changed what on which issue, when and why."""

    number: int
    at: datetime
    actor: str
    issue_id: str
    action: str
    before: str | None
    after: str | None
    reason: str


class TriageState(Overrides):
    """The triage state in the SQLite file at `path`, which is created if it is missing.

    Every method opens and closes the file, so several threads can share one object. Raises TriageError if the file is
    not a triage file, or if other processes lock it for ten seconds.
    """

    @classmethod
    def for_store(cls, store: Path | str) -> TriageState:
        """Open the triage state that belongs to the store at `store`."""
        return cls(triage_path(store))

    def resolve(
        self, issue_id: str, *, actor: str, at: datetime, reason: str, fixed_in: str | None = None
    ) -> None:
        """Resolve an issue. With `fixed_in`, only errors in that app version or a newer one reopen it."""
        self.set_state(issue_id, "resolved", actor=actor, at=at, reason=reason, fixed_in=fixed_in)

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
        """Archive an issue until a condition is met.

        `value` is a timestamp for "time", a number of further events for "events", a share of active devices (0 to 1)
        for "device_share", and the newest known app version for "release". The other conditions have no value.
        """
        self.set_state(
            issue_id,
            "archived",
            actor=actor,
            at=at,
            reason=reason,
            until_kind=until,
            until_value=_until_value(until, value),
        )

    def reopen(self, issue_id: str, *, actor: str, at: datetime, reason: str) -> None:
        """Set an archived or resolved issue to ongoing."""
        self.set_state(issue_id, "ongoing", actor=actor, at=at, reason=reason)

    def set_state(
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
        """Set the state of an issue and log it. Raises TriageError for an unknown state."""
        if state not in STATES:
            raise TriageError(f"there is no state {state!r}", next_step=f"Use one of: {', '.join(STATES)}.")
        with self.transaction() as connection:
            before = read_state(connection, issue_id)
            connection.execute(
                "INSERT INTO issue_state (issue_id, state, since, until_kind, until_value, fixed_in, decided_by)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (issue_id) DO UPDATE SET state = excluded.state,"
                " since = excluded.since, until_kind = excluded.until_kind, decided_by = excluded.decided_by,"
                " until_value = excluded.until_value, fixed_in = excluded.fixed_in",
                (issue_id, state, format_timestamp(at), until_kind, until_value, fixed_in, actor),
            )
            until = f"{state} until {until_kind} {until_value or ''}".rstrip() if until_kind else state
            log_activity(
                connection, at, actor, issue_id, "state", before.state if before else None, until, reason
            )

    def assign(
        self, issue_id: str, assignee: str | None, *, actor: str, at: datetime, reason: str = ""
    ) -> None:
        """Assign an issue to a user; None removes the assignee."""
        self._set_column(issue_id, "assignee", assignee, actor, at, reason)

    def pin_priority(
        self, issue_id: str, priority: Priority | None, *, actor: str, at: datetime, reason: str = ""
    ) -> None:
        """Pin the priority of an issue; None returns to the automatic priority."""
        if priority is not None and priority not in PRIORITIES:
            raise TriageError(
                f"there is no priority {priority!r}",
                next_step=f"Use one of: {', '.join(PRIORITIES)}, or none.",
            )
        self._set_column(issue_id, "priority", priority, actor, at, reason)

    def add_note(self, issue_id: str, text: str, *, actor: str, at: datetime) -> None:
        """Add a note to the log of an issue. It is stored unchanged and shown as plain text."""
        with self.transaction() as connection:
            log_activity(connection, at, actor, issue_id, "note", None, None, text)

    def state_of(self, issue_id: str) -> IssueState:
        """Return the state of an issue; "new" if it has none."""
        with self.connect() as connection:
            return read_state(connection, issue_id) or IssueState(issue_id=issue_id)

    def states(self) -> dict[str, IssueState]:
        """Return the states of all issues that have one, by issue id."""
        with self.connect() as connection:
            rows = connection.execute("SELECT * FROM issue_state ORDER BY issue_id").fetchall()
        return {row["issue_id"]: _state_from_row(row) for row in rows}

    def activity(self, issue_id: str | None = None) -> list[Activity]:
        """Return the log of one issue, or of all issues, oldest first.

        The log of an issue includes those of its predecessors; their entries keep the earlier ids.
        """
        with self.connect() as connection:
            rows = connection.execute(
                "SELECT * FROM activity ORDER BY number" if issue_id is None else _LOG_OF_ISSUE,
                () if issue_id is None else (issue_id,),
            ).fetchall()
        return [Activity(**(dict(row) | {"at": _parse_timestamp(row["at"])})) for row in rows]

    def predecessors_of(self, issue_id: str) -> frozenset[str]:
        """Return the ids of the issues that became this one, directly or through others."""
        return self._related(issue_id, "issue_id", "earlier_id")

    def successors_of(self, issue_id: str) -> frozenset[str]:
        """Return the ids of the current issues that contain errors which used to be in this one."""
        successors = self._related(issue_id, "earlier_id", "issue_id")
        with self.connect() as connection:
            rows = connection.execute("SELECT DISTINCT issue_id FROM content").fetchall()
        return successors & {str(row["issue_id"]) for row in rows}

    def _related(self, issue_id: str, near: str, far: str) -> frozenset[str]:
        sql = (
            f"WITH RECURSIVE line (name) AS (SELECT ? UNION SELECT {far} FROM lineage JOIN line ON {near} = name)"
            " SELECT name FROM line"
        )
        with self.connect() as connection:
            rows = connection.execute(sql, (issue_id,)).fetchall()
        return frozenset(str(row["name"]) for row in rows) - {issue_id}

    def add_to_issues(self, issues: pd.DataFrame) -> pd.DataFrame:
        """Return a triage list with the columns state, assignee and priority filled in."""
        existing = self.states()
        states = [existing.get(str(name)) or IssueState(issue_id=str(name)) for name in issues["issue_id"]]
        return issues.assign(
            state=[state.state for state in states],
            assignee=pd.Series([state.assignee for state in states], index=issues.index, dtype=object),
            priority=[
                state.priority or default_priority(pending, users)
                for state, pending, users in zip(states, issues["pending"], issues["users"], strict=True)
            ],
        )

    def _set_column(  # noqa: PLR0917 - private, and called twice
        self, issue_id: str, column: str, value: str | None, actor: str, at: datetime, reason: str
    ) -> None:
        with self.transaction() as connection:
            before = read_state(connection, issue_id) or IssueState(issue_id=issue_id)
            connection.execute(
                f"INSERT INTO issue_state (issue_id, state, since, {column}) VALUES (?, ?, ?, ?)"
                f" ON CONFLICT (issue_id) DO UPDATE SET {column} = excluded.{column}",
                (issue_id, before.state, format_timestamp(before.since or at), value),
            )
            log_activity(connection, at, actor, issue_id, column, getattr(before, column), value, reason)


def default_priority(pending: int, users: int) -> str:
    """Return the automatic priority: by records at risk, then by affected users."""
    if pending >= _HIGH_PENDING:
        return "high"
    return "medium" if pending > 0 or users >= _MEDIUM_USERS else "low"


def read_state(connection: sqlite3.Connection, issue_id: str) -> IssueState | None:
    """Read the state of an issue from the open file; None if it has none."""
    row = connection.execute("SELECT * FROM issue_state WHERE issue_id = ?", (issue_id,)).fetchone()
    return _state_from_row(row) if row else None


def _state_from_row(row: sqlite3.Row) -> IssueState:
    return IssueState(**(dict(row) | {"since": _parse_timestamp(row["since"])}))


def _until_value(until: str, value: object) -> str | None:
    if until not in UNTIL_KINDS:
        raise TriageError(
            f"{until!r} is not a condition for archiving", next_step=f"Use one of: {', '.join(UNTIL_KINDS)}."
        )
    if until in ("escalating", "forever"):
        return None
    try:
        if until == "time":
            return format_timestamp(
                value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
            )
        if until == "release":
            return str(value or "")
        return str(int(str(value))) if until == "events" else str(float(str(value)))
    except ValueError:
        raise TriageError(
            f"{value!r} is not a valid value for until={until}",
            next_step="Pass a timestamp for time, a whole number for events, or 0 to 1 for device_share.",
        ) from None


def _parse_timestamp(text: str) -> datetime:
    return datetime.fromisoformat(text)
