"""The controls beside every page: period, time zone and filters, each bound to a parameter of the URL."""

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
# Naive UTC: from the first moment on, up to the second.
Period = tuple[datetime, datetime]


def show_sidebar(*, newest: datetime | None, options: Mapping[str, Sequence[str]]) -> View:
    """Draw the controls and work out the view; `newest` is the time of the newest data, naive UTC."""
    with st.sidebar:
        period = st.selectbox(
            "Period", list(PERIODS), index=list(PERIODS).index(DEFAULT_PERIOD),
            key="period", bind="query-params",
            help="Counted back from the newest data, so that an old export is not an empty page.",
        )  # fmt: skip
        compare = st.toggle(
            "Compare with before", value=True, key="compare", bind="query-params",
            disabled=PERIODS[period] is None, help="Beside each number, what it was in the period before.",
        )  # fmt: skip
        zone = st.selectbox(
            "Time zone", time_zones(), key="tz", bind="query-params",
            help="Moments are shown in this zone. Days of charts are UTC's; with the last choice they are those "
            "of each person's own clock, so that an evening in New York is not the next day.",
        )  # fmt: skip
        filters = _filters(options)
    view = build_view(period=period, newest=newest, zone=zone, filters=filters, compare=compare)
    st.session_state[_VIEW] = view
    return view


def current_view() -> View:
    """The view that the controls of this run gave."""
    view: View = st.session_state[_VIEW]
    return view


def time_zones() -> list[str]:
    """UTC first, the reader's own zone, some that field forces live in, and days on each person's own clock."""
    mine = st.context.timezone
    own = [mine] if mine and _is_time_zone(mine) else []
    return list(dict.fromkeys([ZONES[0], *own, *ZONES[1:], LOCAL_DAYS]))


def _filters(options: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    active = sum(bool(st.query_params.get_all(name)) for name in FILTERS)
    chosen: dict[str, list[str]] = {}
    with st.expander(
        f"Filters ({active} set)" if active else "Filters", expanded=bool(active), key="filters-box"
    ):
        for name, label in FILTERS.items():
            asked = st.query_params.get_all(name)
            known = list(dict.fromkeys([*options.get(name, ()), *asked]))
            chosen[name] = st.multiselect(
                label, known, key=name, bind="query-params", placeholder="all", accept_new_options=True
            )
    return chosen


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def show_day_picker(frame: pd.DataFrame) -> Period:
    """Draw the choice of whole days (UTC) and return its bounds; without one, the day of the steepest rise.

    `frame` has `day` and `failure_rate`.
    """
    rise = frame["failure_rate"].fillna(0).diff().fillna(0)
    worst = frame["day"].iloc[int(rise.argmax())].date()
    return _pick_days("Days to explain (UTC)", "days", worst)


BASELINES = {1: "the days just before", 3: "three times as long before", 6: "six times as long before"}
CUSTOM_DAYS = "days of my choice"
_EXPLAINED_DAYS, _BASELINE_DAYS = "explain", "compare with"
_SELECTION_TARGET = "picks"


def show_baseline_picker(since: datetime) -> int | Period:
    """Draw the choice of what the days from `since` on are compared with.

    Either how much of the time before, in lengths of the days chosen, or the bounds of days of one's own choice.
    """
    names = {name: count for count, name in BASELINES.items()}
    chosen = st.selectbox(
        "Compared with", [*names, CUSTOM_DAYS], index=len(names) - 1, key="baseline", bind="query-params",
        width=240,
    )  # fmt: skip
    if chosen != CUSTOM_DAYS:
        return names[chosen]
    before = _pick_days("Days to compare with (UTC)", "against", (since - timedelta(days=1)).date())
    st.segmented_control(
        "A click or a box on the chart chooses the days to",
        [_EXPLAINED_DAYS, _BASELINE_DAYS],
        default=_BASELINE_DAYS,
        key=_SELECTION_TARGET,
    )
    return before


def apply_chart_selection(chart_key: str) -> None:
    """Take the days that were clicked or boxed on a chart; meant as its callback."""
    picked = st.session_state[chart_key]["selection"]["points"]
    moments = sorted(pd.Timestamp(point["x"]).date() for point in picked if "x" in point)
    if moments:
        moved = (
            st.session_state.get("baseline") == CUSTOM_DAYS
            and st.session_state.get(_SELECTION_TARGET) == _BASELINE_DAYS
        )
        st.session_state["against" if moved else "days"] = (moments[0], moments[-1])


def _pick_days(label: str, key: str, otherwise: date) -> Period:
    chosen = st.date_input(label, value=(otherwise, otherwise), key=key, bind="query-params", width=260)
    first, last = (chosen[0], chosen[-1]) if isinstance(chosen, tuple) and chosen else (otherwise, otherwise)
    return datetime.combine(first, time.min), datetime.combine(last, time.min) + timedelta(days=1)
