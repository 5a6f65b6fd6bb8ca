"""Tables that lead somewhere: a button in each row opens what the row is about.

Ids, never positions, leave these functions: the list may have changed by the next run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from analysis.charts import assign_marks
from dashboard import pages
from dashboard.cards import state_label
from dashboard.column_config import build_column_config
from dashboard.data import cause_title
from dashboard.view_state import View
from dashboard.widgets import localize_times, show_exports, show_table

OPENED_DEVICE = "_opened_device"
OPENED_ISSUE = "_opened_issue"
FIX_COLUMNS = {
    "what it is": st.column_config.TextColumn("What it is", width=300),
    "last_seen": st.column_config.DatetimeColumn("Last seen", format="D MMM HH:mm"),
}
MAX_FULL_ROWS = 20
KNOWN_VIEWS = {
    "Still open": "-is:resolved,archived",
    "Going on": "-is:quiet,resolved,archived",
    "New or rising": "is:new,escalating,regressed",
    "Work at risk": "pending>0",
    "Without a cause": "cause:unknown",
    "Unassigned": "-assignee:* -is:resolved,archived",
}
_KNOWN = "known-view"


def show_known_views(query: str) -> None:
    """Searches that people need every day, one click each; the chosen one stands in the search line."""
    st.session_state[_KNOWN] = next((name for name, line in KNOWN_VIEWS.items() if line == query), None)

    def choose() -> None:
        st.session_state["q"] = KNOWN_VIEWS.get(st.session_state[_KNOWN], "")

    st.pills("Known views", list(KNOWN_VIEWS), key=_KNOWN, label_visibility="collapsed", on_change=choose)


def show_issue_table(issues: pd.DataFrame, view: View) -> list[str]:
    """The triage list as a table; returns the ids of the rows that are ticked.

    The button of a row leaves its issue id under OPENED in the session. Ids, never positions, leave this
    function: the list may have changed by the next run.
    """
    shown = localize_times(issues, view.zone)
    shown = pd.DataFrame(
        {
            "open": "Open",
            "state": shown["shown_state"].map(state_label),
            "cause": shown["cause_title"],
            "users": shown["users"],
            "events": shown["events"],
            "pending": shown["pending"],
            "trend": shown["trend"],
            "last_seen": shown["last_seen"],
            "fix": shown["fix"],
            "title": shown["title"],
            "first_seen": shown["first_seen"],
            "devices": shown["devices"],
            "app_versions": shown["app_versions"],
            "assignee": shown["assignee"],
        }
    )
    ids = [str(one) for one in issues["issue_id"]]
    picked = st.dataframe(
        shown, hide_index=True, height="content" if len(shown) <= MAX_FULL_ROWS else 660, placeholder="",
        column_config=_issue_columns(ids), key="issue-table", on_select="rerun", selection_mode="multi-row",
        alt="Issues, those that stop most people first",
    )  # fmt: skip
    return [ids[row] for row in picked["selection"]["rows"] if row < len(ids)]


def _issue_columns(ids: list[str]) -> dict[str, Any]:
    column = st.column_config
    when = "D MMM HH:mm"

    def opened() -> None:
        click = st.session_state.get("issue-click")
        if click is not None and click["row"] < len(ids):
            st.session_state[OPENED_ISSUE] = ids[click["row"]]

    return {
        "open": column.ButtonColumn(
            "Details", width=68, type="tertiary", on_click=opened, key="issue-click", pinned=True
        ),
        "state": column.TextColumn(
            "State", width=84, help="Quiet: open, and without an error for 7 days or longer. It may be over."
        ),
        "cause": column.TextColumn("Cause", width=290),
        "title": column.TextColumn(
            "Message", width=300, help="What the messages share; … stands for what differs."
        ),
        "users": column.NumberColumn("People", width=64),
        "devices": column.NumberColumn("Devices", width=66),
        "events": column.NumberColumn("Errors", width=64, format="localized"),
        "pending": column.NumberColumn(
            "Waiting", width=68, help="Records in error that wait on a device now."
        ),
        "trend": column.BarChartColumn("14 days", width=110, help="Errors a day, oldest first.", y_min=0),
        "last_seen": column.DatetimeColumn("Last seen", width=108, format=when),
        "first_seen": column.DatetimeColumn("First seen", width=108, format=when),
        "fix": column.TextColumn("What to do", width=320),
        "app_versions": column.ListColumn("Versions", width=120),
        "assignee": column.TextColumn("Assigned to", width=100),
    }


def add_cause_titles(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Copy a frame with the causes in its columns `names` (`cause`, without any) called as people call them."""
    told = {name: frame[name].map(cause_title, na_action="ignore") for name in names or ("cause",)}
    return frame.assign(**told)


