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


class NoDays(AnalysisError):
    """A metric that does not count by day."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} has no days, so no local ones",
            next_step=f"Ask for one that has: {', '.join(daily_metrics())}.",
        )


@dataclass(frozen=True, slots=True)
class Clocks:
    """How many people who synced there are, and of how many the time zone is known."""

    people: int
    known: int

    def in_words(self) -> str:
        """Say whose days are local and whose are not."""
        if self.known == self.people:
            return f"Days are local to each of {self.people} people."
        rest = self.people - self.known
        return (
            f"Days are local to {self.known} of {self.people} people; of {rest} no time zone is known: UTC."
        )


def daily_metrics() -> list[str]:
    """Name the metrics that count by day or week, and do not look at "now", which is no one's local time."""
    return [
        name
        for name, one in METRICS.items()
        if "AS DATE)" in one.sql and not re.search(r"\bmoment\b", one.sql)
    ]


def known_clocks(connection: DuckDBPyConnection) -> Clocks:
    """Count whose time zone the store knows; a name that is no IANA zone is not known."""
    people, known = connection.execute(_KNOWN).fetchall()[0]
    return Clocks(int(people), int(known))


def measure_by_local_day(connection: DuckDBPyConnection, name: str, **filters: object) -> pd.DataFrame:
    """Compute a daily metric as `measure` does, by the day on each person's own clock.

    The filters `since` and `until` stay moments in UTC. Raises NoDays and the errors of `measure`.
    """
    sql = find_metric(name).sql
    if name not in daily_metrics():
        raise NoDays(name)
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
