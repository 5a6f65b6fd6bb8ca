"""Elements shared by all pages: headings, charts with their table, exports, notes, empty states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st
from plotly.graph_objs._figure import Figure
from streamlit.delta_generator import DeltaGenerator

from dashboard import auth, chart_export
from dashboard.clock import now
from dashboard.column_config import build_column_config, round_shares
from dashboard.escaping import escape
from dashboard.export import to_csv, to_json
from dashboard.launcher import store_path
from dashboard.view_state import ALL_TIME, FILTERS, View

REVIEW_CHECK_SECONDS = 5.0
OLD_DATA_HELP = (
    "The newest data is older than two days. Load newer data with `synclens pull` or `synclens load FILE`."
)
STALE_HOURS = 48
# No image button here: the image with its header is beside the table.
CHART_TOOLS = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d", "toImage"],
}


def show_heading(title: str, note: str = "") -> None:
    """Show the title of a page with a caption."""
    with st.container(gap="xxsmall"):
        st.title(title, anchor=False)
        if note:
            st.caption(note)


def show_section(title: str, *, help: str | None = None) -> None:
    """Show the heading of a section."""
    st.header(title, anchor=False, help=help)


def wide_and_narrow_columns() -> tuple[DeltaGenerator, DeltaGenerator]:
    """Return a wide and a narrow column. On a tablet, the narrow one comes first."""
    with st.container(key="aside-first"):
        wide, narrow = st.columns([3, 2], gap="large")
    return wide, narrow


def show_chart(
    figure: Figure,
    frame: pd.DataFrame,
    *,
    key: str,
    title: str,
    view: View,
    definition: str = "",
    columns: Mapping[str, Any] | None = None,
    on_select: Callable[[str], None] | None = None,
) -> None:
    """Show a chart, with a popover that has its data as a table, as files and as an image.

    `on_select` is called with the key of the chart when points are clicked or selected with a box.
    """
    name, alt = f"chart-{key}", f"{title}. {definition}".strip()
    if on_select is None:
        st.plotly_chart(figure, key=name, config=CHART_TOOLS, alt=alt)
    else:
        figure.update_layout(dragmode="select", selectdirection="h")
        st.plotly_chart(
            figure, key=name, config=CHART_TOOLS, alt=alt, on_select=partial(on_select, name),
            selection_mode=("points", "box"),
        )  # fmt: skip
    popover = st.popover(
        "Table and files", type="tertiary", icon=":material/table_rows:", key=f"data-{key}", on_change="rerun"
    )
    if popover.open:
        with popover:
            show_table(frame, key=key, title=title, view=view, definition=definition, columns=columns)
            chart_export.show_chart_image(figure, key=key, title=title, definition=definition, view=view)


def show_table(
    frame: pd.DataFrame,
    *,
    key: str,
    title: str,
    view: View,
    definition: str = "",
    columns: Mapping[str, Any] | None = None,
    height: int | None = None,
) -> None:
    """Show a frame as a table with export buttons."""
    shown = localize_times(frame, view.zone)
    st.dataframe(
        round_shares(shown),
        hide_index=True,
        column_config=build_column_config(shown) | dict(columns or {}),
        height=height or "auto",
        placeholder="–",
        alt=title,
    )
    show_exports(shown, key=key, title=title, view=view, definition=definition)


def show_exports(frame: pd.DataFrame, *, key: str, title: str, view: View, definition: str = "") -> None:
    """Show buttons that export the frame as CSV or JSON."""
    header = {"title": title, "definition": definition, "view": view.describe()}
    with st.container(horizontal=True, gap="small"):
        st.download_button(
            "CSV", lambda: to_csv(frame, **header), file_name=f"synclens-{key}.csv", mime="text/csv",
            key=f"csv-{key}", type="tertiary", icon=":material/download:", on_click="ignore",
        )  # fmt: skip
        st.download_button(
            "JSON", lambda: to_json(frame, **header), file_name=f"synclens-{key}.json",
            mime="application/json", key=f"json-{key}", type="tertiary", icon=":material/download:",
            on_click="ignore",
        )  # fmt: skip


def localize_times(frame: pd.DataFrame, zone: str) -> pd.DataFrame:
    """Return a copy with naive UTC times converted to `zone`, and names masked if required."""
    copy = auth.mask_names(frame)
    for column in copy.columns:
        if pd.api.types.is_datetime64_dtype(copy[column]):
            copy[column] = copy[column].dt.tz_localize("UTC").dt.tz_convert(zone).dt.tz_localize(None)
    return copy


def format_time(value: datetime | None, zone: str, *, pattern: str = "%d %b %H:%M") -> str:
    """Return a naive UTC time as text in `zone`; a dash if it is unknown."""
    if value is None or pd.isna(value):
        return "–"
    return f"{pd.Timestamp(value).tz_localize('UTC').tz_convert(zone):{pattern}}"


def show_device_text(text: object) -> None:
    """Show text from a device literally, without HTML or Markdown."""
    st.code(str(text), language=None, wrap_lines=True)


def show_row_limit(shown: int, total: int, plural: str, command: str = "") -> None:
    """Show that a table has only the newest rows, and the command that lists all."""
    if shown < total:
        hint = f" List all with `{command}`." if command else ""
        st.caption(f"Showing the newest {shown:,} of {total:,} {plural}.{hint}")


def show_no_data() -> None:
    """Show how to load data into an empty store."""
    st.info(
        "There is no data yet. Load an export, or simulate a fleet to try the dashboard:",
        icon=":material/inbox:",
    )
    st.code("synclens load FILE...\nsynclens simulate --seed 7 --devices 60 --days 14", language="bash")


def show_not_loaded(message: str, command: str) -> None:
    """Show that data of some kind is missing, and the command that loads it."""
    st.info(message, icon=":material/inbox:")
    st.code(command, language="bash")


def show_empty(plural: str, view: View, *, healthy: str | None = None) -> None:
    """Show why a list is empty: the filters match nothing, or there is no problem."""
    if view.has_filters() or (view.since is not None and healthy is None):
        st.info(f"No {plural} match this view ({escape(view.describe())}).", icon=":material/filter_alt_off:")
        st.button("Clear filters", on_click=clear_filters, key=f"clear-{plural}")
    else:
        st.success(healthy or f"There are no {plural}.", icon=":material/check_circle:")


def clear_filters() -> None:
    """Clear all filters and select all time, as a callback."""
    for name in FILTERS:
        st.session_state[name] = []
    st.session_state["period"] = ALL_TIME


def show_footer(newest: datetime | None) -> None:
    """Show the store, the age of its newest data and the signed-in user at the bottom of the sidebar."""
    with st.sidebar:
        age = (
            "no data yet"
            if newest is None
            else f"newest data {newest:%d %b %Y %H:%M} UTC, {format_age(newest)}"
        )
        st.caption(f"{escape(store_path().name)} · {age}")
        if newest is not None and hours_since(newest) >= STALE_HOURS:
            st.badge("Old data", icon=":material/history:", color="orange", help=OLD_DATA_HELP)
        if auth.is_sign_in_configured():
            st.caption(f"{escape(auth.user_name() or 'signed in')}, {auth.current_role()}")
            st.button("Sign out", type="tertiary", icon=":material/logout:", on_click=st.logout)


def show_review_note(is_running: Callable[[], bool]) -> None:
    """Show that the review of issue states is running, and rerun the page when it ends."""

    @st.fragment(run_every=REVIEW_CHECK_SECONDS)
    def check() -> None:
        if is_running():
            st.caption("Updating issue states after a load …")
        else:
            st.rerun()

    with st.sidebar:
        check()


def format_age(at: datetime) -> str:
    """Return the age of a naive UTC time as text."""
    hours = hours_since(at)
    if hours < 1:
        return "within the last hour"
    return f"{hours:.0f} h ago" if hours < 48 else f"{hours // 24:,.0f} days ago"


def hours_since(at: datetime) -> float:
    """Return the whole hours since a naive UTC time."""
    return (now().replace(tzinfo=None) - at).total_seconds() // 3600


def show_stale_note() -> None:
    """Show that a load is running and the page has the data from before it."""
    st.info(
        "A load is writing to the store. This page shows the data from before the load.",
        icon=":material/hourglass:",
    )


def show_not_in_view(error: Exception, view: View) -> None:
    """Show that an issue or device does not exist or is excluded by the filters."""
    st.info(
        f"No data in this view ({escape(view.describe())}). Choose a longer period or clear the filters. "
        f"Details: {escape(error)}.",
        icon=":material/filter_alt_off:",
    )
    st.button("Clear filters", on_click=clear_filters, key="clear-view")
