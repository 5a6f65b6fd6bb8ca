"""Automatic triage: set issues to new, ongoing, escalating, regressed or resolved.

`update_issue_states` changes each issue at most once per call, and logs the reason. It never changes an issue that a
user archived forever. It resolves an issue only if it is quiet, blocks no record and stops no device, all its users
have synced since, and these syncs are enough without the error (rule of three): without syncs, the absence of errors
proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from typing import Any

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.base.intervals import failure_free_tries_needed, wilson_interval
from analysis.base.quiet_period import QUIET_PERIOD
from analysis.base.versions import is_newer_version, version_numbers
from analysis.query.filters import Filters
from analysis.query.runner import run_query
from analysis.triage.escalation import BASELINE_DAYS, Escalation, assess_escalation
from analysis.triage.states import Activity, IssueState, State, TriageState

ACTOR = "synclens"
NEW_DAYS = 7
_OF_ERRORS = ("object", "cause", "issue_id")

# All queries are as of a reference time: later events do not count.
_ISSUES = """
SELECT
    issue_id,
    min(occurred_at) AS first_seen,
    max(occurred_at) AS last_seen,
    count(DISTINCT CASE WHEN occurred_at > as_of - INTERVAL 1 DAY THEN coalesce(device_id, user_id) END)
        AS devices,
    count(DISTINCT CASE
        WHEN occurred_at <= as_of - INTERVAL 1 DAY AND occurred_at > as_of - INTERVAL {days} DAY
        THEN concat(coalesce(device_id, user_id), ' ',
            cast(floor(date_diff('second', occurred_at, as_of) / 86400.0) AS VARCHAR))
    END) AS before
FROM issue_event CROSS JOIN reference
WHERE coalesce(device_id, user_id) IS NOT NULL
GROUP BY issue_id
"""
_ACTIVE = """
SELECT
    count(DISTINCT CASE WHEN started_at > as_of - INTERVAL 1 DAY THEN coalesce(device_id, user_id) END)
        AS active,
    count(DISTINCT CASE
        WHEN started_at <= as_of - INTERVAL 1 DAY AND started_at > as_of - INTERVAL {days} DAY
        THEN concat(coalesce(device_id, user_id), ' ',
            cast(floor(date_diff('second', started_at, as_of) / 86400.0) AS VARCHAR))
    END) AS active_before
FROM sync CROSS JOIN reference
"""
# If no sync is loaded, it is unknown which devices were active: all with an error count on each day since the first.
_ACTIVE_BY_ERRORS = """
SELECT
    count(DISTINCT coalesce(device_id, user_id)) AS active,
    count(DISTINCT coalesce(device_id, user_id))
        * least(floor(date_diff('second', min(occurred_at), max(as_of)) / 86400.0), {days} - 1) AS active_before
FROM issue_event CROSS JOIN reference
"""
# Per issue: how many syncs of its users had the error while it occurred, and how many syncs they made since.
_SYNCS_OF_USERS = """
WITH lifetime AS (
    SELECT issue_id, min(occurred_at) AS first_seen, max(occurred_at) AS last_seen
    FROM issue_event
    GROUP BY issue_id
),
affected_user AS (SELECT DISTINCT issue_id, user_id FROM issue_event WHERE user_id IS NOT NULL),
met AS (
    SELECT issue_id, count(DISTINCT coalesce(sync_id, event_id)) AS met FROM issue_event GROUP BY issue_id
)
SELECT
    a.issue_id,
    max(m.met) AS met,
    count(*) FILTER (WHERE s.started_at <= a.last_seen AND s.started_at >= a.first_seen) AS chances,
    count(*) FILTER (WHERE s.started_at > a.last_seen) AS clean
