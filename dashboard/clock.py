"""The wall clock, read in one place."""

from __future__ import annotations

import os
from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time, timezone-aware in UTC.

    `SYNCLENS_NOW` (ISO 8601) replaces it, so that screenshots are reproducible.
    """
    if fixed := os.environ.get("SYNCLENS_NOW"):
        return datetime.fromisoformat(fixed).astimezone(UTC)
    return datetime.now(UTC)  # noqa: TID251 - the only place that reads the clock
