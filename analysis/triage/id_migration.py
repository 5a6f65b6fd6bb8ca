"""What people decided about an issue follows its errors when the issue gets another id.

An id follows the template of an issue, and a template widens when a store sees more wordings. The state file
remembers in which issue each content was (analysis.grouping.content); where it is in another one now, that
one takes over: the state with what it waits for, the assignee, the pinned priority, and the log.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from analysis.grouping.fingerprint import Content
from analysis.triage.database import format_timestamp, log_activity
from analysis.triage.overrides import ACTOR
from analysis.triage.states import PRIORITIES, IssueState, TriageState, read_state

Placed = Mapping[str, tuple[Content, str]]  # fingerprint: a sample of the content, the issue it is in
# Where several issues meet, the one that needs most attention gives the state.
_WEIGHT = ("archived", "resolved", "new", "ongoing", "escalating", "regressed")


def migrate_decisions(
    triage: TriageState, now: Placed, before: Placed, *, at: datetime
) -> dict[str, list[str]]:
    """Let decisions follow the errors they were taken about, and remember where each content is now.

    `now` and `before` tell where the contents of the store are and where they were; what the state file
    remembers goes before `before`, so that a load which was cut short is made up for by the next. An issue
    takes over from the issues whose contents it holds now: from those that are gone, and if it was not there
    before also from those that remain. Where several were decided about, a person's word goes before that of
    the automatic review, an open state before a closed one, a newer before an older; the log names what met.
    Returns the issues that took over, with those they took over from.
    """
    with triage.transaction() as connection:
        known = dict(connection.execute("SELECT fingerprint, issue_id FROM content").fetchall())
        earlier = {name: known.get(name) or (before[name][1] if name in before else None) for name in now}
        moved = successors(
            {name: issue for name, issue in earlier.items() if issue}, {n: i for n, (_, i) in now.items()}
        )
        for issue, ancestors in moved.items():
            _take_over(connection, issue, ancestors, at)
        connection.executemany(
            "INSERT OR REPLACE INTO content VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(name, issue, *said) for name, (said, issue) in now.items() if known.get(name) != issue],
        )
    return moved


def successors(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, list[str]]:
    """For each issue of `now` the issues of `before` from which it takes over, both sorted.

    Both map contents to issues. A content that wanders from one living issue to another takes nothing along.
    """
    there, here = set(before.values()), set(now.values())
    found: dict[str, set[str]] = {}
    for name, issue in now.items():
        old = before.get(name)
        if old is not None and old != issue and (old not in here or issue not in there):
            found.setdefault(issue, set()).add(old)
    return {issue: sorted(found[issue]) for issue in sorted(found)}


def _take_over(connection: sqlite3.Connection, issue: str, ancestors: Sequence[str], at: datetime) -> None:
    own, found = read_state(connection, issue), [read_state(connection, one) for one in ancestors]
    met = [one for one in (own, *found) if one is not None]
    if met:
        kept = _together(issue, met)
        _keep(connection, kept)
        log_activity(
            connection, at, ACTOR, issue, "taken over", _told(own), _told(kept), _why(ancestors, met)
        )
    elif any(_spoken_of(connection, one) for one in ancestors):
        log_activity(connection, at, ACTOR, issue, "taken over", None, None, _why(ancestors, met))
    number = connection.execute("SELECT coalesce(max(number), 0) FROM activity").fetchone()[0]
    connection.executemany(
        "INSERT OR IGNORE INTO lineage VALUES (?, ?, ?)", [(issue, one, number) for one in ancestors]
    )


def _together(issue: str, met: Sequence[IssueState]) -> IssueState:
    ranked = sorted(met, key=_rank, reverse=True)
    pinned = [one.priority for one in ranked if one.priority]
    return replace(
        ranked[0],
        issue_id=issue,
        assignee=next((one.assignee for one in ranked if one.assignee), None),
        priority=min(pinned, key=PRIORITIES.index, default=None),
    )


def _rank(one: IssueState) -> tuple[bool, bool, str, int, str]:
    by_a_person = one.decided_by not in (None, ACTOR)
    since = format_timestamp(one.since) if one.since and by_a_person else ""
    return (
        by_a_person,
        one.state not in ("archived", "resolved"),
        since,
        _WEIGHT.index(one.state),
        one.issue_id,
    )


def _keep(connection: sqlite3.Connection, kept: IssueState) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO issue_state (issue_id, state, since, until_kind, until_value, fixed_in,"
        " assignee, priority, decided_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            kept.issue_id, kept.state, format_timestamp(kept.since) if kept.since else "", kept.until_kind,
            kept.until_value, kept.fixed_in, kept.assignee, kept.priority, kept.decided_by,
        ),
    )  # fmt: skip


def _told(one: IssueState | None) -> str | None:
    if one is None:
        return None
    until = f"until {one.until_kind} {one.until_value or ''}".rstrip() if one.until_kind else None
    fixed = f"fixed in {one.fixed_in}" if one.fixed_in else None
    assigned = f"assigned to {one.assignee}" if one.assignee else None
    pinned = f"priority {one.priority}" if one.priority else None
    return ", ".join(filter(None, (f"{one.state}{f' {until}' if until else ''}", fixed, assigned, pinned)))


def _why(ancestors: Sequence[str], met: Sequence[IssueState]) -> str:
    was = f"its errors were in {'issue' if len(ancestors) == 1 else 'issues'} {', '.join(ancestors)}"
    if len(met) < 2:
        return was
    said = "; ".join(f"{one.issue_id}: {_told(one)}" for one in met)
    return f"{was}; what had been decided met here: {said}"


def _spoken_of(connection: sqlite3.Connection, issue: str) -> bool:
    found = connection.execute(
        "SELECT 1 FROM activity WHERE issue_id = ? UNION ALL SELECT 1 FROM lineage WHERE issue_id = ?",
        (issue, issue),
    ).fetchone()
    return found is not None
