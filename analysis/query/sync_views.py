"""How much of a sync a question needs: a join that brings nothing it asks for is work for nothing.

At ten million syncs the joins cost nineteen twentieths of a question about outcomes. The store has three views of
a sync, each the one before and more: `tracked_sync`, `detailed_sync`, `sync`.
"""

from __future__ import annotations

import re

DETAIL_COLUMNS = (
    "user_id", "device_id", "trigger", "network_type", "active_seconds", "paused_seconds", "records_downloaded",
    "records_deleted", "bytes_uploaded", "bytes_downloaded", "pending_uploads", "records_created",
    "configuration_version", "last_phase",
)  # fmt: skip
"""What `detailed_sync` has and `tracked_sync` has not."""

FLEET_COLUMNS = (
    "territory", "country", "security_profile", "application_profile", "permission_sets", "time_zone", "platform",
    "device_model", "os_version",
)  # fmt: skip
"""What `sync` has and `detailed_sync` has not."""

# A star that stands for columns: behind SELECT, DISTINCT, a comma or a dot. COLUMNS(...) is another.
_ALL = re.compile(r"(?:\b(?:SELECT|DISTINCT)\s+|[,.]\s*)\*|\bCOLUMNS\s*\(", re.IGNORECASE)
# What follows where a SELECT reads one relation and no other.
_FROM_ONE = re.compile(
    r"(?:(?!\bSELECT\b).)*?\bFROM\s+(\w+)\s*(?:$|[);]|\b(?:WHERE|GROUP|ORDER|QUALIFY|LIMIT)\b)",
    re.IGNORECASE | re.DOTALL,
)
_DETAIL, _FLEET = (
    re.compile(rf"\b(?:{'|'.join(names)})\b", re.IGNORECASE) for names in (DETAIL_COLUMNS, FLEET_COLUMNS)
)


def narrowest_sync_view(sql: str) -> str:
    """The leanest view of syncs that has every column which this text could mean.

    A name that means something else costs a needless join; a name that is missed would be an error of the
    database, and never a wrong answer.
    """
    if any(_is_of_syncs(sql, star.end()) for star in _ALL.finditer(sql)) or _FLEET.search(sql):
        return "sync"
    return "detailed_sync" if _DETAIL.search(sql) else "tracked_sync"


def _is_of_syncs(sql: str, at: int) -> bool:
    """Whether a star may mean a sync's columns: always, but where one relation is read that the query makes."""
    read = _FROM_ONE.match(sql, at)
    return read is None or not re.search(rf"\b{read[1]}\s+AS\s+(?:\w+\s+)?\(", sql, re.IGNORECASE)
