"""Find the issue behind an alert: its title, its cause, and the users and devices it affects."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from analysis.issues.listing import IssueSummary, list_issue_summaries

_DAY = timedelta(days=1)
ALL_TYPES = "all devices"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertIssue:
    """An issue with the users and devices that it affects; `title` can hold text from devices."""

    issue_id: str
    title: str
    cause: str
    users: int
    devices: int

    @classmethod
    def of(cls, issue: IssueSummary) -> AlertIssue:
        """Return the part of a summary that an alert states."""
        return cls(
            issue_id=issue.issue_id,
            title=issue.title,
            cause=issue.cause,
            users=issue.users,
            devices=issue.devices,
        )


def find_escalating_issue(
    connection: DuckDBPyConnection, issue_id: str, at: datetime, filters: dict[str, Any]
) -> AlertIssue | None:
    """Return the issue with the users and devices of the last day before `at`."""
    return _worst(connection, {**filters, "issue_id": issue_id, "since": at - _DAY, "until": at}, _affected)


def find_issue_of_failures(
    connection: DuckDBPyConnection, sync_type: str, since: datetime, at: datetime, filters: dict[str, Any]
) -> AlertIssue | None:
    """Return the issue with most users among the errors of a sync type; None if no error is loaded."""
    narrowed = {**filters, "since": since, "until": at}
    if sync_type != ALL_TYPES:
        return _worst(connection, narrowed | {"sync_type": sync_type}, _affected)
    return find_stopping_issue(connection, at, filters)


def find_stopping_issue(
    connection: DuckDBPyConnection, at: datetime, filters: dict[str, Any]
) -> AlertIssue | None:
    """Return the issue that stops most devices at `at`; None if none does."""
    return _worst(connection, {**filters, "until": at}, _stopped)


def _affected(issue: IssueSummary) -> tuple[int, ...]:
    return (issue.users, issue.devices, issue.events)


def _stopped(issue: IssueSummary) -> tuple[int, ...]:
    return (issue.stopped_devices, issue.unrecovered_users) if issue.stopped_devices else ()


def _worst(
    connection: DuckDBPyConnection, filters: dict[str, Any], size: Callable[[IssueSummary], tuple[int, ...]]
) -> AlertIssue | None:
    issues: Iterable[IssueSummary] = list_issue_summaries(connection, **filters)
    worst = max((issue for issue in issues if size(issue)), key=size, default=None)
    return None if worst is None else AlertIssue.of(worst)
