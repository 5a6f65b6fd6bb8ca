"""The triage list: one row per issue, those that stop most work and users for longest first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from duckdb import DuckDBPyConnection

from analysis.base.quiet_period import QUIET_PERIOD
from analysis.issues.search import Query, parse_query
from analysis.issues.titles import issue_title
from analysis.query.filters import Filters
from analysis.query.runner import reference_time_for, run_query, run_query_rows
from analysis.sync_failures.kinds import load_failure_kinds

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from analysis.triage.states import TriageState

TREND_DAYS = 14
# A user who cannot sync weighs as much as this many pending records: about a working day of a rep.
RECORDS_PER_USER = 10
ISSUE_COLUMNS = (
    "issue_id", "title", "cause", "confidence", "events", "users", "devices", "pending", "stopped_devices",
    "unrecovered_users", "blocked_since", "objects", "app_versions", "first_seen", "last_seen", "trend", "side",
    "retryable", "state", "assignee", "priority", "failure_kind",
)  # fmt: skip
_TITLE_COLUMNS = ("error_type", "first_message", "last_message", "usual_message")
# The period: what happened in it.
_HISTORY = """
SELECT
    s.issue_id,
    mode(cause) AS cause,
    avg(confidence) AS confidence,
    count(*) AS events,
    count(DISTINCT user_id) AS users,
    count(DISTINCT coalesce(device_id, user_id)) AS devices,
    array_agg(DISTINCT object) FILTER (WHERE object IS NOT NULL) AS objects,
    array_agg(DISTINCT app_version) FILTER (WHERE app_version IS NOT NULL) AS app_versions,
    max(occurred_at) AS last_seen,
    mode(side) AS side,
    mode(retryable) AS retryable,
    any_value(failure_kind) AS failure_kind,
    mode(error_type) AS error_type,
    min(message) AS first_message,
    max(message) AS last_message,
    mode(message) AS usual_message
FROM issue_event AS s
WHERE {condition}
GROUP BY s.issue_id
"""
# The state at the reference time, which the start of a period does not change.
_STATE = """
WITH selected AS (SELECT issue_id, user_id, device_id, occurred_at FROM issue_event WHERE {condition}),
seen AS (SELECT issue_id, min(occurred_at) AS first_seen FROM selected GROUP BY issue_id),
blocked AS (
    SELECT issue_id, count(*) AS pending, min(blocked_since) AS since
    FROM pending_blocker
    WHERE in_error OR stopped
    GROUP BY issue_id
),
stopped AS (
    SELECT s.issue_id, count(*) AS devices, min(s.stopped_since) AS since
    FROM stopped_device AS s
    WHERE EXISTS (
        SELECT 1 FROM selected AS e
        WHERE e.issue_id = s.issue_id AND (e.device_id = s.device OR e.user_id = s.device)
    )
    GROUP BY s.issue_id
),
unrecovered AS (
    SELECT u.issue_id, count(*) AS users, min(u.last_error) AS since
    FROM unrecovered_user AS u
    WHERE EXISTS (SELECT 1 FROM selected AS e WHERE e.issue_id = u.issue_id AND e.user_id = u.user_id)
    GROUP BY u.issue_id
)
SELECT
    n.issue_id, n.first_seen,
    coalesce(b.pending, 0) AS pending,
    coalesce(s.devices, 0) AS stopped_devices,
    coalesce(u.users, 0) AS unrecovered_users,
    coalesce(least(b.since, s.since), b.since, s.since, u.since) AS blocked_since
FROM seen AS n
LEFT JOIN blocked AS b ON b.issue_id = n.issue_id
LEFT JOIN stopped AS s ON s.issue_id = n.issue_id
LEFT JOIN unrecovered AS u ON u.issue_id = n.issue_id
"""
_TREND = """
SELECT issue_id, date_diff('day', cast(occurred_at AS DATE), cast(as_of AS DATE)) AS age, count(*) AS events
FROM issue_event CROSS JOIN reference
WHERE {condition}
    AND date_diff('day', cast(occurred_at AS DATE), cast(as_of AS DATE)) BETWEEN 0 AND {days} - 1
GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueSummary:
    """One row of the triage list.

    `events`, `users`, `devices` and `last_seen` are those of the period. The others are as of the reference time:
    `pending` is the number of pending records that the issue blocks, counted once per device
    (analysis/query/relations/pending_blocker.sql), `stopped_devices` the devices whose sync it stops
    (stopped_device.sql), `unrecovered_users` the affected users without a successful sync since
    (unrecovered_user.sql), and `blocked_since` when the oldest of these began. `trend` has the errors of each of
    the last 14 days, oldest first. `failure_kind` is the kind of a sync-failure issue, whose events are syncs; None
    for an issue of errors. Times are UTC without a zone, as in the store. `quiet` is True if the issue is new or
    ongoing, had no errors for QUIET_PERIOD, and blocks no record, device or user.
    """

    issue_id: str
    title: str
    cause: str
    confidence: float
    events: int
    users: int
    devices: int
    pending: int
    stopped_devices: int
    unrecovered_users: int
    blocked_since: datetime | None
    objects: tuple[str, ...]
    app_versions: tuple[str, ...]
    first_seen: datetime
    last_seen: datetime
    trend: tuple[int, ...]
    side: str | None
    retryable: str | None
    state: str
    assignee: str | None
    priority: str | None
    failure_kind: str | None
    quiet: bool

    @classmethod
    def from_row(cls, row: Mapping[str, Any], *, quiet: bool) -> IssueSummary:
        """Build a summary from a row of the frame that `list_issues` returns."""
        values: dict[str, Any] = {name: _plain_value(row[name]) for name in ISSUE_COLUMNS}
        return cls(**values, quiet=quiet)

    @property
    def shown_state(self) -> str:
        """Return "quiet" if the issue is quiet, otherwise its state."""
        return "quiet" if self.quiet else self.state

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as values that JSON can hold; times are ISO text."""
        blocked_since = None if self.blocked_since is None else self.blocked_since.isoformat()
        times = {
            "first_seen": self.first_seen.isoformat(),
            "last_seen": self.last_seen.isoformat(),
            "blocked_since": blocked_since,
        }
        lists = {name: list(getattr(self, name)) for name in ("objects", "app_versions", "trend")}
        return asdict(self) | times | lists


def list_issues(
    connection: DuckDBPyConnection,
    *,
    query: str | Query = "",
    triage: TriageState | None = None,
    **filters: object,
) -> pd.DataFrame:
    """List the issues for triage: one row per issue, ordered by `impact`, then by affected users and errors.

    The columns are ISSUE_COLUMNS; `IssueSummary` describes them. `query` is a search line (analysis.issues.search),
    in which `is:quiet` selects the issues for which `is_quiet` is True. `triage` adds states, assignees and
    priorities. Raises InvalidQuery, UnknownFilter and InvalidFilter.
    """
    checked = Filters.of(**filters)
    search = parse_query(query, fields=ISSUE_COLUMNS) if isinstance(query, str) else query
    condition, bound = search.event_terms().to_sql()
    as_of = reference_time_for(connection, checked)
    issues = run_query(connection, _HISTORY.format(condition=condition), checked, bound)
    state = run_query(connection, _STATE.format(condition=condition), checked.without_start(), bound)
    issues = _sorted_by_impact(issues.merge(state, on="issue_id", how="left"), as_of)
    messages = issues[list(_TITLE_COLUMNS)]
    issues["title"] = [issue_title(*row) for row in messages.values]
    for name in ("objects", "app_versions"):
        issues[name] = issues[name].map(_sorted_texts)
    daily = run_query(connection, _TREND.format(condition=condition, days=TREND_DAYS), checked, bound)
    issues["trend"] = _trends(daily.itertuples(index=False), issues["issue_id"])
    issues["state"], issues["assignee"], issues["priority"] = "new", None, None
    if triage is not None:
        issues = triage.add_to_issues(issues)
    issues = issues[list(ISSUE_COLUMNS)]
    return issues[_matching_rows(issues, search, as_of)].reset_index(drop=True)


def list_issue_summaries(
    connection: DuckDBPyConnection, *, query: str | Query = "", **filters: object
) -> list[IssueSummary]:
    """List the issues as `list_issues` does, but as values. Imports pandas only if `query` has terms on issues."""
    checked = Filters.of(**filters)
    search = parse_query(query, fields=ISSUE_COLUMNS) if isinstance(query, str) else query
    as_of = reference_time_for(connection, checked)
    if search.issue_terms().terms:
        issues = list_issues(connection, query=search, triage=None, **filters)
        return summarize(issues, as_of)
    condition, bound = search.event_terms().to_sql()
    states = run_query_rows(connection, _STATE.format(condition=condition), checked.without_start(), bound)
    by_issue = {state["issue_id"]: state for state in states}
    rows = [
        row | by_issue[row["issue_id"]]
        for row in run_query_rows(connection, _HISTORY.format(condition=condition), checked, bound)
    ]
    rows.sort(key=lambda row: _rank(row, as_of))
    daily = run_query_rows(connection, _TREND.format(condition=condition, days=TREND_DAYS), checked, bound)
    trends = _trends((tuple(row.values()) for row in daily), (row["issue_id"] for row in rows))
    return [_build_summary(row, trend, as_of) for row, trend in zip(rows, trends, strict=True)]


def impact(issue: Mapping[str, Any], as_of: datetime | None) -> float:
    """Return how much work an issue stops: pending records, plus RECORDS_PER_USER for each user it still stops.

    A block that has lasted a week or longer counts twice, a shorter one in proportion.
    """
    weight = issue["pending"] + RECORDS_PER_USER * max(issue["unrecovered_users"], issue["stopped_devices"])
    since = issue["blocked_since"]
    if as_of is None or since is None or since != since:  # noqa: PLR0124 - a missing time of a frame
        return float(weight)
    return float(weight * (1 + min(max((as_of - since) / QUIET_PERIOD, 0.0), 1.0)))


def _rank(issue: Mapping[str, Any], as_of: datetime | None) -> tuple[float, int, int, int, str]:
    return (
        -impact(issue, as_of), -int(issue["users"]), -int(issue["devices"]), -int(issue["events"]),
        str(issue["issue_id"]),
    )  # fmt: skip


def _sorted_by_impact(issues: pd.DataFrame, as_of: datetime | None) -> pd.DataFrame:
    ranks = [_rank(row, as_of) for row in cast("list[dict[str, Any]]", issues.to_dict("records"))]
    order = sorted(range(len(ranks)), key=ranks.__getitem__)
    return issues.iloc[order].reset_index(drop=True)


def _build_summary(row: Mapping[str, Any], trend: list[int], as_of: datetime | None) -> IssueSummary:
    values: dict[str, Any] = {name: row.get(name) for name in ISSUE_COLUMNS} | {
        "title": issue_title(*(row[name] for name in _TITLE_COLUMNS)),
        "objects": tuple(_sorted_texts(row["objects"])),
        "app_versions": tuple(_sorted_texts(row["app_versions"])),
        "trend": tuple(trend),
        "state": "new",
    }
    return IssueSummary(**values, quiet=_is_quiet_issue(values, as_of))


def _is_quiet_issue(issue: Mapping[str, Any], as_of: datetime | None) -> bool:
    kind = issue["failure_kind"]
    if isinstance(kind, str) and load_failure_kinds()[kind].lasts:
        return False
    if issue["pending"] or issue["stopped_devices"] or issue["unrecovered_users"]:
        return False
    is_open = issue["state"] in ("new", "ongoing")
    return as_of is not None and is_open and issue["last_seen"] + QUIET_PERIOD < as_of


def is_quiet(issues: pd.DataFrame, as_of: datetime | None) -> pd.Series[bool]:
    """Return for each row of a triage list whether it is open and quiet, as in `IssueSummary`.

    Only new and ongoing issues can be quiet: the other states record a decision or a rise. No issue is quiet if the
    reference time `as_of` is None.
    """
    import pandas as pd  # noqa: PLC0415 - slow, and `list_issue_summaries` works without

    rows = cast("list[dict[str, Any]]", issues.to_dict("records"))
    quiet = [_is_quiet_issue(row, as_of) for row in rows]
    return pd.Series(quiet, index=issues.index, dtype=bool)


def summarize(issues: pd.DataFrame, as_of: datetime | None) -> list[IssueSummary]:
    """Convert a triage list to summaries; `as_of` is the reference time that decides which are quiet."""
    quiet = is_quiet(issues, as_of)
    return [
        IssueSummary.from_row(cast("dict[str, Any]", row), quiet=bool(is_quiet_row))
        for row, is_quiet_row in zip(issues.to_dict("records"), quiet, strict=True)
    ]


def _matching_rows(
    issues: pd.DataFrame, search: Query, as_of: datetime | None
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Apply the terms on whole rows. The state of a quiet issue also matches "quiet"."""
    import pandas as pd  # noqa: PLC0415

    quiet = is_quiet(issues, as_of)
    states = [
        [state, "quiet"] if is_quiet_row else [state]
        for state, is_quiet_row in zip(issues["state"], quiet, strict=True)
    ]
    return search.issue_terms().row_mask(
        issues.assign(state=pd.Series(states, index=issues.index, dtype=object))
    )


def _plain_value(value: object) -> object:
    import pandas as pd  # noqa: PLC0415

    if isinstance(value, list):
        return tuple(value)
    if pd.isna(value):  # type: ignore[call-overload]
        return None
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    return value.item() if hasattr(value, "item") else value


def _sorted_texts(values: object) -> list[str]:
    values = values.tolist() if hasattr(values, "tolist") else values
    return sorted(map(str, values)) if isinstance(values, list) else []


def _trends(daily: Iterable[tuple[Any, ...]], issue_ids: Iterable[str]) -> list[list[int]]:
    """Return the daily events of each issue; `daily` has rows of issue id, age in days, events."""
    by_issue = {str(issue_id): [0] * TREND_DAYS for issue_id in issue_ids}
    for issue_id, age, events in daily:
        if issue_id in by_issue:
            by_issue[issue_id][TREND_DAYS - 1 - int(age)] = int(events)
    return list(by_issue.values())
