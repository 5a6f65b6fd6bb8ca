"""Cards, badges and number formats shared by several pages."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from analysis import Health, Incident
from analysis.issues.listing import IssueSummary
from dashboard import auth, pages
from dashboard.data import cause_title, failure_title
from dashboard.escaping import escape
from dashboard.view_state import View
from dashboard.widgets import format_time

# Each state has a label and an icon, so that no meaning depends on color alone.
STATE_BADGES = {
    "new": ("New", "fiber_new", "blue"),
    "ongoing": ("Ongoing", "sync", "gray"),
    "escalating": ("Escalating", "trending_up", "red"),
    "regressed": ("Regressed", "undo", "orange"),
    "quiet": ("Quiet", "bedtime", "gray"),
    "archived": ("Archived", "inventory_2", "gray"),
    "resolved": ("Resolved", "check_circle", "green"),
}
MAX_INCIDENT_ISSUES = 4
RISING_STATES = ("escalating", "regressed", "new")


def format_period(view: View) -> str:
    """Return the period of the view as text in the selected time zone."""
    if view.since is None or view.until is None:
        return f"All time · {view.describe_zone()}"
    begin, end = (
        format_time(view.since, view.zone),
        format_time(view.until, view.zone, pattern="%d %b %Y %H:%M"),
    )
    return f"{view.period} · {begin} to {end} · {view.describe_zone()}"


def format_share(value: float | None, digits: int = 1) -> str:
    """Return a share from 0 to 1 as a percentage; a dash if it is missing."""
    return "–" if value is None or pd.isna(value) else f"{value:.{digits}%}"


def format_count(value: float | None) -> str:
    """Return a count with thousands separators; a dash if it is missing."""
    return "–" if value is None or pd.isna(value) else f"{int(value):,}"


def show_state_badge(state: str) -> None:
    """Show the state of an issue as a badge."""
    label, icon, color = STATE_BADGES.get(state, (state.title(), "help", "gray"))
    st.badge(escape(label), icon=f":material/{icon}:", color=color)  # type: ignore[arg-type]


def state_label(state: str) -> str:
    """Return the label of a state."""
    return STATE_BADGES.get(state, (state.title(),))[0]


def show_issue_line(issue: Any, view: View) -> None:  # noqa: ANN401 - a row of itertuples
    """Show an issue in two lines, with a link to its page."""
    with st.container(border=True, gap="xxsmall"):
        with st.container(horizontal=True, gap="small", key=f"line-{issue.issue_id}"):
            pages.show_link("issue", issue.cause_title, icon=None, issue=str(issue.issue_id))
            show_state_badge(issue.shown_state)
        st.caption(
            f"{escape(issue.title, 110)}  \n{_bold_count(issue.users, 'user', 'users')} · "
            f"{_bold_count(issue.events, *_event_nouns(issue.failure_kind))} · "
            f"since {format_time(issue.first_seen, view.zone)} · last {format_time(issue.last_seen, view.zone)}"
        )


def show_incident(incident: Incident, view: View) -> None:
    """Show an incident with its reason, and links to the issues with most errors."""
    with st.container(border=True, gap="xxsmall"):
        st.markdown(f"**Incident: {escape(incident.title)}**")
        st.caption(
            f"{escape(incident.reason)}  \n{_bold_count(incident.users, 'user', 'users')} · "
            f"{_bold_count(incident.events, 'error', 'errors')} · "
            f"since {format_time(incident.first_seen, view.zone)} · last {format_time(incident.last_seen, view.zone)}"
        )
        with st.container(gap=None, key=f"incident-{incident.incident_id}"):
            for issue_id in incident.issue_ids[:MAX_INCIDENT_ISSUES]:
                pages.show_link("issue", issue_id, icon=None, issue=issue_id)
            if more := len(incident.issue_ids[MAX_INCIDENT_ISSUES:]):
                st.caption(f"and {more} more")


def _event_nouns(failure_kind: object) -> tuple[str, str]:
    return ("sync", "syncs") if isinstance(failure_kind, str) else ("error", "errors")


def show_rising_counts(issues: pd.DataFrame) -> None:
    """Show links with the number of escalating, regressed and new issues."""
    counts = issues["state"].value_counts()
    rising = [(state, int(counts[state])) for state in RISING_STATES if counts.get(state, 0)]
    if rising:
        with st.container(horizontal=True, gap="small"):
            for state, number in rising:
                label, icon, _ = STATE_BADGES[state]
                pages.show_link(
                    "issues", f"{number} {label.lower()}", icon=f":material/{icon}:", q=f"is:{state}"
                )


def show_health_cards(health: Health, previous: Health | None, *, are_errors_loaded: bool = True) -> None:
    """Show the key numbers of the overview, each with its change since the previous period if known."""
    previous = previous if previous is not None and _is_comparable(health, previous) else None
    with st.grid(5, min_column_width=170, border=True):
        st.metric(
            "Clean syncs", format_share(health.clean_rate),
            delta=_format_point_change(health.clean_rate, previous.clean_rate if previous else None),
            help="Finished syncs that succeeded without a refused record; "
            f"95 % interval: {format_share(health.clean_low)} to {format_share(health.clean_high)}. "
            f"{health.with_upload_errors:,} more completed with refused records, {health.bad:,} failed.",
        )  # fmt: skip
        _show_count_card(
            "Devices with a failed sync",
            health,
            previous,
            "devices_with_failure",
            f"Of {health.devices:,} devices that synced{_users_without_device_note(health)}.",
        )
        if are_errors_loaded:
            _show_count_card(
                "Errors", health, previous, "errors", "One failed record or one failed phase of a sync."
            )
        else:
            st.metric("Errors", "–", help="No error events are loaded.")
        _show_count_card(
            "Issues",
            health,
            previous,
            "all_issues",
            "Groups of errors with the same content, and of failed syncs without an error text.",
        )
        cause_share = health.errors_with_cause / health.errors if health.errors else None
        st.metric(
            "Errors with a known cause",
            format_share(cause_share, 0),
            help="Other errors are listed as unknown; causes are never guessed.",
        )


def _users_without_device_note(health: Health) -> str:
    """Return a note on users counted as devices because their syncs name none."""
    users = health.users_without_device
    return f"; {users:,} of them are users whose syncs name no device" if users else ""


def _is_comparable(health: Health, previous: Health) -> bool:
    """Return whether the previous period has data: at least a tenth of the rows of this one."""
    return previous.syncs + previous.errors >= (health.syncs + health.errors) / 10


def _bold_count(number: int, singular: str, plural: str) -> str:
    return f"**{format_count(number)}** {singular if number == 1 else plural}"


def _show_count_card(label: str, health: Health, previous: Health | None, name: str, help: str) -> None:
    value = getattr(health, name)
    earlier = None if previous is None or not previous.as_of else getattr(previous, name)
    st.metric(
        label, format_count(value), delta=None if earlier is None else value - earlier, delta_color="inverse",
        delta_description=None if earlier is None else "vs. previous period", help=help, format="localized",
    )  # fmt: skip


def _format_point_change(rate: float | None, earlier: float | None) -> str | None:
    if rate is None or earlier is None:
        return None
    return f"{100 * (rate - earlier):+.1f} points"


def show_issue_heading(summary: IssueSummary, issue_id: str) -> None:
    """Show title, state and id of an issue."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        title = failure_title(summary.failure_kind) or cause_title(summary.cause)
        st.title(escape(title), anchor=False, width="content")
        show_state_badge(summary.shown_state)
        st.caption(f"issue {escape(issue_id)}", width="content")


