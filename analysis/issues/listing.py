"""Health at a glance and the triage list: which issue stops most people, and what is known of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import zip_longest
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.base.errors import AnalysisError
from analysis.base.intervals import wilson_interval
from analysis.issues.search import Query, parse_query
from analysis.query.filters import Filters
from analysis.query.runner import reference_time_for, run_query

if TYPE_CHECKING:
    from analysis.triage.states import TriageState

TREND_DAYS = 14
QUIET_PERIOD = timedelta(days=3)
"""An issue without an error for so long before the newest data may be over; a weekend alone is no sign of it."""
ISSUE_COLUMNS = (
    "issue_id", "title", "cause", "confidence", "events", "users", "devices", "pending", "objects",
    "app_versions", "first_seen", "last_seen", "trend", "side", "retryable", "state", "assignee", "priority",
)  # fmt: skip
_TITLE_LENGTH = 160

_HEALTH = """
SELECT
    count(*) AS syncs,
    count(*) FILTER (WHERE outcome IN ('succeeded', 'succeeded_with_upload_errors')) AS good,
    count(*) FILTER (WHERE outcome IN ('failed', 'failed_upload', 'failed_download')) AS bad,
    count(*) FILTER (WHERE outcome = 'canceled') AS canceled,
    count(*) FILTER (WHERE outcome = 'unfinished') AS unfinished,
    count(DISTINCT coalesce(device_id, user_id)) AS devices,
    count(DISTINCT CASE WHEN outcome IN ('failed', 'failed_upload', 'failed_download')
        THEN coalesce(device_id, user_id) END) AS devices_with_failure,
    count(DISTINCT user_id) AS users,
    count(DISTINCT CASE WHEN device_id IS NULL THEN user_id END) AS users_without_device
FROM sync
"""
_ERRORS = """
SELECT
    count(*) AS errors,
    count(DISTINCT issue_id) AS issues,
    count(*) FILTER (WHERE cause <> 'unknown') AS errors_with_cause,
    count(*) FILTER (WHERE sync_id IS NULL) AS errors_outside_syncs
