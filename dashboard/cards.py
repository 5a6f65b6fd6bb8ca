"""Shapes that several pages share: the cards of health, one line about one issue, marks of changes."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from analysis import Health
from analysis.issues.listing import IssueSummary
from dashboard import auth, pages
from dashboard.data import cause_title
from dashboard.escaping import escape
from dashboard.view_state import View
from dashboard.widgets import format_time

# A state has a word and a sign, so that its colour is never needed.
STATE_BADGES = {
    "new": ("New", "fiber_new", "blue"),
    "ongoing": ("Ongoing", "sync", "gray"),
    "escalating": ("Escalating", "trending_up", "red"),
    "regressed": ("Regressed", "undo", "orange"),
    "quiet": ("Quiet", "bedtime", "gray"),
    "archived": ("Archived", "inventory_2", "gray"),
    "resolved": ("Resolved", "check_circle", "green"),
}
RISING_STATES = ("escalating", "regressed", "new")


def format_period(view: View) -> str:
    """Which period is shown, in the zone that is chosen."""
    if view.since is None or view.until is None:
        return f"All time · {view.describe_zone()}"
    begin, end = format_time(view.since, view.zone), format_time(view.until, view.zone, form="%d %b %Y %H:%M")
    return f"{view.period} · {begin} to {end} · {view.describe_zone()}"


def format_share(value: float | None, digits: int = 1) -> str:
    """A share from 0 to 1 as per cent, a dash where there is none."""
    return "–" if value is None or pd.isna(value) else f"{value:.{digits}%}"


def format_count(value: float | None) -> str:
    """A count with a thousands separator, a dash where there is none."""
    return "–" if value is None or pd.isna(value) else f"{int(value):,}"


def show_state_badge(state: str) -> None:
    """The state of an issue as a word with a sign."""
    word, icon, colour = STATE_BADGES.get(state, (state.title(), "help", "gray"))
    st.badge(escape(word), icon=f":material/{icon}:", color=colour)  # type: ignore[arg-type]


def state_label(state: str) -> str:
    """The state of an issue for a table."""
    return STATE_BADGES.get(state, (state.title(),))[0]


def show_issue_line(issue: Any, view: View) -> None:  # noqa: ANN401 - a row of itertuples
    """One issue in two quiet lines: what and how many, linked to its page."""
    with st.container(border=True, gap="xxsmall"):
        with st.container(horizontal=True, gap="small", key=f"line-{issue.issue_id}"):
            pages.show_link("issue", issue.cause_title, icon=None, issue=str(issue.issue_id))
            show_state_badge(issue.shown_state)
        st.caption(
            f"{escape(issue.title, 110)}  \n{_bold_count(issue.users, 'person', 'people')} · "
            f"{_bold_count(issue.events, 'error', 'errors')} · "
            f"since {format_time(issue.first_seen, view.zone)} · last {format_time(issue.last_seen, view.zone)}"
        )


def show_rising_counts(issues: pd.DataFrame) -> None:
    """How many issues of a list are escalating, back, or new: each a link to them."""
    counts = issues["state"].value_counts()
    told = [(state, int(counts[state])) for state in RISING_STATES if counts.get(state, 0)]
    if told:
        with st.container(horizontal=True, gap="small"):
            for state, number in told:
                word, icon, _ = STATE_BADGES[state]
                pages.show_link(
                    "issues", f"{number} {word.lower()}", icon=f":material/{icon}:", q=f"is:{state}"
                )


def show_health_cards(health: Health, before: Health | None) -> None:
    """The numbers at the top of the overview, each with what it was in the period before, if that is known."""
    before = before if before is not None and _is_comparable(health, before) else None
    with st.grid(5, min_column_width=170, border=True):
        interval = f"95 % interval: {format_share(health.success_low)} to {format_share(health.success_high)}"
        st.metric(
            "Syncs that succeed", format_share(health.success_rate),
            delta=_format_point_change(health.success_rate, before.success_rate if before else None), help=interval,
        )  # fmt: skip
        _show_count_card(
            "Devices with a failed sync",
            health,
            before,
            "devices_with_failure",
            f"of {health.devices:,} that synced{_users_without_device_note(health)}",
        )
        _show_count_card("Errors", health, before, "errors", "one record or one phase of a sync that failed")
        _show_count_card("Issues", health, before, "issues", "groups of errors with one cause")
        known = health.errors_with_cause / health.errors if health.errors else None
        st.metric(
            "Errors with a known cause",
            format_share(known, 0),
            help="The rest is listed as unknown, never guessed.",
        )


def _users_without_device_note(health: Health) -> str:
    """Say how many users stand for devices that no sync names."""
    users = health.users_without_device
    return f"; {users:,} of them are users whose syncs do not name a device" if users else ""


def _is_comparable(health: Health, before: Health) -> bool:
    """Whether the data reach back: a tenth of what is known now is rather a beginning than a calm period."""
    return before.syncs + before.errors >= (health.syncs + health.errors) / 10


def _bold_count(number: int, one: str, more: str) -> str:
    return f"**{format_count(number)}** {one if number == 1 else more}"


def _show_count_card(label: str, health: Health, before: Health | None, name: str, about: str) -> None:
    value = getattr(health, name)
    earlier = None if before is None or not before.as_of else getattr(before, name)
    st.metric(
        label, format_count(value), delta=None if earlier is None else value - earlier, delta_color="inverse",
        delta_description=None if earlier is None else "on the period before", help=about, format="localized",
    )  # fmt: skip


def _format_point_change(rate: float | None, earlier: float | None) -> str | None:
    if rate is None or earlier is None:
        return None
    return f"{100 * (rate - earlier):+.1f} points"


def show_issue_heading(summary: IssueSummary, issue_id: str) -> None:
    """Name and state of an issue."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.title(escape(cause_title(summary.cause)), anchor=False, width="content")
        show_state_badge(summary.shown_state)
        st.caption(f"issue {escape(issue_id)}", width="content")


def show_issue_cards(summary: IssueSummary, view: View) -> None:
    """How many and since when."""
    with st.grid(6, min_column_width=170, border=True):
        st.metric("People", format_count(summary.users))
        st.metric("Devices", format_count(summary.devices))
        st.metric("Errors", format_count(summary.events))
        st.metric(
            "Records waiting", format_count(summary.pending),
            help="Records in error on a device, not uploaded yet, whose newest error is of this issue, "
            "and those saved together with them.",
        )  # fmt: skip
        st.metric("First seen", format_time(summary.first_seen, view.zone))
        st.metric("Last seen", format_time(summary.last_seen, view.zone))


def show_device_facts(about: dict[str, Any], view: View) -> None:
    """What a device is, as of now, and what is wrong with it."""
    facts = {
        "Model": about["model"],
        "OS": about["os_version"],
        "App version": about["app_version"],
        "User": auth.HIDDEN if auth.are_names_masked() else about["user_id"],
        "Territory": about["territory"],
        "Accounts": format_count(about["accounts"]),
        "Last attempt": format_time(about["last_attempt"], view.zone),
        "Last success": format_time(about["last_success"], view.zone),
    }
    if about["problems"]:
        problems = escape(", ".join(about["problems"]).capitalize())
        st.warning(f"**{problems}**: {escape(about['why'], 300)}", icon=":material/warning:")
    with st.grid(len(facts), min_column_width=110, gap="small"):
        for name, value in facts.items():
            with st.container(gap="xxsmall"):
                st.caption(name)
                st.text("–" if pd.isna(value) else str(value))
