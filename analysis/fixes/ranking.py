"""Rank causes by the work that their fix frees."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.fixes.playbook import load_nearest_playbook
from analysis.issues.listing import impact, list_issue_summaries
from analysis.metrics.registry import measure
from analysis.query.filters import Filters
from analysis.query.runner import reference_time_for

RANKED_COLUMNS = (
    "cause", "title", "short_fix", "records", "dependents", "users", "events", "last_seen",
)  # fmt: skip


def ranked_fixes(connection: DuckDBPyConnection, **filters: object) -> pd.DataFrame:
    """Rank causes by the unsent work and the users that their issues stop, and for how long.

    Returns one row per cause with RANKED_COLUMNS. `records` are the pending records that the cause blocks now,
    `dependents` depend on them (the metric records_at_risk); `users` and `events` are those of errors_by_cause in the
    period. A cause without errors in the period is listed if it still blocks records. The order is by the impact of
    the issues (analysis.issues.listing), then by records, users and errors. Filters are those of `measure`.
    """
    causes = measure(connection, "errors_by_cause", **filters)
    pending = measure(connection, "records_at_risk", **filters)[["cause", "records", "dependents"]]
    counts = ["records", "dependents", "users", "events"]
    ranked = causes.merge(pending, on="cause", how="outer")
    ranked[counts] = ranked[counts].fillna(0).astype(int)
    ranked["title"] = [load_nearest_playbook(cause).title for cause in ranked["cause"]]
    ranked["short_fix"] = [load_nearest_playbook(cause).short_fix for cause in ranked["cause"]]
    ranked["impact"] = ranked["cause"].map(_impact_by_cause(connection, filters)).fillna(0.0)
    order = ["impact", "records", "users", "events"]
    return ranked.sort_values(order, ascending=False, kind="stable", ignore_index=True)[list(RANKED_COLUMNS)]


def _impact_by_cause(connection: DuckDBPyConnection, filters: Mapping[str, object]) -> dict[str, float]:
    """Sum the impact of the issues of each cause at the reference time."""
    now: dict[str, Any] = {name: value for name, value in filters.items() if name != "since"}
    as_of = reference_time_for(connection, Filters.of(**now))
    impacts: dict[str, float] = defaultdict(float)
    for issue in list_issue_summaries(connection, **now):
        impacts[issue.cause] += impact(issue.to_dict() | {"blocked_since": issue.blocked_since}, as_of)
    return impacts
