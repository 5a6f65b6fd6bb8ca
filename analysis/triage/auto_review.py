"""The automatic part of triage: who is new, who escalates, what came back, what is over.

`review` looks at the store once and moves each issue at most once, with its reason in the log. It never
touches what a person archived forever, and never resolves on silence alone: quiet counts only when the syncs
that used to meet the issue have gone on, often enough (rule of three).
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

# Everything is as of a moment: events after it have not happened yet.
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
FROM error CROSS JOIN reference
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
# How often the people of an issue met it while it lived, per sync, and how many syncs they made since.
_CHANCES = """
WITH alive AS (
    SELECT issue_id, min(occurred_at) AS first_seen, max(occurred_at) AS last_seen
    FROM error
    GROUP BY issue_id
),
people AS (SELECT DISTINCT issue_id, user_id FROM error WHERE user_id IS NOT NULL),
met AS (
    SELECT issue_id, count(DISTINCT coalesce(sync_id, event_id)) AS met FROM error GROUP BY issue_id
)
SELECT
    a.issue_id,
    max(m.met) AS met,
    count(*) FILTER (WHERE s.started_at <= a.last_seen AND s.started_at >= a.first_seen) AS chances,
    count(*) FILTER (WHERE s.started_at > a.last_seen) AS clean
FROM alive AS a
JOIN met AS m ON m.issue_id = a.issue_id
JOIN people AS p ON p.issue_id = a.issue_id
JOIN sync AS s ON s.user_id = p.user_id AND s.outcome NOT IN ('canceled', 'unfinished')
WHERE a.last_seen < $quiet_since
GROUP BY a.issue_id
"""
_SINCE = """
SELECT app_version, count(*) AS events, count(DISTINCT coalesce(device_id, user_id)) AS devices
FROM error
WHERE issue_id = $of_issue AND occurred_at > $after
GROUP BY app_version
"""
_VERSIONS = "SELECT DISTINCT app_version FROM sync WHERE app_version IS NOT NULL"


@dataclass(frozen=True, slots=True)
class _Fleet:
    """What the rules look at besides the issue itself."""

    connection: DuckDBPyConnection
    seen: Filters
    at: datetime
    active: int
    active_before: int
    versions: frozenset[str]
    chances: Mapping[str, tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the store knows of one issue by now."""

    issue_id: str
    first_seen: datetime
    last_seen: datetime
    devices: int
    before: int


@dataclass(frozen=True, slots=True)
class _Move:
    state: State
    reason: str


def update_issue_states(connection: DuckDBPyConnection, triage: TriageState, at: datetime) -> list[Activity]:
    """Bring the states of all issues up to the moment `at` and return what was changed.

    A second review of the same store at the same moment changes nothing.
    """
    seen = Filters.of(until=at)
    days = BASELINE_DAYS + 1
    active, active_before = _active(connection, seen, days)
    fleet = _Fleet(
        connection=connection,
        seen=seen,
        at=seen.until or at,
        active=active,
        active_before=active_before,
        versions=frozenset(run_query(connection, _VERSIONS, seen)["app_version"]),
        chances=_chances(connection, seen),
    )
    known = triage.states()
    last = max((entry.number for entry in triage.activity()), default=0)
    for issue in _issues(connection, seen, days):
        if move := _move(fleet, issue, known.get(issue.issue_id)):
            triage.set_state(issue.issue_id, move.state, actor=ACTOR, at=fleet.at, reason=move.reason)
    return [entry for entry in triage.activity() if entry.number > last]


def assess_escalations(
    connection: DuckDBPyConnection, at: datetime, **filters: object
) -> dict[str, Escalation]:
    """Judge how every issue rises as of the moment `at`, by issue id."""
    narrowed: dict[str, Any] = {**filters, "until": at}
    seen = Filters.of(**narrowed)
    days = BASELINE_DAYS + 1
    active, active_before = _active(connection, seen, days)
    return {
        issue.issue_id: assess_escalation(
            devices=issue.devices, active=active, before=issue.before, active_before=active_before
        )
        for issue in _issues(connection, seen, days)
    }


def _move(fleet: _Fleet, issue: _Seen, state: IssueState | None) -> _Move | None:
    if state is None:
        return _first_move(fleet, issue)
    if state.state == "archived":
        return _move_archived(fleet, issue, state)
    if state.state == "resolved":
        return _move_resolved(fleet, state)
    return _move_open(fleet, issue, state)


def _first_move(fleet: _Fleet, issue: _Seen) -> _Move:
    judged = _judge(fleet, issue)
    if judged.escalates:
        return _Move("escalating", judged.reason)
    if over := _over(fleet, issue):
        return over
    if fleet.at - issue.first_seen <= timedelta(days=NEW_DAYS):
        return _Move("new", "seen for the first time")
    return _Move("ongoing", f"known for more than {NEW_DAYS} days when first reviewed")


