"""The view: period, comparison, time zone and filters, all stored in the URL.

The sidebar controls are bound to URL parameters, so a link opens the same view for a colleague, and the browser's
back button works.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

# Streamlit puts the label of an option into the URL, so the labels are the keys.
PERIODS: Mapping[str, timedelta | None] = {
    "24 hours": timedelta(hours=24),
    "7 days": timedelta(days=7),
    "14 days": timedelta(days=14),
    "30 days": timedelta(days=30),
    "90 days": timedelta(days=90),
    "all time": None,
}
ALL_TIME = "all time"
# A time zone option: days are local to each user, and times are shown in UTC.
LOCAL_DAYS = "local days of each user"
FILTERS: Mapping[str, str] = {
    "sync_type": "Sync type",
    "app_version": "App version",
    "platform": "Platform",
    "country": "Country",
    "territory": "Territory",
    "profile": "Profile",
    "object": "Object",
    "cause": "Cause",
}
# URL parameters of the controls on every page.
CONTROLS = ("period", "compare", "tz", *FILTERS)
# URL parameters that select something on a page.
SELECTIONS = ("issue", "device", "event", "tab")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One view of the store. Times are naive UTC; `since` None means from the start."""

    period: str
    since: datetime | None
    until: datetime | None
    zone: str
    filters: Mapping[str, tuple[str, ...]]
    compare: bool = True
    local_days: bool = False

    @property
    def day_basis(self) -> str:
        """Return the kind of days on chart axes, for their titles."""
        return "local days" if self.local_days else "UTC"

    def arguments(self) -> dict[str, Any]:
        """Return the view as keyword arguments for a query.

        It has no end: the period ends with the newest sync, and pending records can be newer.
        """
        return {"since": self.since} | self.filter_arguments()

    def filter_arguments(self) -> dict[str, Any]:
        """Return only the filters, for queries with their own period."""
        return {name: list(values) for name, values in self.filters.items() if values}

    def bounded_arguments(self) -> dict[str, Any]:
        """Return the arguments with the end of the period, for comparisons."""
        return self.arguments() | {"until": self.until}

    def previous_arguments(self) -> dict[str, Any] | None:
        """Return the arguments for the previous period; None without comparison or period."""
        if not self.compare or self.since is None or self.until is None:
            return None
        length = self.until - self.since
        return self.bounded_arguments() | {"since": self.since - length, "until": self.since}

    def has_filters(self) -> bool:
        """Return whether any filter is set."""
        return any(self.filters.values())

    def describe(self) -> str:
        """Return the view in one line, for headers of exports."""
        parts = [self.period, self.describe_zone()]
        if self.since and self.until:
            parts.insert(1, f"{self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M} UTC")
        parts += [f"{FILTERS[name]}: {', '.join(values)}" for name, values in self.filters.items() if values]
        return " · ".join(parts)

    def describe_zone(self) -> str:
        """Return the time zone of times, and of days if they are local."""
        days = ", local days of each user" if self.local_days else ""
        return f"times in {self.zone}{days}"


def build_view(
    *,
    period: str,
    newest: datetime | None,
    zone: str,
    filters: Mapping[str, list[str]] | None = None,
    compare: bool = True,
) -> View:
    """Build the view from the controls. A period ends with the newest data, not with the current time."""
    length = PERIODS.get(period)
    until = None if newest is None else newest + timedelta(seconds=1)  # periods do not include their end
    return View(
        period=period if period in PERIODS else ALL_TIME,
        since=until - length if until and length else None,
        until=until,
        zone="UTC" if zone == LOCAL_DAYS else zone,
        local_days=zone == LOCAL_DAYS,
        filters={name: tuple(values) for name, values in (filters or {}).items() if values},
        compare=compare,
    )
