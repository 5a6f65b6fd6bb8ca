"""Sidebar controls: period, time zone and filters, each bound to a URL parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from dashboard.view_state import FILTERS, LOCAL_DAYS, PERIODS, View, build_view

DEFAULT_PERIOD = "14 days"
ZONES = (
    "UTC", "Europe/London", "Europe/Berlin", "Europe/Madrid", "America/New_York", "America/Chicago",
    "America/Los_Angeles", "America/Sao_Paulo", "Asia/Kolkata", "Asia/Shanghai", "Asia/Tokyo",
    "Australia/Sydney",
)  # fmt: skip
_VIEW = "_view"
# Naive UTC: start inclusive, end exclusive.
Period = tuple[datetime, datetime]


def show_sidebar(*, newest: datetime | None, options: Mapping[str, Sequence[str]]) -> View:
    """Show the controls and return the view. `newest` is the time of the newest data in naive UTC."""
    with st.sidebar:
        period = st.selectbox(
            "Period", list(PERIODS), index=list(PERIODS).index(DEFAULT_PERIOD),
            key="period", bind="query-params",
            help="Counted back from the newest data, so that an old export also shows data.",
        )  # fmt: skip
        compare = st.toggle(
            "Compare with previous period", value=True, key="compare", bind="query-params",
            disabled=PERIODS[period] is None, help="Shows how each number changed since the previous period.",
        )  # fmt: skip
        zone = st.selectbox(
            "Time zone", time_zones(), key="tz", bind="query-params",
            help="Times are shown in this zone. Days on charts are UTC days. With the last option they are local "
            "days of each user, so that an evening in New York does not count as the next day.",
        )  # fmt: skip
        filters = _filters(options)
    view = build_view(period=period, newest=newest, zone=zone, filters=filters, compare=compare)
    st.session_state[_VIEW] = view
    return view


def current_view() -> View:
    """Return the view of this run."""
    view: View = st.session_state[_VIEW]
    return view


def time_zones() -> list[str]:
    """Return UTC, the browser's zone, common zones, and the option for local days."""
    browser_zone = st.context.timezone
    zones = [browser_zone] if browser_zone and _is_time_zone(browser_zone) else []
    return list(dict.fromkeys([ZONES[0], *zones, *ZONES[1:], LOCAL_DAYS]))


def _filters(options: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    active = sum(bool(st.query_params.get_all(name)) for name in FILTERS)
    filters: dict[str, list[str]] = {}
    with st.expander(
        f"Filters ({active} set)" if active else "Filters", expanded=bool(active), key="filters-box"
    ):
        for name, label in FILTERS.items():
            requested = st.query_params.get_all(name)
            values = list(dict.fromkeys([*options.get(name, ()), *requested]))
            filters[name] = st.multiselect(
                label, values, key=name, bind="query-params", placeholder="all", accept_new_options=True
            )
    return filters


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def show_day_picker(frame: pd.DataFrame) -> Period:
    """Show the picker for the days to explain and return their bounds.

    The default is the day with the steepest rise of `failure_rate` in `frame`.
    """
    rise = frame["failure_rate"].fillna(0).diff().fillna(0)
    worst = frame["day"].iloc[int(rise.argmax())].date()
    return _pick_days("Days to explain (UTC)", "days", worst)


BASELINES = {
    1: "preceding days, same length",
    3: "preceding days, 3 times as long",
    6: "preceding days, 6 times as long",
}
CUSTOM_DAYS = "selected days"
_EXPLAINED_DAYS, _BASELINE_DAYS = "explained", "baseline"
_SELECTION_TARGET = "picks"


def show_baseline_picker(since: datetime) -> int | Period:
    """Show the picker for the baseline of the days that start at `since`.

    Returns how many times the length of these days precedes them, or the bounds of selected days.
    """
    names = {name: count for count, name in BASELINES.items()}
    selected = st.selectbox(
        "Baseline", [*names, CUSTOM_DAYS], index=len(names) - 1, key="baseline", bind="query-params",
        width=240,
    )  # fmt: skip
    if selected != CUSTOM_DAYS:
        return names[selected]
    period = _pick_days("Baseline days (UTC)", "against", (since - timedelta(days=1)).date())
    st.segmented_control(
        "A selection on the chart sets the days",
        [_EXPLAINED_DAYS, _BASELINE_DAYS],
        default=_BASELINE_DAYS,
        key=_SELECTION_TARGET,
    )
    return period


def apply_chart_selection(chart_key: str) -> None:
    """Apply the days selected on a chart, as a callback."""
    points = st.session_state[chart_key]["selection"]["points"]
    days = sorted(pd.Timestamp(point["x"]).date() for point in points if "x" in point)
    if days:
        sets_baseline = (
            st.session_state.get("baseline") == CUSTOM_DAYS
            and st.session_state.get(_SELECTION_TARGET) == _BASELINE_DAYS
        )
        st.session_state["against" if sets_baseline else "days"] = (days[0], days[-1])


def _pick_days(label: str, key: str, default: date) -> Period:
    selected = st.date_input(label, value=(default, default), key=key, bind="query-params", width=260)
    first, last = (
        (selected[0], selected[-1]) if isinstance(selected, tuple) and selected else (default, default)
    )
    return datetime.combine(first, time.min), datetime.combine(last, time.min) + timedelta(days=1)
