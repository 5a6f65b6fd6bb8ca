"""One issue in detail: its summary, and frames of the users, devices, records and errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.base.errors import AnalysisError
from analysis.issues.listing import IssueSummary, list_issues, summarize
from analysis.query.filters import Filters
from analysis.query.runner import reference_time_for, run_query

if TYPE_CHECKING:
    from analysis.triage.states import TriageState

_FRAMES = {
    "by_day": """
        SELECT cast(occurred_at AS DATE) AS day, count(*) AS events, count(DISTINCT user_id) AS users,
            count(DISTINCT coalesce(device_id, user_id)) AS devices
        FROM issue_event GROUP BY cast(occurred_at AS DATE) ORDER BY day
    """,
    "variants": """
        SELECT error_type, object, field, operation, phase, http_status, count(*) AS events,
            count(DISTINCT user_id) AS users, min(message) AS message
        FROM issue_event GROUP BY error_type, object, field, operation, phase, http_status
        ORDER BY users DESC, events DESC, object, field
    """,
    "users": """
        SELECT user_id, any_value(territory) AS territory, any_value(country) AS country,
            any_value(security_profile) AS security_profile, count(*) AS events,
            count(DISTINCT record_id) AS records, min(occurred_at) AS first_seen,
            max(occurred_at) AS last_seen
        FROM issue_event GROUP BY user_id ORDER BY events DESC, user_id
    """,
    "devices": """
        SELECT device_id, any_value(user_id) AS user_id, any_value(platform) AS platform,
            any_value(device_model) AS device_model, any_value(os_version) AS os_version,
            max(app_version) AS app_version, count(*) AS events, max(occurred_at) AS last_seen
        FROM issue_event WHERE device_id IS NOT NULL GROUP BY device_id ORDER BY events DESC, device_id
    """,
    "records": """
        SELECT object, record_id, any_value(user_id) AS user_id, any_value(device_id) AS device_id,
            count(*) AS events, min(occurred_at) AS first_seen, max(occurred_at) AS last_seen
        FROM issue_event WHERE record_id IS NOT NULL GROUP BY object, record_id
        ORDER BY events DESC, object, record_id
    """,
    "events": "SELECT * FROM issue_event ORDER BY occurred_at DESC, event_id LIMIT 50",
}


class UnknownIssue(AnalysisError):
    """The store has no errors and no failed syncs in an issue with this id."""

    def __init__(self, issue_id: str) -> None:
        super().__init__(
            f"there is no issue {issue_id!r} in this store",
            next_step="Use an id from `synclens issues`. Ids can change when new errors are loaded.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One issue in detail.

    The frames contain the errors by day, the variants of the issue (object, field, operation, error type), the
    affected users, devices and records, and the newest 50 errors; or failed syncs, for a sync-failure issue.
    """

    issue_id: str
    summary: IssueSummary
    by_day: pd.DataFrame
    variants: pd.DataFrame
    users: pd.DataFrame
    devices: pd.DataFrame
    records: pd.DataFrame
    events: pd.DataFrame


def get_issue(
    connection: DuckDBPyConnection, issue_id: str, *, triage: TriageState | None = None, **filters: object
) -> Issue:
    """Return one issue in detail, over the filtered part of the store. Raises UnknownIssue."""
    issue_filters: dict[str, Any] = filters | {"issue_id": issue_id}
    issues = list_issues(connection, triage=triage, **issue_filters)
    if issues.empty:
        raise UnknownIssue(issue_id)
    checked = Filters.of(**issue_filters)
    (summary,) = summarize(issues, reference_time_for(connection, checked))
    frames = {name: run_query(connection, sql, checked) for name, sql in _FRAMES.items()}
    return Issue(issue_id=issue_id, summary=summary, **frames)
