"""Log a warning if the store has no value that a filter requires, with the values it has."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from duckdb import DuckDBPyConnection

from analysis.base.text import did_you_mean
from analysis.query.filters import Filters

_LOG = logging.getLogger("analysis")
_MAX_LISTED = 8
_COLUMNS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "sync_type": (("main.sync_tracking__v", "sync_type__v"),),
    "app_version": (("main.sync_tracking__v", "version__v"), ("main.sync_error", "app_version")),
    "object": (("main.sync_error", "object"), ("main.pending_record", "object")),
    "territory": (("main.sync_user", "territory"),),
    "profile": (("main.sync_user", "security_profile"), ("main.sync_user", "application_profile")),
    "country": (("main.sync_user", "country"),),
    "device_model": (("main.device", "model"),),
    "platform": (("main.device", "platform"), ("main.sync_error", "platform")),
    "user_id": (("main.sync_user", "user_id"), ("main.sync_error", "user_id"), ("main.sync", "user_id")),
    "device_id": (("main.device", "device_id"), ("main.sync_error", "device_id")),
    "cause": (("main.finding", "cause"),),
    "issue_id": (("main.finding", "issue_id"), ("main.sync_finding", "issue_id")),
}


def warn_unknown_values(connection: DuckDBPyConnection, filters: Filters) -> None:
    """Log a warning for each filter value that the store does not have."""
    for name, values in filters.values.items():
        existing = _existing_values(connection, name)
        for value in values:
            if value not in existing:
                _LOG.warning("%s", _message(name, value, existing))


def _existing_values(connection: DuckDBPyConnection, name: str) -> dict[str, None]:
    """Return the values of a filter, the most frequent first."""
    parts = (f"SELECT {column} AS value FROM {table}" for table, column in _COLUMNS[name])
    rows = connection.execute(
        f"SELECT value FROM ({' UNION ALL '.join(parts)}) WHERE value IS NOT NULL "
        "GROUP BY value ORDER BY count(*) DESC, value"
    ).fetchall()
    return dict.fromkeys(str(value) for (value,) in rows)


def _message(name: str, value: str, existing: Mapping[str, None]) -> str:
    if not existing:
        return f"the store has no {name} at all, so {name}={value!r} matches nothing"
    listed = list(existing)
    more = f" and {len(listed) - _MAX_LISTED} more" if len(listed) > _MAX_LISTED else ""
    return (
        f"the store has no {name} {value!r}. {did_you_mean(value, existing)}"
        f"It has: {', '.join(listed[:_MAX_LISTED])}{more}."
    )
