"""The wall clock, read in one place and handed to everyone who needs it."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The time on this machine, aware and in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the one place that may look
