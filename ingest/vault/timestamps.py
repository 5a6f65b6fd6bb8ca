"""Read and write timestamps as Vault's API does."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def parse_timestamp(text: object) -> datetime | None:
    """Parse an ISO timestamp, in UTC if it has no zone; None if the text is not a timestamp."""
    try:
        timestamp = datetime.fromisoformat(str(text or ""))
    except ValueError:
        return None
    return timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)


def format_timestamp(timestamp: datetime) -> str:
    """Format a time as VQL accepts it: UTC, with milliseconds."""
    return timestamp.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{timestamp.microsecond // 1000:03}Z"


def format_second(timestamp: datetime) -> str:
    """Format a time as trails and lists of deletions accept it: UTC, in whole seconds."""
    return timestamp.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_http_date(text: str | None) -> datetime | None:
    """Parse a Date header; None if it is missing or invalid."""
    try:
        date = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    return date.astimezone(UTC) if date and date.tzinfo else None
