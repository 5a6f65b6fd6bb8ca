"""Move decisions along with the errors of an issue when the issue id changes.

An id depends on the template of the issue, and the template becomes wider when a store receives new messages. The
triage file stores the issue of each content (analysis.grouping.fingerprint). If a content is in another issue now,
that issue inherits the state with its archive condition, the assignee, the pinned priority and the log. A new version
of the grouping masks other parts of messages, so that fingerprints change too; each is computed again from the sample
of its content.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from analysis.grouping.fingerprint import Content, compute_fingerprints
from analysis.triage.database import format_timestamp, log_activity
from analysis.triage.overrides import ACTOR
from analysis.triage.states import PRIORITIES, IssueState, TriageState, read_state

IssueByContent = Mapping[str, tuple[Content, str]]  # fingerprint: a sample of the content, and its issue
IssuesByContent = Mapping[str, Collection[str]]  # fingerprint: its issues
_Name = TypeVar("_Name", bound=Hashable)  # of a content
SYNC_PREFIX = "sync "  # begins the name of a sync, which has no fingerprint
# If several issues become one, the state that needs most attention wins (the last one here).
_BY_ATTENTION = ("archived", "resolved", "new", "ongoing", "escalating", "regressed")


def migrate_decisions(
    triage: TriageState, now: IssueByContent, before: IssuesByContent, *, at: datetime
) -> dict[str, list[str]]:
    """Move decisions to the current issues of their errors, and store the issue of each content.

    `now` and `before` map the contents of the store to their current issue and their previous issues: several, if
    this version of the grouping joins contents. The triage file has precedence over `before`, so a load that was
    interrupted is completed by the next one. An issue inherits from the issues whose contents it has now: from those
    that no longer exist, and if it is new also from those that remain. If several had decisions, a user's decision
    has precedence over automatic triage, an open state over a closed one, and a newer one over an older one; the log
    lists them all. Returns the issues that inherited, each with its predecessors.
    """
    with triage.transaction() as connection:
        stored = _read_stored_issues(connection, now)
        earlier = {(name, issue): issue for name in now for issue in stored.get(name) or before.get(name, ())}
        inherited = successors(earlier, {(name, issue): now[name][1] for name, issue in earlier})
        for issue, predecessors in inherited.items():
            _inherit(connection, issue, predecessors, at)
        connection.executemany(
            "INSERT OR REPLACE INTO content VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (name, issue, *content)
                for name, (content, issue) in now.items()
                if stored.get(name) != {issue}
            ],
        )
    return inherited


def successors(before: Mapping[_Name, str], now: Mapping[_Name, str]) -> dict[str, list[str]]:
    """Return for each issue of `now` the issues of `before` that it inherits from, both sorted.

    Both map contents to issues. If both issues exist before and now, a content that moves between them moves no
    decision.
    """
    issues_before, issues_now = set(before.values()), set(now.values())
    predecessors: dict[str, set[str]] = {}
    for name, issue in now.items():
        old = before.get(name)
        if old is not None and old != issue and (old not in issues_now or issue not in issues_before):
            predecessors.setdefault(issue, set()).add(old)
    return {issue: sorted(predecessors[issue]) for issue in sorted(predecessors)}


def _read_stored_issues(connection: sqlite3.Connection, now: IssueByContent) -> dict[str, set[str]]:
    """Read the issues of each content, and replace the fingerprints of earlier versions of the grouping.

    A fingerprint that is not in the store belongs to an earlier version or to an error that is no longer loaded.
    """
    rows = [tuple(row) for row in connection.execute("SELECT * FROM content ORDER BY fingerprint")]
    issues = {str(name): {str(issue)} for name, issue, *_ in rows if name in now}
    others = [(str(name), str(issue), Content(*content)) for name, issue, *content in rows if name not in now]
    contents = [content for name, _, content in others if not name.startswith(SYNC_PREFIX)]
    fingerprints = dict(zip(contents, compute_fingerprints(contents), strict=True))
    current = set(issues)
    for name, issue, content in others:
        fingerprint = fingerprints.get(content, name)
        if fingerprint not in current:
            issues.setdefault(fingerprint, set()).add(issue)
        if fingerprint != name:
            connection.execute("DELETE FROM content WHERE fingerprint = ?", (name,))
            connection.execute(
                "INSERT OR IGNORE INTO content VALUES (?, ?, ?, ?, ?, ?, ?)", (fingerprint, issue, *content)
            )
    return issues


def _inherit(connection: sqlite3.Connection, issue: str, predecessors: Sequence[str], at: datetime) -> None:
    own = read_state(connection, issue)
    inherited = [read_state(connection, predecessor) for predecessor in predecessors]
    states = [state for state in (own, *inherited) if state is not None]
    if states:
        merged = _merge(issue, states)
        _store(connection, merged)
        log_activity(
            connection, at, ACTOR, issue, "taken over", _describe(own), _describe(merged),
            _reason(predecessors, states),
        )  # fmt: skip
    elif any(_has_history(connection, predecessor) for predecessor in predecessors):
        log_activity(connection, at, ACTOR, issue, "taken over", None, None, _reason(predecessors, states))
    number = connection.execute("SELECT coalesce(max(number), 0) FROM activity").fetchone()[0]
    connection.executemany(
        "INSERT OR IGNORE INTO lineage VALUES (?, ?, ?)",
        [(issue, predecessor, number) for predecessor in predecessors],
    )


def _merge(issue: str, states: Sequence[IssueState]) -> IssueState:
    ranked = sorted(states, key=_precedence, reverse=True)
    pinned = [state.priority for state in ranked if state.priority]
    return replace(
        ranked[0],
        issue_id=issue,
        assignee=next((state.assignee for state in ranked if state.assignee), None),
        priority=min(pinned, key=PRIORITIES.index, default=None),
    )


def _precedence(state: IssueState) -> tuple[bool, bool, str, int, str]:
    is_by_user = state.decided_by not in (None, ACTOR)
    since = format_timestamp(state.since) if state.since and is_by_user else ""
    return (
        is_by_user,
        state.state not in ("archived", "resolved"),
        since,
        _BY_ATTENTION.index(state.state),
        state.issue_id,
    )


def _store(connection: sqlite3.Connection, state: IssueState) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO issue_state (issue_id, state, since, until_kind, until_value, fixed_in,"
        " assignee, priority, decided_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            state.issue_id, state.state, format_timestamp(state.since) if state.since else "", state.until_kind,
            state.until_value, state.fixed_in, state.assignee, state.priority, state.decided_by,
        ),
    )  # fmt: skip


def _describe(state: IssueState | None) -> str | None:
    if state is None:
        return None
    until = f"until {state.until_kind} {state.until_value or ''}".rstrip() if state.until_kind else None
    fixed = f"fixed in {state.fixed_in}" if state.fixed_in else None
    assigned = f"assigned to {state.assignee}" if state.assignee else None
    pinned = f"priority {state.priority}" if state.priority else None
    return ", ".join(filter(None, (f"{state.state}{f' {until}' if until else ''}", fixed, assigned, pinned)))


def _reason(predecessors: Sequence[str], states: Sequence[IssueState]) -> str:
    noun = "issue" if len(predecessors) == 1 else "issues"
    reason = f"its errors were in {noun} {', '.join(predecessors)}"
    if len(states) < 2:
        return reason
    decisions = "; ".join(f"{state.issue_id}: {_describe(state)}" for state in states)
    return f"{reason}; earlier decisions: {decisions}"


def _has_history(connection: sqlite3.Connection, issue: str) -> bool:
    row = connection.execute(
        "SELECT 1 FROM activity WHERE issue_id = ? UNION ALL SELECT 1 FROM lineage WHERE issue_id = ?",
        (issue, issue),
    ).fetchone()
    return row is not None
