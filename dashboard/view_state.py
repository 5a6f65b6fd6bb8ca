"""What is being looked at: period, comparison, time zone and filters, all of it in the URL.

The controls of the sidebar are bound to query parameters, so a link opens exactly this view for a
colleague, and the browser's back button returns to the one before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

# Streamlit puts the words of an option into the URL, so the words are the names.
PERIODS: Mapping[str, timedelta | None] = {
    "24 hours": timedelta(hours=24),
    "7 days": timedelta(days=7),
    "14 days": timedelta(days=14),
    "30 days": timedelta(days=30),
    "90 days": timedelta(days=90),
    "all time": None,
}
ALL_TIME = "all time"
# A choice of time zone: days are each person's own; moments, which belong to nobody, stay in UTC.
LOCAL_DAYS = "each person's own day"
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
# Parameters that controls beside every page are bound to.
CONTROLS = ("period", "compare", "tz", *FILTERS)
# Parameters that say what is selected on a page; they travel beside the filters.
SELECTIONS = ("issue", "device", "event", "tab")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One view of the store. Times are naive UTC, as in the store; `since` None means from the beginning."""

    period: str
    since: datetime | None
    until: datetime | None
    zone: str
    filters: Mapping[str, tuple[str, ...]]
    compare: bool = True
    local_days: bool = False

    @property
    def day_basis(self) -> str:
        """Whose days the charts count by, for their titles."""
        return "each person's own" if self.local_days else "UTC"

    def arguments(self) -> dict[str, Any]:
        """The view as keyword arguments of a question to `analysis`.

        The end is left open: it is the newest sync, and a list of pending records may be newer still.
        """
        return {"since": self.since} | self.filter_arguments()

    def filter_arguments(self) -> dict[str, Any]:
        """Only the filters, for questions that bring their own period."""
        return {name: list(values) for name, values in self.filters.items() if values}

    def bounded_arguments(self) -> dict[str, Any]:
        """The same with its end, for comparisons."""
        return self.arguments() | {"until": self.until}

    def previous_arguments(self) -> dict[str, Any] | None:
        """The same question about the period just before; None where there is none or nobody wants it."""
        if not self.compare or self.since is None or self.until is None:
            return None
        length = self.until - self.since
        return self.bounded_arguments() | {"since": self.since - length, "until": self.since}

    def has_filters(self) -> bool:
        """Whether anything beside the period keeps rows out."""
        return any(self.filters.values())

    def describe(self) -> str:
        """The view in one line, for headers of exports."""
        parts = [self.period, self.describe_zone()]
        if self.since and self.until:
            parts.insert(1, f"{self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M} UTC")
        parts += [f"{FILTERS[name]}: {', '.join(values)}" for name, values in self.filters.items() if values]
        return " · ".join(parts)

    def describe_zone(self) -> str:
        """In which zone times are shown, and whose the days are where they are not UTC's."""
        days = ", days on each person's own clock" if self.local_days else ""
        return f"times in {self.zone}{days}"


def build_view(
    *,
    period: str,
    newest: datetime | None,
    zone: str,
    filters: Mapping[str, list[str]] | None = None,
    compare: bool = True,
) -> View:
    """Work out the view from the controls; a period ends with the newest data, not with the clock."""
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
