"""How well issues are dealt with: time to resolve, how often they come back, whether fixes hold.

From the activity log of the triage state and the first events in the store. Issues still open and fixes still
young are censored, not left out: leaving them out would praise whoever resolves only what is easy.
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

HELD_DAYS = 30.0
_FIRST_SEEN = "SELECT issue_id, min(occurred_at) AS first_seen FROM error GROUP BY issue_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionStats:
    """Figures over all issues up to a moment; days. None where there is nothing to say yet.

    `days_to_resolve` is the median from first event to first resolution with open issues censored, None when
    fewer than half of them are resolved. `reopen_rate` is the share of resolutions after which the issue came
    back. `fix_held` is the estimated share of resolutions still holding after 30 days.
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
    """Judge how issues have been dealt with up to the moment `at`."""
    until = Filters.of(until=at)
    now = until.until or at
    first_seen = {
        str(name): moment.to_pydatetime()
        for name, moment in run_query(connection, _FIRST_SEEN, until).itertuples(index=False)
    }
    resolutions = _resolutions([entry for entry in triage.activity() if entry.at <= now])
    first_fix = {one.issue_id: one.at for one in reversed(resolutions)}
    waits = [
        ((first_fix.get(name, now) - seen).total_seconds(), name in first_fix)
        for name, seen in first_seen.items()
    ]
    held = [(((one.ended or now) - one.at).total_seconds(), one.ended is not None) for one in resolutions]
    reopened = sum(one.ended is not None for one in resolutions)
    resolved_now = {one.issue_id for one in resolutions if one.ended is None}
    return ResolutionStats(
        issues=len(first_seen),
        open=len(first_seen.keys() - resolved_now),
        resolutions=len(resolutions),
        days_to_resolve=_median_days(waits),
        reopened=reopened,
        reopen_rate=reopened / len(resolutions) if resolutions else None,
        reopen_interval=wilson_interval(reopened, len(resolutions)),
        fix_held=_share_after(held, HELD_DAYS),
    )


def _resolutions(log: list[Activity]) -> list[_Resolution]:
    """Pair each resolution with the moment at which it stopped holding."""
    found: list[_Resolution] = []
    standing: dict[str, datetime] = {}
    for entry in log:
        if entry.action != "state":
            continue
        if entry.after == "resolved":
            standing.setdefault(entry.issue_id, entry.at)
        elif entry.issue_id in standing:
            found.append(_Resolution(entry.issue_id, standing.pop(entry.issue_id), entry.at))
    found += [_Resolution(issue_id, at, None) for issue_id, at in standing.items()]
    return sorted(found, key=lambda one: (one.at, one.issue_id))


def _median_days(waits: list[tuple[float, bool]]) -> float | None:
    if not waits:
        return None
    seconds, done = (np.array(column) for column in zip(*waits, strict=True))
    median = kaplan_meier(seconds.astype(np.float64), done.astype(bool)).quantile(0.5)[0]
    return None if median == inf else median / 86400


def _share_after(held: list[tuple[float, bool]], days: float) -> float | None:
    if not held or max(seconds for seconds, _ in held) < days * 86400:
        return None
    seconds, ended = (np.array(column) for column in zip(*held, strict=True))
    curve = kaplan_meier(seconds.astype(np.float64), ended.astype(bool))
    until = np.searchsorted(curve.seconds, days * 86400, side="right")
    return 1.0 if until == 0 else float(1 - curve.done[until - 1])
