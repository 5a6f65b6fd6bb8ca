"""Tables of issues, devices, fixes and configuration changes. Buttons in the rows open pages.

The functions return ids, not row positions, because the list can change before the next run.
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
    "title": st.column_config.TextColumn("Cause", width=300),
    "records": st.column_config.NumberColumn("Pending"),
    "short_fix": st.column_config.TextColumn("Fix"),
    "last_seen": st.column_config.DatetimeColumn("Last seen", format="D MMM HH:mm"),
}
MAX_FULL_ROWS = 20
SEARCH_PRESETS = {
    "Open": "-is:resolved,archived",
    "Active": "-is:quiet,resolved,archived",
    "New or rising": "is:new,escalating,regressed",
    "Records at risk": "pending>0",
    "Unknown cause": "cause:unknown",
    "Unassigned": "-assignee:* -is:resolved,archived",
}
_PRESET = "search-preset"


def show_search_presets(query: str) -> None:
    """Show frequent searches as pills. The selected one fills the search field."""
    st.session_state[_PRESET] = next(
        (name for name, search in SEARCH_PRESETS.items() if search == query), None
    )

    def fill_search() -> None:
        st.session_state["q"] = SEARCH_PRESETS.get(st.session_state[_PRESET], "")

    st.pills(
        "Frequent searches",
        list(SEARCH_PRESETS),
        key=_PRESET,
        label_visibility="collapsed",
        on_change=fill_search,
    )


def show_issue_table(issues: pd.DataFrame, view: View) -> list[str]:
    """Show the issues and return the ids of the selected rows.

    The button of a row stores its issue id in the session under OPENED_ISSUE.
    """
    shown = localize_times(issues, view.zone)
    shown = pd.DataFrame(
        {
            "open": "Open",
            "state": shown["shown_state"].map(state_label),
            "cause": shown["title"].where(shown["failure_kind"].notna(), shown["cause_title"]),
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
    ids = [str(issue_id) for issue_id in issues["issue_id"]]
    selection = st.dataframe(
        shown, hide_index=True, height="content" if len(shown) <= MAX_FULL_ROWS else 660, placeholder="",
        column_config=_issue_columns(ids), key="issue-table", on_select="rerun", selection_mode="multi-row",
        alt="Issues, those that stop most work first",
    )  # fmt: skip
    return [ids[row] for row in selection["selection"]["rows"] if row < len(ids)]


def _issue_columns(ids: list[str]) -> dict[str, Any]:
    column = st.column_config
    time_format = "D MMM HH:mm"

    def store_opened() -> None:
        click = st.session_state.get("issue-click")
        if click is not None and click["row"] < len(ids):
            st.session_state[OPENED_ISSUE] = ids[click["row"]]

    return {
        "open": column.ButtonColumn(
            "Details", width=68, type="tertiary", on_click=store_opened, key="issue-click", pinned=True
        ),
        "state": column.TextColumn(
            "State", width=84, help="Quiet: open, but without recent errors. It may be resolved."
        ),
        "cause": column.TextColumn("Cause", width=290),
        "title": column.TextColumn(
            "Message", width=300, help="The common part of the messages; … marks what differs."
        ),
        "users": column.NumberColumn("Users", width=64),
        "devices": column.NumberColumn("Devices", width=66),
        "events": column.NumberColumn(
            "Events", width=64, format="localized", help="Errors, or failed syncs without an error text."
        ),
        "pending": column.NumberColumn("Pending", width=68, help="Unsent records that the issue blocks now."),
        "trend": column.BarChartColumn("14 days", width=110, help="Events per day, oldest first.", y_min=0),
        "last_seen": column.DatetimeColumn("Last seen", width=108, format=time_format),
        "first_seen": column.DatetimeColumn("First seen", width=108, format=time_format),
        "fix": column.TextColumn("Fix", width=320),
        "app_versions": column.ListColumn("Versions", width=120),
        "assignee": column.TextColumn("Assigned to", width=100),
    }


def add_cause_titles(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Return a copy with cause titles instead of ids in the columns `names` (default: `cause`)."""
    titles = {name: frame[name].map(cause_title, na_action="ignore") for name in names or ("cause",)}
    return frame.assign(**titles)


def list_marked_changes(changes: pd.DataFrame) -> pd.DataFrame:
    """Return the changes, newest first, with the letters that mark them on charts."""
    columns = ["changed_at", "kind", "target", "object", "field", "scope", "before", "after", "changed_by"]
    shown = changes[columns].copy()
    shown["kind"] = shown["kind"].str.replace("_", " ")
    shown.insert(0, "mark", assign_marks(shown["changed_at"]))
    return _merge_repeated_changes(shown).iloc[::-1]


