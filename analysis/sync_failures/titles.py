"""Titles of sync-failure issues: the symptom, whom it affects, and since when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from analysis.base.text import pluralize

if TYPE_CHECKING:
    from analysis.sync_failures.candidates import Candidate
    from analysis.sync_failures.observations import Observations

_STILL_GOING = timedelta(days=1)
_NEARLY_EVERYONE = 0.5  # share of the users who synced in the period
_LABELS = {
    "security_profile": "security profile", "application_profile": "application profile",
    "device_model": "device model", "os_version": "operating system", "permission_set": "permission set",
    "sync_type": "sync type",
}  # fmt: skip


def title_of(issue: Candidate, observations: Observations) -> str:
    """Return for example "Uploads fail for 12 users since version 253.0.105"."""
    syncs = issue.syncs
    users = pluralize(int(syncs["who"].nunique()), "user")
    first, last = syncs["started_at"].min(), syncs["started_at"].max()
    period = _period(first, last, observations.last)
    title = issue.kind.title
    if not issue.kind.by_rate:
        return f"{title}: {users}, {period}"
    if issue.extent == "everyone":
        share = syncs["who"].nunique() / max(1, observations.count_users(issue.kind, syncs))
        return f"{title} for {'everyone' if share >= _NEARLY_EVERYONE else users} {period}"
    if issue.extent == "users":
        return f"{title} for {users} {period}"
    if issue.extent == "app_version":
        return f"{title} for {users} since version {issue.value}"
    return f"{title} for {users} of {_LABELS.get(issue.extent, issue.extent)} {issue.value} {period}"


def _period(first: datetime, last: datetime, as_of: datetime) -> str:
    if last + _STILL_GOING >= as_of:
        return f"since {first:%Y-%m-%d %H:%M} UTC"
    end = f"{last:%H:%M}" if last.date() == first.date() else f"{last:%Y-%m-%d %H:%M}"
    return f"from {first:%Y-%m-%d %H:%M} to {end} UTC"