def _move_open(fleet: _Fleet, issue: _Seen, state: IssueState) -> _Move | None:
    judged = _judge(fleet, issue)
    if judged.escalates:
        return None if state.state == "escalating" else _Move("escalating", judged.reason)
    if over := _over(fleet, issue):
        return over
    if state.state == "escalating" and judged.rise_low < 1:
        return _Move("ongoing", f"no longer rising: {judged.reason}")
    if state.state == "new" and fleet.at - issue.first_seen > timedelta(days=NEW_DAYS):
        return _Move("ongoing", f"still here after {NEW_DAYS} days")
    return None


def _move_archived(fleet: _Fleet, issue: _Seen, state: IssueState) -> _Move | None:
    value = state.until_value or ""
    if state.until_kind == "escalating":
        judged = _judge(fleet, issue)
        return _Move("escalating", judged.reason) if judged.escalates else None
    if state.until_kind == "time":
        return (
            _Move("ongoing", f"archived until {value}") if fleet.at >= datetime.fromisoformat(value) else None
        )
    if state.until_kind == "release":
        released = [version for version in fleet.versions if is_newer_version(version, value)]
        newest = max(released, key=version_numbers, default=None)
        return _Move("ongoing", f"version {newest} is out") if newest else None
    return _move_counted(fleet, state, value)


def _move_counted(fleet: _Fleet, state: IssueState, value: str) -> _Move | None:
    since = _since(fleet, state)
    events, devices = int(since["events"].sum()), int(since["devices"].sum())
    if state.until_kind == "events" and events >= int(value):
        return _Move("ongoing", f"{events} events since it was archived")
    if state.until_kind == "device_share" and fleet.active and devices / fleet.active >= float(value):
        return _Move("ongoing", f"{devices} of {fleet.active} active devices since it was archived")
    return None


def _move_resolved(fleet: _Fleet, state: IssueState) -> _Move | None:
    since = _since(fleet, state)
    if state.fixed_in is not None:
        # Devices that have not got the fix yet go on failing, and that is no news.
        fixed = [str(version) for version in since["app_version"].dropna()]
        back = [version for version in fixed if not is_newer_version(state.fixed_in, version)]
        return _Move("regressed", f"came back in {', '.join(sorted(back))}, after the fix") if back else None
    events = int(since["events"].sum())
    return _Move("regressed", f"{events} events since it was resolved") if events else None


def _over(fleet: _Fleet, issue: _Seen) -> _Move | None:
    met, chances, clean = fleet.chances.get(issue.issue_id, (0, 0, 0))
    # The lower bound of how often it was met asks for the most tries that could be needed.
    rate = wilson_interval(min(met, chances), chances).low if chances else 0.0
    needed = failure_free_tries_needed(rate)
    if needed == inf or clean < needed:
        return None
    quiet = (fleet.at - issue.last_seen).days
    return _Move(
        "resolved",
        f"quiet for {quiet} days and {clean} syncs of the people who had it;"
        f" {needed:.0f} would have been enough",
    )


def _judge(fleet: _Fleet, issue: _Seen) -> Escalation:
    return assess_escalation(
        devices=issue.devices,
        active=fleet.active,
        before=issue.before,
        active_before=fleet.active_before,
    )


def _active(connection: DuckDBPyConnection, seen: Filters, days: int) -> tuple[int, int]:
    found = run_query(connection, _ACTIVE.format(days=days), seen).iloc[0]
    return int(found["active"]), int(found["active_before"])


def _issues(connection: DuckDBPyConnection, seen: Filters, days: int) -> list[_Seen]:
    found = run_query(connection, _ISSUES.format(days=days), seen).sort_values("issue_id")
    return [
        _Seen(str(name), first.to_pydatetime(), last.to_pydatetime(), int(devices), int(before))
        for name, first, last, devices, before in found.itertuples(index=False)
    ]


def _since(fleet: _Fleet, state: IssueState) -> pd.DataFrame:
    bound = {"of_issue": state.issue_id, "after": state.since}
    return run_query(fleet.connection, _SINCE, fleet.seen, bound)


def _chances(connection: DuckDBPyConnection, seen: Filters) -> dict[str, tuple[int, int, int]]:
    quiet_since = seen.until and seen.until - QUIET_PERIOD
    found = run_query(connection, _CHANCES, seen, {"quiet_since": quiet_since})
    return {
        str(name): (int(met), int(chances), int(clean))
        for name, met, chances, clean in found.itertuples(index=False)
    }