def show_issue_cards(summary: IssueSummary, view: View) -> None:
    """Show the counts and dates of an issue."""
    with st.grid(6, min_column_width=170, border=True):
        st.metric("Users", format_count(summary.users))
        st.metric("Devices", format_count(summary.devices))
        st.metric("Errors" if summary.failure_kind is None else "Syncs", format_count(summary.events))
        st.metric(
            "Pending records", format_count(summary.pending if summary.failure_kind is None else None),
            help="Unsent records that this issue blocks now: refused records with those saved together with them, "
            "and all records of devices whose sync it stops.",
        )  # fmt: skip
        st.metric("First seen", format_time(summary.first_seen, view.zone))
        st.metric("Last seen", format_time(summary.last_seen, view.zone))


def show_device_facts(summary: dict[str, Any], view: View) -> None:
    """Show the facts of a device and its current problems."""
    facts = {
        "Model": summary["model"],
        "OS": summary["os_version"],
        "App version": summary["app_version"],
        "User": auth.HIDDEN if auth.are_names_masked() else summary["user_id"],
        "Territory": summary["territory"],
        "Accounts": format_count(summary["accounts"]),
        "Last attempt": format_time(summary["last_attempt"], view.zone),
        "Last success": format_time(summary["last_success"], view.zone),
    }
    if summary["problems"]:
        problems = escape(", ".join(summary["problems"]).capitalize())
        st.warning(f"**{problems}**: {escape(summary['why'], 300)}", icon=":material/warning:")
    with st.grid(len(facts), min_column_width=110, gap="small"):
        for name, value in facts.items():
            with st.container(gap="xxsmall"):
                st.caption(name)
                st.text("–" if pd.isna(value) else str(value))