def list_marked_changes(changes: pd.DataFrame) -> pd.DataFrame:
    """Changes with the letters that mark them on the charts, newest first."""
    kept = ["changed_at", "kind", "target", "object", "field", "scope", "before", "after", "changed_by"]
    shown = changes[kept].copy()
    shown["kind"] = shown["kind"].str.replace("_", " ")
    shown.insert(0, "mark", assign_marks(shown["changed_at"]))
    return _merge_repeated_changes(shown).iloc[::-1]


def _merge_repeated_changes(changes: pd.DataFrame) -> pd.DataFrame:
    """One row for what was done to many things at the same moment, as by an integration; `times` counts."""
    alike = [name for name in changes.columns if name not in ("before", "after")]
    grouped = changes.groupby(alike, dropna=False, sort=False)
    found = grouped.agg(
        before=("before", _common_value), after=("after", _common_value), times=("before", "size")
    )
    return found.reset_index()[[*changes.columns, "times"]]


def _common_value(values: pd.Series[Any]) -> object:
    """The one value of several, or how many there are."""
    told = values.dropna().unique()
    return None if not len(told) else told[0] if len(told) == 1 else f"{len(told):,} different"


def show_change_list(changes: pd.DataFrame, view: View) -> None:
    """What the letters on a chart stand for, folded."""
    if not changes.empty:
        with st.expander(
            f"{len(changes):,} configuration changes in this period", icon=":material/settings:"
        ):
            show_table(list_marked_changes(changes), key="changes", title="Configuration changes", view=view)


def show_device_table(frame: pd.DataFrame, view: View, *, key: str, title: str, about: str = "") -> None:
    """Devices as a table; the button of a row leaves the device's id under DEVICE in the session."""
    name = "device" if "device" in frame else "device_id"
    ids = [str(one) for one in frame[name]]
    shown = localize_times(frame, view.zone)
    shown.insert(0, "open", "Open")

    def opened() -> None:
        click = st.session_state.get(f"click-{key}")
        if click is not None and click["row"] < len(ids):
            st.session_state[OPENED_DEVICE] = ids[click["row"]]

    button = st.column_config.ButtonColumn(
        "Details", width=70, type="tertiary", on_click=opened, key=f"click-{key}", pinned=True
    )
    st.dataframe(
        shown, hide_index=True, placeholder="–", alt=title, key=f"table-{key}",
        column_config=build_column_config(shown) | {"open": button},
    )  # fmt: skip
    show_exports(shown.drop(columns="open"), key=key, title=title, view=view, about=about)


def count_by_status(devices: pd.DataFrame, statuses: Sequence[str]) -> dict[str, int]:
    """How many devices have each problem; a device may have several."""
    return {status: sum(status in problems for problems in devices["problems"]) for status in statuses}


def filter_by_status(devices: pd.DataFrame, chosen: Sequence[str]) -> pd.DataFrame:
    """Devices that have one of the chosen problems; all where nothing is chosen."""
    if chosen:
        kept = [bool(set(chosen) & set(problems)) for problems in devices["problems"]]
        devices = devices[kept].reset_index(drop=True)
    return devices.drop(columns="problems")


def open_selected_device() -> None:
    """Open the device whose button was clicked."""
    if opened := st.session_state.pop(OPENED_DEVICE, None):
        pages.open_page("device", device=opened)


def show_fix_table(ranked: pd.DataFrame, view: View, *, about: str) -> str:
    """The ranked fixes as a table; returns the cause whose row is ticked, the first where none is."""
    words = {
        "title": "what it is", "records": "waiting", "dependents": "hang on them", "short_fix": "what to do",
    }  # fmt: skip
    shown = localize_times(ranked, view.zone).rename(columns=words)[
        ["what it is", "waiting", "hang on them", "users", "events", "last_seen", "what to do"]
    ]
    # What to do stands beside the table, in whole; here it would be cut to its first letters.
    picked = st.dataframe(
        shown.drop(columns="what to do"), hide_index=True, placeholder="–",
        height=640 if len(shown) > MAX_FULL_ROWS else "content",
        column_config=build_column_config(shown) | FIX_COLUMNS, key="fix-table", on_select="rerun",
        selection_mode="single-row", alt="Fixes, those that free most records first",
    )  # fmt: skip
    show_exports(shown, key="fixes", title="Fixes", view=view, about=about)
    rows = [row for row in picked["selection"]["rows"] if row < len(ranked)] or [0]
    return str(ranked["cause"].iloc[rows[0]])
