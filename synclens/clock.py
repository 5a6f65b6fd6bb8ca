"""The system clock. It is read only here; everything else receives it as an argument."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time in UTC, timezone-aware."""
    return datetime.now(UTC)  # noqa: TID251 - the only place that may read it
