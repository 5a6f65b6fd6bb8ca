"""Triage state: what people decided about issues, in a small SQLite file beside the store.

It is a file of its own so that a click in the dashboard never waits for an ingest, and in WAL mode so that
several dashboards and the command line may write at once. Every change, by people or by `review`, is one row
of the activity log with its actor and its reason; nothing is ever deleted from it. The clock is an argument.
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

# Up to the moment at which it became this issue, the log of an earlier one is that of this.
_LOG_OF_ISSUE = """
WITH RECURSIVE line (issue_id, last) AS (
    SELECT ?, 9223372036854775807
    UNION
    SELECT l.earlier_id, min(l.number, line.last) FROM lineage AS l JOIN line ON line.issue_id = l.issue_id
)
SELECT DISTINCT a.* FROM activity AS a JOIN line ON line.issue_id = a.issue_id AND a.number <= line.last
ORDER BY a.number
"""
# Records that only a device holds weigh more than events: a rep loses work, not time.
_HIGH_PENDING, _MEDIUM_USERS = 10, 3


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
    decided_by: str | None = None  # who gave it its state


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


class TriageState(Overrides):
    """The triage state in the SQLite file at `path`, which is made when it is missing.

    Every method opens the file for as long as it needs, so one object may serve many threads. Raises
    TriageError when the file is not such a state, or when others keep it busy for ten seconds.
    """

    @classmethod
    def for_store(cls, store: Path | str) -> TriageState:
        """Open the triage state that belongs to the store at `store`."""
        return cls(triage_path(store))

    def resolve(
        self, issue_id: str, *, actor: str, at: datetime, reason: str, fixed_in: str | None = None
    ) -> None:
        """Call an issue resolved. With `fixed_in`, only that app version or a newer one brings it back."""
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
        """Put an issue away until something happens.

        `value` is a moment for "time", a number of further events for "events", a share of active devices
        (0 to 1) for "device_share", the newest app version known now for "release"; nothing for the others.
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
        """Take an archived or resolved issue back to ongoing."""
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
        """Move an issue to a state; the road that all others take. Unknown states raise TriageError."""
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
        """Give an issue to somebody, or to nobody with None."""
        self._set(issue_id, "assignee", assignee, actor, at, reason)

    def pin_priority(
        self, issue_id: str, priority: Priority | None, *, actor: str, at: datetime, reason: str = ""
    ) -> None:
        """Fix the priority of an issue against the automatic one; None lets that decide again."""
        if priority is not None and priority not in PRIORITIES:
            raise TriageError(
                f"there is no priority {priority!r}",
                next_step=f"Use one of: {', '.join(PRIORITIES)}, or none.",
            )
        self._set(issue_id, "priority", priority, actor, at, reason)

    def add_note(self, issue_id: str, text: str, *, actor: str, at: datetime) -> None:
        """Add a note to the log of an issue. It is kept as it is and shown as text."""
        with self.transaction() as connection:
            log_activity(connection, at, actor, issue_id, "note", None, None, text)

    def state_of(self, issue_id: str) -> IssueState:
        """Say where an issue stands; new when nobody has said anything."""
        with self.connect() as connection:
            return read_state(connection, issue_id) or IssueState(issue_id=issue_id)

    def states(self) -> dict[str, IssueState]:
        """Give every issue that has a state, by id."""
        with self.connect() as connection:
            rows = connection.execute("SELECT * FROM issue_state ORDER BY issue_id").fetchall()
        return {row["issue_id"]: _state(row) for row in rows}

    def activity(self, issue_id: str | None = None) -> list[Activity]:
        """Give the log of one issue, or of all, oldest first.

        The log of an issue goes on from those of the issues that it was before; their lines keep their ids.
        """
        with self.connect() as connection:
            rows = connection.execute(
                "SELECT * FROM activity ORDER BY number" if issue_id is None else _LOG_OF_ISSUE,
                () if issue_id is None else (issue_id,),
            ).fetchall()
        return [Activity(**(dict(row) | {"at": _moment(row["at"])})) for row in rows]

    def predecessors_of(self, issue_id: str) -> frozenset[str]:
        """The ids of the issues from which this one took over, at once or by way of others."""
        return self._related(issue_id, "issue_id", "earlier_id")

    def successors_of(self, issue_id: str) -> frozenset[str]:
        """The ids of the issues in which the errors of this one are now, where it is gone or was parted."""
        found = self._related(issue_id, "earlier_id", "issue_id")
        with self.connect() as connection:
            rows = connection.execute("SELECT DISTINCT issue_id FROM content").fetchall()
        return found & {str(row["issue_id"]) for row in rows}

    def _related(self, issue_id: str, near: str, far: str) -> frozenset[str]:
        sql = (
            f"WITH RECURSIVE line (name) AS (SELECT ? UNION SELECT {far} FROM lineage JOIN line ON {near} = name)"
            " SELECT name FROM line"
        )
        with self.connect() as connection:
            found = connection.execute(sql, (issue_id,)).fetchall()
        return frozenset(str(row["name"]) for row in found) - {issue_id}

    def add_to_issues(self, issues: pd.DataFrame) -> pd.DataFrame:
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

    def _set(  # noqa: PLR0917 - private, and called twice
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
    """Rank an issue by the records at risk, then by the people hit."""
    if pending >= _HIGH_PENDING:
        return "high"
    return "medium" if pending > 0 or users >= _MEDIUM_USERS else "low"


def read_state(connection: sqlite3.Connection, issue_id: str) -> IssueState | None:
    """The state of an issue as the open file has it; None when nobody has said anything."""
    row = connection.execute("SELECT * FROM issue_state WHERE issue_id = ?", (issue_id,)).fetchone()
    return _state(row) if row else None


def _state(row: sqlite3.Row) -> IssueState:
    return IssueState(**(dict(row) | {"since": _moment(row["since"])}))


def _until_value(until: str, value: object) -> str | None:
    if until not in UNTIL_KINDS:
        raise TriageError(
            f"nothing can be archived until {until!r}", next_step=f"Use one of: {', '.join(UNTIL_KINDS)}."
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
            f"{value!r} is no value for until {until}",
            next_step="Give a moment for time, a whole number for events, 0 to 1 for device_share.",
        ) from None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