FROM error
"""

# Records that wait now: the newest word of each device, unless a later sync of it ended with none waiting.
PENDING_NOW = """
newest AS (SELECT device_id, max(as_of) AS as_of FROM pending_record GROUP BY device_id),
emptied AS (
    -- from the tables, not from the view: an empty queue is empty whatever syncs the question is about
    SELECT n.device_id, max(coalesce(t.sync_completed_datetime__v, t.sync_start_datetime__v)) AS at
    FROM newest AS n
    JOIN sync_detail AS d ON d.device_id = n.device_id AND d.pending_uploads = 0
    JOIN sync_tracking__v AS t ON t.id = d.sync_id
    CROSS JOIN reference AS m
    WHERE t.sync_start_datetime__v <= m.as_of
    GROUP BY n.device_id
),
pending_now AS (
    SELECT p.*
    FROM pending_record AS p
    JOIN newest AS n ON n.device_id = p.device_id AND n.as_of = p.as_of
    LEFT JOIN emptied AS e ON e.device_id = p.device_id
    WHERE e.at IS NULL OR e.at <= p.as_of
)
"""

# The error that holds each record: the newest of its device about it. A record waits for this one alone, whatever
# issue or cause a question is narrowed to, so this reads the store's own errors.
HELD_BY = """
held_by AS (
    SELECT device_id, record_id, max_by(cause, (occurred_at, event_id)) AS cause,
        max_by(issue_id, (occurred_at, event_id)) AS issue_id,
        max_by(message, (occurred_at, event_id)) AS message
    FROM main.error
    WHERE record_id IS NOT NULL AND occurred_at <= (SELECT as_of FROM reference)
    GROUP BY device_id, record_id
)
"""

# The issue that each record in error waits for: its own newest error's, else that of one saved together with it,
# above, below or beside it (two levels, as in records_at_risk.sql). Needs PENDING_NOW and HELD_BY before it.
HELD_NOW = """
stuck AS (SELECT DISTINCT device_id, record_id, parent_record_id FROM pending_now WHERE in_error),
told AS (
    SELECT s.device_id, s.record_id, s.parent_record_id, h.issue_id
    FROM stuck AS s
    JOIN held_by AS h ON h.device_id = s.device_id AND h.record_id = s.record_id
),
told_below AS (
    SELECT device_id, parent_record_id AS record_id, record_id AS told_by, issue_id FROM told
    WHERE parent_record_id IS NOT NULL
    UNION ALL
    SELECT t.device_id, p.parent_record_id, t.record_id, t.issue_id
    FROM told AS t
    JOIN pending_now AS p ON p.device_id = t.device_id AND p.record_id = t.parent_record_id
    WHERE p.parent_record_id IS NOT NULL
),
below AS (
    SELECT device_id, record_id, min_by(issue_id, told_by) AS issue_id FROM told_below GROUP BY ALL
),
parent AS (SELECT DISTINCT device_id, record_id, parent_record_id FROM pending_now),
held_now AS (
    SELECT s.device_id, s.record_id, any_value(coalesce(
        k.issue_id, pk.issue_id, gk.issue_id, b.issue_id, pb.issue_id, gb.issue_id)) AS issue_id
    FROM stuck AS s
    LEFT JOIN parent AS p ON p.device_id = s.device_id AND p.record_id = s.parent_record_id
    LEFT JOIN held_by AS k ON k.device_id = s.device_id AND k.record_id = s.record_id
    LEFT JOIN held_by AS pk ON pk.device_id = s.device_id AND pk.record_id = p.record_id
    LEFT JOIN held_by AS gk ON gk.device_id = s.device_id AND gk.record_id = p.parent_record_id
    LEFT JOIN below AS b ON b.device_id = s.device_id AND b.record_id = s.record_id
    LEFT JOIN below AS pb ON pb.device_id = s.device_id AND pb.record_id = p.record_id
    LEFT JOIN below AS gb ON gb.device_id = s.device_id AND gb.record_id = p.parent_record_id
    GROUP BY s.device_id, s.record_id
)
"""

WAITING = f"{PENDING_NOW}, {HELD_BY}, {HELD_NOW}"
_ISSUES = """
WITH kept AS (SELECT * FROM error WHERE {where}),
{waiting},
waiting AS (
    SELECT issue_id, count(*) AS pending FROM held_now GROUP BY issue_id
)
SELECT
    k.issue_id,
    mode(cause) AS cause,
    avg(confidence) AS confidence,
    count(*) AS events,
    count(DISTINCT user_id) AS users,
    count(DISTINCT coalesce(device_id, user_id)) AS devices,
    coalesce(any_value(w.pending), 0) AS pending,
    array_agg(DISTINCT object) FILTER (WHERE object IS NOT NULL) AS objects,
    array_agg(DISTINCT app_version) FILTER (WHERE app_version IS NOT NULL) AS app_versions,
    min(occurred_at) AS first_seen,
    max(occurred_at) AS last_seen,
    mode(side) AS side,
    mode(retryable) AS retryable,
    mode(error_type) AS error_type,
    min(message) AS first_message,
    max(message) AS last_message,
    mode(message) AS usual_message