def _merge_repeated_changes(changes: pd.DataFrame) -> pd.DataFrame:
    """Merge equal changes made at the same time, for example by an integration; `times` counts them."""
    same = [name for name in changes.columns if name not in ("before", "after")]
    grouped = changes.groupby(same, dropna=False, sort=False)
    merged = grouped.agg(
        before=("before", _common_value), after=("after", _common_value), times=("before", "size")
    )
    return merged.reset_index()[[*changes.columns, "times"]]


def _common_value(values: pd.Series[Any]) -> object:
    """Return the only value, or the number of different values."""
    distinct = values.dropna().unique()
    return (
        None if not len(distinct) else distinct[0] if len(distinct) == 1 else f"{len(distinct):,} different"
    )


def show_change_list(changes: pd.DataFrame, view: View) -> None:
    """Show a collapsed list of the changes marked on a chart."""
    if not changes.empty:
        with st.expander(
            f"{len(changes):,} configuration changes in this period", icon=":material/settings:"
        ):
            show_table(list_marked_changes(changes), key="changes", title="Configuration changes", view=view)


def show_device_table(frame: pd.DataFrame, view: View, *, key: str, title: str, definition: str = "") -> None:
    """Show devices as a table. The button of a row stores its device id under OPENED_DEVICE."""
    name = "device" if "device" in frame else "device_id"
    ids = [str(device_id) for device_id in frame[name]]
    shown = localize_times(frame, view.zone)
    shown.insert(0, "open", "Open")

    def store_opened() -> None:
        click = st.session_state.get(f"click-{key}")
        if click is not None and click["row"] < len(ids):
            st.session_state[OPENED_DEVICE] = ids[click["row"]]

    button = st.column_config.ButtonColumn(
        "Details", width=70, type="tertiary", on_click=store_opened, key=f"click-{key}", pinned=True
    )
    st.dataframe(
        shown, hide_index=True, placeholder="–", alt=title, key=f"table-{key}",
        column_config=build_column_config(shown) | {"open": button},
    )  # fmt: skip
    show_exports(shown.drop(columns="open"), key=key, title=title, view=view, definition=definition)


_STATUS_COLUMNS = {"too many accounts": "accounts", "low storage": "storage_free_mb"}
"""The column that a problem is read from; without any value in it the number of such devices is unknown."""


def count_by_status(devices: pd.DataFrame, statuses: Sequence[str]) -> dict[str, int | None]:
    """Count the devices with each problem: None if it is unknown. A device can have several."""
    unknown = {status for status, column in _STATUS_COLUMNS.items() if devices[column].isna().all()}
    return {
        status: None if status in unknown else sum(status in problems for problems in devices["problems"])
        for status in statuses
    }


def filter_by_status(devices: pd.DataFrame, statuses: Sequence[str]) -> pd.DataFrame:
    """Return the devices with one of these problems; all devices if none is given."""
    if statuses:
        matches = [bool(set(statuses) & set(problems)) for problems in devices["problems"]]
        devices = devices[matches].reset_index(drop=True)
    return devices.drop(columns="problems")


def open_selected_device() -> None:
    """Open the device whose button was clicked."""
    if device_id := st.session_state.pop(OPENED_DEVICE, None):
        pages.open_page("device", device=device_id)


def show_fix_table(ranked: pd.DataFrame, view: View, *, definition: str) -> str:
    """Show the ranked fixes and return the cause of the selected row (default: the first)."""
    columns = ["title", "records", "dependents", "users", "events", "last_seen", "short_fix"]
    fixes = localize_times(ranked, view.zone)[columns]
    # The short fix is shown in full beside the table; a column would cut it off.
    selection = st.dataframe(
        fixes.drop(columns="short_fix"), hide_index=True, placeholder="–",
        height=640 if len(fixes) > MAX_FULL_ROWS else "content",
        column_config=build_column_config(fixes) | FIX_COLUMNS, key="fix-table", on_select="rerun",
        selection_mode="single-row", alt="Fixes, those that free the most records first",
    )  # fmt: skip
    show_exports(fixes, key="fixes", title="Fixes", view=view, definition=definition)
    rows = [row for row in selection["selection"]["rows"] if row < len(ranked)] or [0]
    return str(ranked["cause"].iloc[rows[0]])
