"""Read and write timestamps as Vault's API does."""

from __future__ import annotations

from datetime import UTC, datetime


def parse_timestamp(text: object) -> datetime | None:
    """Parse an ISO timestamp, in UTC if it has no zone; None if the text is not a timestamp."""
    try:
        timestamp = datetime.fromisoformat(str(text or ""))
    except ValueError:
        return None
    return timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)


def format_timestamp(timestamp: datetime) -> str:
    """Format a time as VQL and the audit trails accept it: UTC, with milliseconds."""
    return timestamp.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{timestamp.microsecond // 1000:03}Z"