FROM lifetime AS a
JOIN met AS m ON m.issue_id = a.issue_id
JOIN affected_user AS p ON p.issue_id = a.issue_id
JOIN sync AS s ON s.user_id = p.user_id AND s.outcome NOT IN ('canceled', 'unfinished')
WHERE a.last_seen < $quiet_since
GROUP BY a.issue_id
"""
# Issues that block a record, stop a device, or have a user without a successful sync since.
_OPEN_ISSUES = """
SELECT issue_id FROM pending_blocker WHERE in_error OR stopped
UNION SELECT issue_id FROM stopped_device
UNION SELECT issue_id FROM unrecovered_user
"""
_SINCE = """
SELECT app_version, count(*) AS events, count(DISTINCT coalesce(device_id, user_id)) AS devices
FROM issue_event
WHERE issue_id = $of_issue AND occurred_at > $after
GROUP BY app_version
"""
_VERSIONS = "SELECT DISTINCT app_version FROM sync WHERE app_version IS NOT NULL"


@dataclass(frozen=True, slots=True)
class _Fleet:
    """The values that the rules use besides the issue itself."""

    connection: DuckDBPyConnection
    filters: Filters
    at: datetime
    active: int
    active_before: int
    versions: frozenset[str]
    sync_counts: Mapping[str, tuple[int, int, int]]
    open_issues: frozenset[str]


@dataclass(frozen=True, slots=True)
class _IssueFigures:
    """The figures of one issue at the reference time."""

    issue_id: str
    first_seen: datetime
    last_seen: datetime
    devices: int
    before: int


@dataclass(frozen=True, slots=True)
class _Transition:
    state: State
    reason: str


def update_issue_states(connection: DuckDBPyConnection, triage: TriageState, at: datetime) -> list[Activity]:
    """Update the states of all issues as of `at`, and return the changes.

    A second call with the same store and time changes nothing.
    """
    filters = Filters.of(until=at)
    days = BASELINE_DAYS + 1
    active, active_before = _read_active_devices(connection, filters, days)
    fleet = _Fleet(
        connection=connection,
        filters=filters,
        at=filters.until or at,
        active=active,
        active_before=active_before,
        versions=frozenset(run_query(connection, _VERSIONS, filters)["app_version"]),
        sync_counts=_read_sync_counts(connection, filters),
        open_issues=frozenset(run_query(connection, _OPEN_ISSUES, filters)["issue_id"].dropna()),
    )
    states = triage.states()
    last = max((entry.number for entry in triage.activity()), default=0)
    for issue in _read_issues(connection, filters, days):
        if transition := _transition(fleet, issue, states.get(issue.issue_id)):
            triage.set_state(
                issue.issue_id, transition.state, actor=ACTOR, at=fleet.at, reason=transition.reason
            )
    return [entry for entry in triage.activity() if entry.number > last]


def assess_escalations(
    connection: DuckDBPyConnection, at: datetime, **filters: object
) -> dict[str, Escalation]:
    """Return for each issue, by id, whether it escalates as of `at`."""
    narrowed: dict[str, Any] = {**filters, "until": at}
    checked = Filters.of(**narrowed)

    days = BASELINE_DAYS + 1
    active, active_before = _read_active_devices(connection, checked, days)
    return {
        issue.issue_id: assess_escalation(
            devices=issue.devices, active=active, before=issue.before, active_before=active_before
        )
        for issue in _read_issues(connection, checked, days)
    }


def _transition(fleet: _Fleet, issue: _IssueFigures, state: IssueState | None) -> _Transition | None:
    if state is None:
        return _first_transition(fleet, issue)
    if state.state == "archived":
        return _transition_archived(fleet, issue, state)
    if state.state == "resolved":
        return _transition_resolved(fleet, issue, state)
    return _transition_open(fleet, issue, state)


def _first_transition(fleet: _Fleet, issue: _IssueFigures) -> _Transition:
    escalation = _assess(fleet, issue)
    if escalation.escalates:
        return _Transition("escalating", escalation.reason)
    if resolved := _resolve_if_over(fleet, issue):
        return resolved
    if fleet.at - issue.first_seen <= timedelta(days=NEW_DAYS):
        return _Transition("new", "seen for the first time")
    return _Transition("ongoing", f"first error more than {NEW_DAYS} days before the first review")


def _transition_open(fleet: _Fleet, issue: _IssueFigures, state: IssueState) -> _Transition | None:
    escalation = _assess(fleet, issue)
    if escalation.escalates:
        return None if state.state == "escalating" else _Transition("escalating", escalation.reason)
    if resolved := _resolve_if_over(fleet, issue):
        return resolved
    if state.state == "escalating" and escalation.rise_low < 1:
        return _Transition("ongoing", f"no longer rising: {escalation.reason}")
    if state.state == "new" and fleet.at - issue.first_seen > timedelta(days=NEW_DAYS):
        return _Transition("ongoing", f"still occurs after {NEW_DAYS} days")
    return None


def _transition_archived(fleet: _Fleet, issue: _IssueFigures, state: IssueState) -> _Transition | None:
    value = state.until_value or ""
    if state.until_kind == "escalating":
        escalation = _assess(fleet, issue)
        return _Transition("escalating", escalation.reason) if escalation.escalates else None
    if state.until_kind == "time":
        return (
            _Transition("ongoing", f"archived until {value}")
            if fleet.at >= datetime.fromisoformat(value)
            else None
        )
    if state.until_kind == "release":
        released = [version for version in fleet.versions if is_newer_version(version, value)]
        newest = max(released, key=version_numbers, default=None)
        return _Transition("ongoing", f"version {newest} is out") if newest else None
    return _transition_counted(fleet, state, value)


def _transition_counted(fleet: _Fleet, state: IssueState, value: str) -> _Transition | None:
    since = _read_errors_since(fleet, state)
    events, devices = int(since["events"].sum()), int(since["devices"].sum())
    if state.until_kind == "events" and events >= int(value):
        return _Transition("ongoing", f"{events} events since it was archived")
    if state.until_kind == "device_share" and fleet.active and devices / fleet.active >= float(value):
        return _Transition("ongoing", f"{devices} of {fleet.active} active devices since it was archived")
    return None


def _transition_resolved(fleet: _Fleet, issue: _IssueFigures, state: IssueState) -> _Transition | None:
    if state.decided_by == ACTOR and issue.issue_id in fleet.open_issues:
        return _Transition("ongoing", "it blocks records, stops a device, or a user has not synced since")
    since = _read_errors_since(fleet, state)
    if state.fixed_in is not None:
        # Errors on devices without the fix are expected.
        fixed = [str(version) for version in since["app_version"].dropna()]
        back = [version for version in fixed if not is_newer_version(state.fixed_in, version)]
        return (
            _Transition("regressed", f"errors in {', '.join(sorted(back))}, which should have the fix")
            if back
            else None
        )
    events = int(since["events"].sum())
    return _Transition("regressed", f"{events} events since it was resolved") if events else None


def _resolve_if_over(fleet: _Fleet, issue: _IssueFigures) -> _Transition | None:
    if issue.issue_id in fleet.open_issues:
        return None
    with_error, syncs, clean = fleet.sync_counts.get(issue.issue_id, (0, 0, 0))
    # The lower bound of the error rate requires the largest number of syncs without an error.
    rate = wilson_interval(min(with_error, syncs), syncs).low if syncs else 0.0
    needed = failure_free_tries_needed(rate)
    if needed == inf or clean < needed:
        return None
    quiet = (fleet.at - issue.last_seen).days
    return _Transition(
        "resolved",
        f"quiet for {quiet} days and {clean} syncs of the affected users; {needed:.0f} are enough",
    )


def _assess(fleet: _Fleet, issue: _IssueFigures) -> Escalation:
    return assess_escalation(
        devices=issue.devices,
        active=fleet.active,
        before=issue.before,
        active_before=fleet.active_before,
    )


def _read_active_devices(connection: DuckDBPyConnection, filters: Filters, days: int) -> tuple[int, int]:
    row = run_query(connection, _ACTIVE.format(days=days), filters).iloc[0]
    if not row["active"] and not row["active_before"]:
        # A filter on errors must not change which devices exist.
        values = {name: value for name, value in filters.values.items() if name not in _OF_ERRORS}
        of_fleet = Filters(until=filters.until, values=values)
        row = run_query(connection, _ACTIVE_BY_ERRORS.format(days=days), of_fleet).iloc[0]
    return int(row["active"] or 0), int(row["active_before"] if row["active"] else 0)


def _read_issues(connection: DuckDBPyConnection, filters: Filters, days: int) -> list[_IssueFigures]:
    rows = run_query(connection, _ISSUES.format(days=days), filters).sort_values("issue_id")
    return [
        _IssueFigures(str(name), first.to_pydatetime(), last.to_pydatetime(), int(devices), int(before))
        for name, first, last, devices, before in rows.itertuples(index=False)
    ]


def _read_errors_since(fleet: _Fleet, state: IssueState) -> pd.DataFrame:
    bound = {"of_issue": state.issue_id, "after": state.since}
    return run_query(fleet.connection, _SINCE, fleet.filters, bound)


def _read_sync_counts(connection: DuckDBPyConnection, filters: Filters) -> dict[str, tuple[int, int, int]]:
    quiet_since = filters.until and filters.until - QUIET_PERIOD
    counts = run_query(connection, _SYNCS_OF_USERS, filters, {"quiet_since": quiet_since})
    return {
        str(name): (int(with_error), int(syncs), int(clean))
        for name, with_error, syncs, clean in counts.itertuples(index=False)
    }
