"""Choose the narrowest view of syncs that has every column a query uses.

At ten million syncs the joins are 95 % of the time of a query about outcomes. The store has three
views of a sync, each with all columns of the one before and more: `tracked_sync`, `detailed_sync`, `sync`.
"""

from __future__ import annotations

from analysis.query.sql_structure import sql_structure

DETAIL_COLUMNS = (
    "user_id", "device_id", "trigger", "network_type", "active_seconds", "paused_seconds", "records_downloaded",
    "records_deleted", "bytes_uploaded", "bytes_downloaded", "pending_uploads", "records_created",
    "configuration_version", "last_phase",
)  # fmt: skip
"""Columns of `detailed_sync` that `tracked_sync` lacks."""

FLEET_COLUMNS = (
    "territory", "country", "security_profile", "application_profile", "permission_sets", "time_zone", "platform",
    "device_model", "os_version",
)  # fmt: skip
"""Columns of `sync` that `detailed_sync` lacks."""


def narrowest_sync_view(*queries: str) -> str:
    """Return the narrowest view of syncs that has every column these queries use.

    A column of another relation with the same name costs a needless join. A missed column would be an error
    raised by DuckDB, never a wrong answer.
    """
    columns: set[str] = set()
    for query in queries:
        used = sql_structure(query).columns
        if used is None:
            return "sync"
        columns |= used
    if columns & set(FLEET_COLUMNS):
        return "sync"
    return "detailed_sync" if columns & set(DETAIL_COLUMNS) else "tracked_sync"