FROM kept AS k
LEFT JOIN waiting AS w ON w.issue_id = k.issue_id
GROUP BY k.issue_id
ORDER BY users DESC, devices DESC, pending DESC, events DESC, k.issue_id
"""
_TREND = """
SELECT issue_id, date_diff('day', cast(occurred_at AS DATE), cast(as_of AS DATE)) AS age, count(*) AS events
FROM error CROSS JOIN reference
WHERE {where} AND date_diff('day', cast(occurred_at AS DATE), cast(as_of AS DATE)) BETWEEN 0 AND {days} - 1
GROUP BY 1, 2
"""


class UnknownIssue(AnalysisError):
    """An issue id that no error of the store has."""

    def __init__(self, issue_id: str) -> None:
        super().__init__(
            f"there is no issue {issue_id!r} in this store",
            next_step="Take an id from `synclens issues`; an id changes when the grouping does.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the fleet is: tracked syncs by how they ended, and the errors in the same time.

    Canceled and unfinished syncs are in no share. `success_rate` and its 95 % Wilson bounds are None when no
    sync succeeded or failed. A device that a sync does not name is counted by its user; `users_without_device`
    says of how many users that is so.
    """

    syncs: int
    good: int
    bad: int
    canceled: int
    unfinished: int
    success_rate: float | None
    success_low: float | None
    success_high: float | None
    devices: int
    devices_with_failure: int
    users: int
    users_without_device: int
    errors: int
    issues: int
    errors_with_cause: int
    errors_outside_syncs: int
    as_of: datetime | None

    def to_dict(self) -> dict[str, Any]:
        """Give the same as plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """All that is known of one issue.

    `summary` is its row of the triage list; the frames hold events per day, the variants inside it (object,
    field, operation, code), the people, devices and records it hits, and a few of its newest events.
    """

    issue_id: str
    summary: dict[str, Any]
    by_day: pd.DataFrame
    variants: pd.DataFrame
    users: pd.DataFrame
    devices: pd.DataFrame
    records: pd.DataFrame
    events: pd.DataFrame


def health(connection: DuckDBPyConnection, **filters: object) -> Health:
    """How the fleet is, over the part of the store that the filters let through."""
    chosen = Filters.of(**filters)
    syncs = _first(run_query(connection, _HEALTH, chosen))
    errors = _first(run_query(connection, _ERRORS, chosen))
    finished = syncs["good"] + syncs["bad"]
    bounds = wilson_interval(syncs["good"], finished)
    return Health(
        **syncs,
        **errors,
        success_rate=syncs["good"] / finished if finished else None,
        success_low=None if isnan(bounds.low) else bounds.low,
        success_high=None if isnan(bounds.high) else bounds.high,
        as_of=reference_time_for(connection, chosen),
    )


def list_issues(
    connection: DuckDBPyConnection,
    *,
    query: str | Query = "",
    triage: TriageState | None = None,
    **filters: object,
) -> pd.DataFrame:
    """List the issues for triage: one row per issue with ISSUE_COLUMNS, those that stop most people first.

    `trend` is a list of daily counts over the last 14 days, oldest first. `pending` counts records that wait
    in error on a device now and whose newest error is of the issue, with those saved together with them.
    `query` is a search line (analysis.search), in which `is:quiet` finds what `is_quiet` says; `triage` brings
    the states, assignees and priorities that people gave.
    """
    chosen = Filters.of(**filters)
    asked = parse_query(query, fields=ISSUE_COLUMNS) if isinstance(query, str) else query
    where, bound = asked.event_terms().to_sql()
    found = run_query(connection, _ISSUES.format(where=where, waiting=WAITING), chosen, bound)
    found["title"] = [
        _title(*row) for row in found[["error_type", "first_message", "last_message", "usual_message"]].values
    ]
    found["objects"] = found["objects"].map(_sorted)
    found["app_versions"] = found["app_versions"].map(_sorted)
    found["trend"] = _trends(
        run_query(connection, _TREND.format(where=where, days=TREND_DAYS), chosen, bound), found
    )
    found["state"], found["assignee"], found["priority"] = "new", None, None
    if triage is not None:
        found = triage.add_to_issues(found)
    rows = found[list(ISSUE_COLUMNS)]
    quiet = is_quiet(rows, reference_time_for(connection, chosen))
    states = [[state, "quiet"][: 1 + silent] for state, silent in zip(rows["state"], quiet, strict=True)]
    searched = rows.assign(state=pd.Series(states, index=rows.index, dtype=object))
    return rows[asked.issue_terms().row_mask(searched)].reset_index(drop=True)


def is_quiet(issues: pd.DataFrame, as_of: datetime | None) -> pd.Series[bool]:
    """Tell of each issue of a triage list whether it is new or ongoing and had no error in the QUIET time."""
    if as_of is None:
        return pd.Series(False, index=issues.index, dtype=bool)
    return (issues["last_seen"] + QUIET_PERIOD < as_of) & issues["state"].isin(("new", "ongoing"))


def get_issue(
    connection: DuckDBPyConnection, issue_id: str, *, triage: TriageState | None = None, **filters: object
) -> Issue:
    """One issue in detail. Raises UnknownIssue."""
    narrowed: dict[str, Any] = filters | {"issue_id": issue_id}
    rows = list_issues(connection, triage=triage, **narrowed)
    if rows.empty:
        raise UnknownIssue(issue_id)
    chosen = Filters.of(**narrowed)
    frames = {name: run_query(connection, sql, chosen) for name, sql in _DETAIL.items()}
    return Issue(issue_id=issue_id, summary=_first(rows), **frames)


_DETAIL = {
    "by_day": """
        SELECT cast(occurred_at AS DATE) AS day, count(*) AS events, count(DISTINCT user_id) AS users,
            count(DISTINCT coalesce(device_id, user_id)) AS devices
        FROM error GROUP BY cast(occurred_at AS DATE) ORDER BY day
    """,
    "variants": """
        SELECT error_type, object, field, operation, phase, http_status, count(*) AS events,
            count(DISTINCT user_id) AS users, min(message) AS message
        FROM error GROUP BY error_type, object, field, operation, phase, http_status
        ORDER BY users DESC, events DESC, object, field
    """,
    "users": """
        SELECT user_id, any_value(territory) AS territory, any_value(country) AS country,
            any_value(security_profile) AS security_profile, count(*) AS events,
            count(DISTINCT record_id) AS records, min(occurred_at) AS first_seen,
            max(occurred_at) AS last_seen
        FROM error GROUP BY user_id ORDER BY events DESC, user_id
    """,
    "devices": """
        SELECT device_id, any_value(user_id) AS user_id, any_value(platform) AS platform,
            any_value(device_model) AS device_model, any_value(os_version) AS os_version,
            max(app_version) AS app_version, count(*) AS events, max(occurred_at) AS last_seen
        FROM error WHERE device_id IS NOT NULL GROUP BY device_id ORDER BY events DESC, device_id
    """,
    "records": """
        SELECT object, record_id, any_value(user_id) AS user_id, any_value(device_id) AS device_id,
            count(*) AS events, min(occurred_at) AS first_seen, max(occurred_at) AS last_seen
        FROM error WHERE record_id IS NOT NULL GROUP BY object, record_id
        ORDER BY events DESC, object, record_id
    """,
    "events": "SELECT * FROM error ORDER BY occurred_at DESC, event_id LIMIT 50",
}


def _first(frame: pd.DataFrame) -> dict[str, Any]:
    row = frame.iloc[0]
    return {str(name): _plain(row[name]) for name in frame.columns}


def _plain(value: object) -> object:
    if isinstance(value, list):
        return value
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and isnan(value)):
        return None
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    return value.item() if hasattr(value, "item") else value


def _sorted(values: object) -> list[str]:
    return sorted(map(str, values)) if isinstance(values, list | np.ndarray) else []


def _trends(counts: pd.DataFrame, issues: pd.DataFrame) -> list[list[int]]:
    by_issue = {str(name): [0] * TREND_DAYS for name in issues["issue_id"]}
    for issue_id, age, events in counts.itertuples(index=False):
        if issue_id in by_issue:
            by_issue[issue_id][TREND_DAYS - 1 - int(age)] = int(events)
    return [by_issue[str(name)] for name in issues["issue_id"]]


def _title(error_type: object, *messages: object) -> str:
    """Find the words that the messages of an issue share, `…` for the rest; the code comes first."""
    texts = [str(text) for text in messages if isinstance(text, str) and text]
    shared = _shared_words(texts)
    code = error_type if isinstance(error_type, str) and error_type not in shared else ""
    title = ": ".join(filter(None, [code, shared])) or "error without code and message"
    return title if len(title) <= _TITLE_LENGTH else title[: _TITLE_LENGTH - 1] + "…"


def _shared_words(texts: Sequence[str]) -> str:
    split = [text.split() for text in texts]
    usual = split[-1] if split else []
    alike = [words for words in split if len(words) == len(usual)]
    return " ".join(same[0] if len(set(same)) == 1 else _shared_letters(same) for same in zip_longest(*alike))


def _shared_letters(words: Sequence[str]) -> str:
    """`[V5R1]` and `[V5R2]` share their brackets."""
    first = words[0]
    head = 1 if all(word[:1] == first[:1] for word in words) and not first[:1].isalnum() else 0
    tail = 0
    while (
        tail < len(first) - head
        and not first[len(first) - 1 - tail].isalnum()
        and all(word.endswith(first[len(first) - 1 - tail :]) for word in words)
    ):
        tail += 1
    return f"{first[:head]}…{first[len(first) - tail :]}"
