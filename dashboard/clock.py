"""The wall clock, read in one place: how old the data is matters to the person who looks at it now."""

from __future__ import annotations

import os
from datetime import UTC, datetime


def now() -> datetime:
    """Aware and in UTC; `SYNCLENS_NOW` (ISO 8601) replaces it, so that a picture can be made again."""
    if fixed := os.environ.get("SYNCLENS_NOW"):
        return datetime.fromisoformat(fixed).astimezone(UTC)
    return datetime.now(UTC)  # noqa: TID251 - the one place that may look
