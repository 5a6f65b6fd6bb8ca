"""Filters that let nothing through because the store has no such value: told in the log, with those it has."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from duckdb import DuckDBPyConnection

from analysis.base.text import did_you_mean
from analysis.query.filters import Filters

_LOG = logging.getLogger("analysis")
_MOST_NAMED = 8
_WHERE: Mapping[str, tuple[tuple[str, str], ...]] = {
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
    "issue_id": (("main.finding", "issue_id"),),
}


def warn_unknown_values(connection: DuckDBPyConnection, filters: Filters) -> None:
    """Write to the log which values of the filters the store has never seen, and which it has."""
    for name, values in filters.values.items():
        known = _known(connection, name)
        for value in values:
            if value not in known:
                _LOG.warning("%s", _told(name, value, known))


def _known(connection: DuckDBPyConnection, name: str) -> dict[str, None]:
    """The values of a filter, the most frequent first."""
    parts = (f"SELECT {column} AS value FROM {table}" for table, column in _WHERE[name])
    rows = connection.execute(
        f"SELECT value FROM ({' UNION ALL '.join(parts)}) WHERE value IS NOT NULL "
        "GROUP BY value ORDER BY count(*) DESC, value"
    ).fetchall()
    return dict.fromkeys(str(value) for (value,) in rows)


def _told(name: str, value: str, known: Mapping[str, None]) -> str:
    if not known:
        return f"the store knows no {name} at all, so {name}={value!r} lets nothing through"
    some = list(known)
    more = f" and {len(some) - _MOST_NAMED} more" if len(some) > _MOST_NAMED else ""
    return (
        f"the store has no {name} {value!r}. {did_you_mean(value, known)}"
        f"It has: {', '.join(some[:_MOST_NAMED])}{more}."
    )
