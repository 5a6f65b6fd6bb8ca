"""Metrics by each user's local day: a sync at 23:30 in New York belongs to that evening, not to UTC's next day.

The metric files do not change: the timestamps of the relations they read are first converted by the time zone in
`sync_user` (an IANA name such as America/New_York). Users without a known time zone stay on UTC;
`count_time_zones` counts them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.base.errors import AnalysisError
from analysis.metrics.registry import METRICS, find_metric
from analysis.query.filters import Filters, filterable_relations
from analysis.query.runner import reads_reference
from analysis.query.sql_structure import with_relations

# The timestamps of each relation that become local.
_TIMESTAMPS = {
    "sync": ("started_at", "completed_at"),
    "error": ("occurred_at",),
}
_KNOWN = """
SELECT count(*) AS users, count(z.name) AS known
FROM (SELECT DISTINCT user_id FROM detailed_sync WHERE user_id IS NOT NULL) AS s
LEFT JOIN current_user_info AS u ON u.user_id = s.user_id
LEFT JOIN pg_timezone_names() AS z ON z.name = u.time_zone
"""


class NotDailyMetric(AnalysisError):
    """The metric does not count by day."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} does not count by day, so it has no local days",
            next_step=f"Use one of: {', '.join(list_daily_metrics())}.",
        )


@dataclass(frozen=True, slots=True)
class TimeZoneCoverage:
    """The number of users who synced, and of those with a known time zone."""

    users: int
    users_with_time_zone: int

    def describe(self) -> str:
        """Describe how many users' days are local."""
        if self.users_with_time_zone == self.users:
            return f"Days are local for all {self.users} users."
        unknown = self.users - self.users_with_time_zone
        return (
            f"Days are local for {self.users_with_time_zone} of {self.users} users;"
            f" {unknown} users have no known time zone and use UTC."
        )


def list_daily_metrics() -> list[str]:
    """List the metrics by day or week that do not depend on the reference time, which is not local."""
    return [
        name
        for name, metric in METRICS.items()
        if "AS DATE)" in metric.sql and not reads_reference(metric.sql)
    ]


def count_time_zones(connection: DuckDBPyConnection) -> TimeZoneCoverage:
    """Count the users with a known time zone; a name that is not an IANA zone is unknown."""
    users, with_time_zone = connection.execute(_KNOWN).fetchall()[0]
    return TimeZoneCoverage(int(users), int(with_time_zone))


def measure_by_local_day(connection: DuckDBPyConnection, name: str, **filters: object) -> pd.DataFrame:
    """Compute a daily metric as `measure` does, by each user's local day.

    The filters `since` and `until` stay in UTC. Raises NotDailyMetric and the errors of `measure`.
    """
    sql = find_metric(name).sql
    if name not in list_daily_metrics():
        raise NotDailyMetric(name)
    text, bound = _with_local_times(sql, Filters.of(**filters))
    return connection.execute(text, bound).df()


def _with_local_times(sql: str, filters: Filters) -> tuple[str, dict[str, Any]]:
    """Return the query with relations in front of it whose timestamps are local, and the values to bind."""
    selects = {
        relation: _local_select(relation, filters)
        for relation in filterable_relations(sql)
        if relation in _TIMESTAMPS
    }
    conditions = "".join(selects.values())
    bound = {name: value for name, value in filters.parameters().items() if f"${name}" in conditions}
    return with_relations(sql, selects), bound


def _local_select(relation: str, filters: Filters) -> str:
    local = ", ".join(
        f"coalesce(timezone(z.name, timezone('UTC', r.{column})), r.{column}) AS {column}"
        for column in _TIMESTAMPS[relation]
    )
    return (
        f"SELECT r.* REPLACE ({local}) FROM ({filters.filtered_select(relation)}) AS r"
        " LEFT JOIN main.current_user_info AS clock ON clock.user_id = r.user_id"
        " LEFT JOIN pg_timezone_names() AS z ON z.name = clock.time_zone"
    )
