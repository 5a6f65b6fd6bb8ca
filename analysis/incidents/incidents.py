"""Incidents: issues that begin together, or on the same devices, with the reason why they belong together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from math import exp
from typing import TYPE_CHECKING, Any

import numpy as np
from duckdb import DuckDBPyConnection

from analysis.base.text import pluralize
from analysis.classification.catalogue import CAUSES
from analysis.incidents.grouping import Group, group_issues
from analysis.incidents.hits import Hits, load_hits
from analysis.query.filters import Filters
from analysis.query.runner import run_query_rows

if TYPE_CHECKING:
    import pandas as pd

INCIDENT_COLUMNS = (
    "incident_id", "title", "reason", "issues", "users", "devices", "events", "first_seen", "last_seen", "causes",
    "issue_ids", "p_value",
)  # fmt: skip
_SHARE_OF_SERVER = 0.5  # of the errors that must have an HTTP status of a failing server
_COUNTS = """
SELECT count(*) AS events, count(DISTINCT user_id) AS users, count(DISTINCT coalesce(device_id, user_id)) AS devices,
    min(occurred_at) AS first_seen, max(occurred_at) AS last_seen,
    count(*) FILTER (WHERE http_status >= 500) AS server_errors,
    list(DISTINCT http_status ORDER BY http_status) FILTER (WHERE http_status >= 500) AS server_statuses
FROM issue_event WHERE list_contains($issues, issue_id)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Issues that belong together: they began together, or on the same devices.

    `incident_id` is `incident-` and the id of the issue that began first. `issue_ids` has two or more issues, the one
    with most errors first; `causes` their causes in that order. `events`, `users` and `devices` count over all of
    them; times are UTC without a zone, as in the store. `reason` states why they belong together. `p_value` is an
    upper bound of the probability that chance alone puts issues together like this somewhere in the store.
    """

    incident_id: str
    title: str
    reason: str
    issue_ids: tuple[str, ...]
    causes: tuple[str, ...]
    events: int
    users: int
    devices: int
    first_seen: datetime
    last_seen: datetime
    p_value: float

    def to_dict(self) -> dict[str, Any]:
        """Return the incident as values that JSON can hold; times are ISO text."""
        times = {"first_seen": self.first_seen.isoformat(), "last_seen": self.last_seen.isoformat()}
        lists = {"issue_ids": list(self.issue_ids), "causes": list(self.causes)}
        return asdict(self) | times | lists


def find_incidents(connection: DuckDBPyConnection, **filters: object) -> list[Incident]:
    """Find the incidents of a store, those with most affected devices first.

    Issues of one cause form an incident if they begin in one burst over the fleet, or hit the same few devices, more
    than chance explains (p < 0.001 for the whole store). Bursts of network, server and limit errors at the same time
    are one incident, whatever their causes. An issue is in at most one incident; most are in none.
    Raises UnknownFilter and InvalidFilter.
    """
    checked = Filters.of(**filters)
    hits = load_hits(connection, checked)
    incidents = [_build_incident(connection, checked, hits, group) for group in group_issues(hits)]
    return sorted(incidents, key=lambda incident: (-incident.devices, -incident.events, incident.incident_id))


def list_incidents(connection: DuckDBPyConnection, **filters: object) -> pd.DataFrame:
    """Return the incidents of `find_incidents` as a frame with INCIDENT_COLUMNS."""
    import pandas as pd  # noqa: PLC0415 - slow, and the command line works without

    rows = [
        asdict(incident) | {"issues": len(incident.issue_ids)}
        for incident in find_incidents(connection, **filters)
    ]
    return pd.DataFrame(rows, columns=list(INCIDENT_COLUMNS))


def incident_by_issue(incidents: Iterable[Incident]) -> dict[str, Incident]:
    """Return the incident of each issue that is in one, by issue id."""
    return {issue_id: incident for incident in incidents for issue_id in incident.issue_ids}


def _build_incident(connection: DuckDBPyConnection, filters: Filters, hits: Hits, group: Group) -> Incident:
    members = sorted(
        (hits.issues[number] for number in group.issues), key=lambda issue: (-issue.events, issue.issue_id)
    )
    issue_ids = tuple(issue.issue_id for issue in members)
    (counts,) = run_query_rows(connection, _COUNTS, filters, {"issues": list(issue_ids)})
    causes = tuple(dict.fromkeys(issue.cause for issue in members))
    begins = _first_hits(hits, group)
    first = min(begins, key=lambda number: (begins[number], hits.issues[number].issue_id))
    return Incident(
        incident_id=f"incident-{hits.issues[first].issue_id}",
        title=_describe_causes(causes),
        reason=_describe_reason(hits, group, begins, counts, causes),
        issue_ids=issue_ids,
        causes=causes,
        events=counts["events"],
        users=counts["users"],
        devices=counts["devices"],
        first_seen=counts["first_seen"],
        last_seen=counts["last_seen"],
        p_value=min(1.0, exp(group.log_p)),
    )


def _first_hits(hits: Hits, group: Group) -> Mapping[int, float]:
    """Return when each issue first hit within the group's window, in epoch seconds."""
    first: dict[int, float] = {}
    for number in group.issues:
        positions = np.flatnonzero(hits.issue == number)
        if group.window is not None:
            margin = 0.1 * group.window.width
            clock = hits.clock[positions]
            inside = (clock >= group.window.start - margin) & (clock <= group.window.end + margin)
            positions = positions[inside] if inside.any() else positions
        first[number] = float(hits.seconds[positions].min())
    return first


def _describe_causes(causes: Sequence[str]) -> str:
    titles = [CAUSES[cause].title for cause in causes if cause in CAUSES]
    return ", ".join(titles[:3]) + (f" and {len(titles) - 3} more" if len(titles) > 3 else "")


def _describe_reason(
    hits: Hits, group: Group, begins: Mapping[int, float], counts: Mapping[str, Any], causes: Sequence[str]
) -> str:
    return "; ".join(_reason_parts(hits, group, begins, counts, causes))


def _reason_parts(
    hits: Hits, group: Group, begins: Mapping[int, float], counts: Mapping[str, Any], causes: Sequence[str]
) -> Iterator[str]:
    issues, devices = pluralize(len(group.issues), "issue"), pluralize(counts["devices"], "device")
    if group.window is not None:
        start = datetime.fromtimestamp(min(begins.values()), UTC)
        spread = timedelta(seconds=max(begins.values()) - min(begins.values()))
        yield (
            f"{issues} began within {_describe_duration(spread)} on {devices}, from {start:%Y-%m-%d %H:%M} UTC"
        )
    else:
        shared = pluralize(len(group.devices), "device")
        yield f"{issues} are on the same {shared} of {hits.active_devices:,}"
    if counts["server_errors"] >= _SHARE_OF_SERVER * counts["events"]:
        yield f"the server answered {_join_or(counts['server_statuses'])}"
    elif len(causes) == 1 and causes[0] != "unknown":
        yield "all have the same cause"


def _join_or(statuses: Sequence[int]) -> str:
    texts = [str(status) for status in statuses]
    return " or ".join(filter(None, (", ".join(texts[:-1]), texts[-1])))


def _describe_duration(spread: timedelta) -> str:
    minutes = max(1, round(spread / timedelta(minutes=1)))
    if minutes <= 90:
        return pluralize(minutes, "minute")
    hours = round(minutes / 60)
    return pluralize(hours, "hour") if hours <= 48 else pluralize(round(hours / 24), "day")
