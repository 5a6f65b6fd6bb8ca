"""Pieces that every page is made of: numbers with their change, charts with their table, empty pages."""

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

REVIEW_LOOKS_SECONDS = 5.0
OLD = "Nothing newer than two days is loaded. `synclens pull` or `synclens load FILE` brings what came since."
STALE_HOURS = 48
# No camera either: the picture with its header is beside the table.
CHART_TOOLS = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d", "toImage"],
}


def show_heading(title: str, note: str = "") -> None:
    """The title of a page with one quiet line under it."""
    with st.container(gap="xxsmall"):
        st.title(title, anchor=False)
        if note:
            st.caption(note)


def show_section(title: str, *, help: str | None = None) -> None:
    """A heading inside a page."""
    st.header(title, anchor=False, help=help)


def wide_and_narrow_columns() -> tuple[DeltaGenerator, DeltaGenerator]:
    """A wide column and a narrow one; on a tablet the narrow one, with what to do, comes first."""
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
    about: str = "",
    columns: Mapping[str, Any] | None = None,
    on_select: Callable[[str], None] | None = None,
) -> None:
    """A figure, and beside it, drawn once somebody opens it, the same as a table, as files and as a picture.

    `on_select` is called with the key of the chart when somebody clicks points or drags a box over them.
    """
    name, alt = f"chart-{key}", f"{title}. {about}".strip()
    if on_select is None:
        st.plotly_chart(figure, key=name, config=CHART_TOOLS, alt=alt)
    else:
        figure.update_layout(dragmode="select", selectdirection="h")
        st.plotly_chart(
            figure, key=name, config=CHART_TOOLS, alt=alt, on_select=partial(on_select, name),
            selection_mode=("points", "box"),
        )  # fmt: skip
    twin = st.popover(
        "Table and files", type="tertiary", icon=":material/table_rows:", key=f"twin-{key}", on_change="rerun"
    )
    if twin.open:
        with twin:
            show_table(frame, key=key, title=title, view=view, about=about, columns=columns)
            chart_export.show_chart_image(figure, key=key, title=title, about=about, view=view)


def show_table(
    frame: pd.DataFrame,
    *,
    key: str,
    title: str,
    view: View,
    about: str = "",
    columns: Mapping[str, Any] | None = None,
    height: int | None = None,
) -> None:
    """A table of text and numbers, as they are, with its exports."""
    shown = localize_times(frame, view.zone)
    st.dataframe(
        round_shares(shown),
        hide_index=True,
        column_config=build_column_config(shown) | dict(columns or {}),
        height=height or "auto",
        placeholder="–",
        alt=title,
    )
    show_exports(shown, key=key, title=title, view=view, about=about)


def show_exports(frame: pd.DataFrame, *, key: str, title: str, view: View, about: str = "") -> None:
    """Buttons that save what is shown as CSV or JSON."""
    words = {"title": title, "about": about, "view": view.describe()}
    with st.container(horizontal=True, gap="small"):
        st.download_button(
            "CSV", lambda: to_csv(frame, **words), file_name=f"synclens-{key}.csv", mime="text/csv",
            key=f"csv-{key}", type="tertiary", icon=":material/download:", on_click="ignore",
        )  # fmt: skip
        st.download_button(
            "JSON", lambda: to_json(frame, **words), file_name=f"synclens-{key}.json",
            mime="application/json", key=f"json-{key}", type="tertiary", icon=":material/download:",
            on_click="ignore",
        )  # fmt: skip


def localize_times(frame: pd.DataFrame, zone: str) -> pd.DataFrame:
    """Copy a frame with its naive UTC times moved to `zone`, and with people hidden from whom they are hidden."""
    copy = auth.mask_names(frame)
    for column in copy.columns:
        if pd.api.types.is_datetime64_dtype(copy[column]):
            copy[column] = copy[column].dt.tz_localize("UTC").dt.tz_convert(zone).dt.tz_localize(None)
    return copy


