"""Resolution statistics: time to resolve, reopen rate, and the share of fixes that last.

The figures come from the activity log of the triage state and the first events in the store. Open issues and recent
fixes are censored, not left out: without them the figures would favor teams that resolve only easy issues.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import inf

import numpy as np
from duckdb import DuckDBPyConnection

from analysis.base.intervals import Interval, wilson_interval
from analysis.base.survival import kaplan_meier
from analysis.query.filters import Filters
from analysis.query.runner import run_query
from analysis.triage.states import Activity, TriageState

FIX_HELD_DAYS = 30.0
_FIRST_SEEN = "SELECT issue_id, min(occurred_at) AS first_seen FROM issue_event GROUP BY issue_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionStats:
    """Resolution statistics over all issues up to a reference time; None if there is no data yet.

    `days_to_resolve` is the median time from the first event to the first resolution, with open issues censored; None
    if fewer than half of the issues are resolved. `reopen_rate` is the share of resolutions after which the issue was
    reopened. `fix_held` is the estimated share of resolutions that last 30 days.
    """

    issues: int
    open: int
    resolutions: int
    days_to_resolve: float | None
    reopened: int
    reopen_rate: float | None
    reopen_interval: Interval
    fix_held: float | None


@dataclass(frozen=True, slots=True)
class _Resolution:
    issue_id: str
    at: datetime
    ended: datetime | None


def resolution_stats(connection: DuckDBPyConnection, triage: TriageState, at: datetime) -> ResolutionStats:
    """Compute the resolution statistics as of `at`."""
    until = Filters.of(until=at)
    now = until.until or at
    first_seen = {
        str(name): timestamp.to_pydatetime()
        for name, timestamp in run_query(connection, _FIRST_SEEN, until).itertuples(index=False)
    }
    resolutions = _resolutions([entry for entry in triage.activity() if entry.at <= now])
    first_fix = {resolution.issue_id: resolution.at for resolution in reversed(resolutions)}
    waits = [
        ((first_fix.get(name, now) - seen).total_seconds(), name in first_fix)
        for name, seen in first_seen.items()
    ]
    lifetimes = [
        (((resolution.ended or now) - resolution.at).total_seconds(), resolution.ended is not None)
        for resolution in resolutions
    ]
    reopened = sum(resolution.ended is not None for resolution in resolutions)
    resolved_now = {resolution.issue_id for resolution in resolutions if resolution.ended is None}
    return ResolutionStats(
        issues=len(first_seen),
        open=len(first_seen.keys() - resolved_now),
        resolutions=len(resolutions),
        days_to_resolve=_median_days(waits),
        reopened=reopened,
        reopen_rate=reopened / len(resolutions) if resolutions else None,
        reopen_interval=wilson_interval(reopened, len(resolutions)),
        fix_held=_share_after(lifetimes, FIX_HELD_DAYS),
    )


def _resolutions(log: list[Activity]) -> list[_Resolution]:
    """Pair each resolution with the time at which the issue was reopened, None if it was not."""
    resolutions: list[_Resolution] = []
    resolved_at: dict[str, datetime] = {}
    for entry in log:
        if entry.action != "state":
            continue
        if entry.after == "resolved":
            resolved_at.setdefault(entry.issue_id, entry.at)
        elif entry.issue_id in resolved_at:
            resolutions.append(_Resolution(entry.issue_id, resolved_at.pop(entry.issue_id), entry.at))
    resolutions += [_Resolution(issue_id, at, None) for issue_id, at in resolved_at.items()]
    return sorted(resolutions, key=lambda resolution: (resolution.at, resolution.issue_id))


def _median_days(waits: list[tuple[float, bool]]) -> float | None:
    if not waits:
        return None
    seconds, done = (np.array(column) for column in zip(*waits, strict=True))
    median = kaplan_meier(seconds.astype(np.float64), done.astype(bool)).quantile(0.5)[0]
    return None if median == inf else median / 86400


def _share_after(lifetimes: list[tuple[float, bool]], days: float) -> float | None:
    if not lifetimes or max(seconds for seconds, _ in lifetimes) < days * 86400:
        return None
    seconds, ended = (np.array(column) for column in zip(*lifetimes, strict=True))
    curve = kaplan_meier(seconds.astype(np.float64), ended.astype(bool))
    until = np.searchsorted(curve.seconds, days * 86400, side="right")
    return 1.0 if until == 0 else float(1 - curve.done[until - 1])
