"""Metrics by the day of each person: a sync at 23:30 in New York belongs to that evening, not to UTC's next day.

The metric files stay as they are: the moments of the relations they read are moved to the clock of the person
first, by the time zone that `sync_user` tells (an IANA name, e.g. America/New_York). Who has none that we know
stays on UTC, and `known_clocks` says how many that are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.base.errors import AnalysisError
from analysis.metrics.registry import METRICS, find_metric
from analysis.query.filters import Filters, filterable_relations

# What a relation tells of time; everything else of it stays.
_MOVED = {
    "sync": ("started_at", "completed_at"),
    "error": ("occurred_at",),
}
_KNOWN = """
SELECT count(*) AS people, count(z.name) AS known
FROM (SELECT DISTINCT user_id FROM detailed_sync WHERE user_id IS NOT NULL) AS s
LEFT JOIN current_user_info AS u ON u.user_id = s.user_id
LEFT JOIN pg_timezone_names() AS z ON z.name = u.time_zone
"""


class NotDailyMetric(AnalysisError):
    """A metric that does not count by day."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} has no days, so no local ones",
            next_step=f"Ask for one that has: {', '.join(list_daily_metrics())}.",
        )


@dataclass(frozen=True, slots=True)
class TimeZoneCoverage:
    """How many people who synced there are, and of how many the time zone is known."""

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
    """Name the metrics that count by day or week, and do not look at "now", which is no one's local time."""
    return [
        name
        for name, one in METRICS.items()
        if "AS DATE)" in one.sql and not re.search(r"\breference\b", one.sql)
    ]


def count_time_zones(connection: DuckDBPyConnection) -> TimeZoneCoverage:
    """Count whose time zone the store knows; a name that is no IANA zone is not known."""
    people, known = connection.execute(_KNOWN).fetchall()[0]
    return TimeZoneCoverage(int(people), int(known))


def measure_by_local_day(connection: DuckDBPyConnection, name: str, **filters: object) -> pd.DataFrame:
    """Compute a daily metric as `measure` does, by the day on each person's own clock.

    The filters `since` and `until` stay moments in UTC. Raises NoDays and the errors of `measure`.
    """
    sql = find_metric(name).sql
    if name not in list_daily_metrics():
        raise NotDailyMetric(name)
    text, bound = _moved(sql, Filters.of(**filters))
    return connection.execute(text, bound).df()


def _moved(sql: str, filters: Filters) -> tuple[str, dict[str, Any]]:
    """Put relations with local moments in front of the query."""
    body = re.sub(r"--[^\n]*", "", sql).strip()
    parts = [
        _relation(relation, _MOVED[relation], filters)
        for relation in filterable_relations(sql)
        if relation in _MOVED
    ]
    bound = {key: value for key, value in filters.parameters().items() if f"${key}" in "".join(parts)}
    rest = f", {body[4:].lstrip()}" if re.match(r"WITH\b", body) else f" {body}"
    return f"WITH {', '.join(parts)}{rest}", bound


def _relation(name: str, columns: tuple[str, ...], filters: Filters) -> str:
    local = ", ".join(
        f"coalesce(timezone(z.name, timezone('UTC', r.{one})), r.{one}) AS {one}" for one in columns
    )
    return (
        f"{name} AS (SELECT r.* REPLACE ({local}) FROM ({filters.filtered_select(name)}) AS r"
        " LEFT JOIN main.current_user_info AS clock ON clock.user_id = r.user_id"
        " LEFT JOIN pg_timezone_names() AS z ON z.name = clock.time_zone)"
    )