def format_time(value: datetime | None, zone: str, *, form: str = "%d %b %H:%M") -> str:
    """One naive UTC time as text in `zone`, a dash where nobody knows it."""
    if value is None or pd.isna(value):
        return "–"
    return f"{pd.Timestamp(value).tz_localize('UTC').tz_convert(zone):{form}}"


def show_device_text(text: object) -> None:
    """Text from a device, shown letter by letter: no HTML, no Markdown."""
    st.code(str(text), language=None, wrap_lines=True)


def show_row_limit(shown: int, of: int, what: str, command: str = "") -> None:
    """Say that a table is not all there is, and which command shows the rest."""
    if shown < of:
        more = f" `{command}` shows all." if command else ""
        st.caption(f"The newest {shown:,} of {of:,} {what}.{more}")


def show_no_data() -> None:
    """What a page says over a store without rows."""
    st.info(
        "There is no data yet. Load an export, or simulate a fleet to look around:", icon=":material/inbox:"
    )
    st.code("synclens load FILE...\nsynclens simulate --seed 7 --devices 60 --days 14", language="bash")


def show_not_loaded(told: str, command: str) -> None:
    """Say that nobody knows, because nothing of that kind is loaded, and which command would load some."""
    st.info(told, icon=":material/inbox:")
    st.code(command, language="bash")


def show_empty(what: str, view: View, *, healthy: str | None = None) -> None:
    """Say why a list is empty: kept out by the filters, or nothing is wrong."""
    if view.has_filters() or (view.since is not None and healthy is None):
        st.info(f"No {what} match this view ({escape(view.describe())}).", icon=":material/filter_alt_off:")
        st.button("Show everything", on_click=clear_filters, key=f"clear-{what}")
    else:
        st.success(healthy or f"There are no {what}.", icon=":material/check_circle:")


def clear_filters() -> None:
    """Forget every filter and show the whole period; meant as a callback."""
    for name in FILTERS:
        st.session_state[name] = []
    st.session_state["period"] = ALL_TIME


def show_footer(newest: datetime | None) -> None:
    """Which store is shown and how old its newest data is, at the foot of the sidebar."""
    with st.sidebar:
        age = (
            "no data yet"
            if newest is None
            else f"newest data {newest:%d %b %Y %H:%M} UTC, {format_age(newest)}"
        )
        st.caption(f"{escape(store_path().name)} · {age}")
        if newest is not None and hours_since(newest) >= STALE_HOURS:
            st.badge("Old data", icon=":material/history:", color="orange", help=OLD)
        if auth.is_sign_in_configured():
            st.caption(f"{escape(auth.user_name() or 'signed in')}, {auth.current_role()}")
            st.button("Sign out", type="tertiary", icon=":material/logout:", on_click=st.logout)


def show_review_note(is_running: Callable[[], bool]) -> None:
    """Say that states are still being worked out, and draw the page again when they are."""

    @st.fragment(run_every=REVIEW_LOOKS_SECONDS)
    def look() -> None:
        if is_running():
            st.caption("States of issues are being brought up to date after a load …")
        else:
            st.rerun()

    with st.sidebar:
        look()


def format_age(at: datetime) -> str:
    """How long ago a naive UTC time was, in words."""
    hours = hours_since(at)
    if hours < 1:
        return "within the last hour"
    return f"{hours:.0f} h ago" if hours < 48 else f"{hours // 24:,.0f} days ago"


def hours_since(at: datetime) -> float:
    """Whole hours since a naive UTC time."""
    return (now().replace(tzinfo=None) - at).total_seconds() // 3600


def show_stale_note() -> None:
    """Say that a load is running and that what is shown is from before it."""
    st.info(
        "A load is writing to the store. You see the data from before it began.", icon=":material/hourglass:"
    )


def show_not_in_view(error: Exception, view: View) -> None:
    """An issue or device that the filters keep out, or that does not exist."""
    st.info(
        f"Nothing of it in this view ({escape(view.describe())}). Widen the period or clear the filters; "
        f"if that does not help: {escape(error)}.",
        icon=":material/filter_alt_off:",
    )
    st.button("Show everything", on_click=clear_filters, key="clear-view")
