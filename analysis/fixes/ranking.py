"""Rank causes by the value of their fix."""

from __future__ import annotations

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.fixes.playbook import load_nearest_playbook
from analysis.metrics.registry import measure

RANKED_COLUMNS = (
    "cause", "title", "short_fix", "records", "dependents", "users", "events", "last_seen",
)  # fmt: skip


def ranked_fixes(connection: DuckDBPyConnection, **filters: object) -> pd.DataFrame:
    """Rank causes by pending records in error, then by affected users, then by errors.

    Returns one row per cause with RANKED_COLUMNS. `records` are pending in error on a device now, `dependents`
    depend on them (the metric records_at_risk); `users` and `events` are those of errors_by_cause. Filters are
    those of `measure`.
    """
    causes = measure(connection, "errors_by_cause", **filters)
    pending = measure(connection, "records_at_risk", **filters).set_index("cause")[["records", "dependents"]]
    ranked = causes.join(pending, on="cause").fillna({"records": 0, "dependents": 0})
    ranked = ranked.astype({"records": int, "dependents": int})
    ranked["title"] = [load_nearest_playbook(cause).title for cause in ranked["cause"]]
    ranked["short_fix"] = [load_nearest_playbook(cause).short_fix for cause in ranked["cause"]]
    order = ["records", "users", "events"]
    return ranked.sort_values(order, ascending=False, kind="stable", ignore_index=True)[list(RANKED_COLUMNS)]
