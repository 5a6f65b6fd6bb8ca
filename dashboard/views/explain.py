"""Why syncs failed more on some days than on others: the attributes that explain it, best first."""

from __future__ import annotations

import streamlit as st

from analysis import METRICS, figures, measure
from analysis.differences import explain_period
from dashboard import controls, data, different, parts

view = controls.current()
parts.heading("Explain", "Why did more syncs fail on these days than on the days they are compared with?")
metric = METRICS["failures_by_day"]
days = data.ask(measure, metric.name, **view.arguments())
if days.empty:
    parts.nothing("syncs", view, healthy="No tracked sync in this period.")
    st.stop()

parts.section(
    "Choose the days to explain", help="Click a point, drag a box over several, or type them below."
)
drawn = st.container()
with st.container(horizontal=True, vertical_alignment="bottom"):
    since, until = controls.days(days)
    against = controls.baseline(since)
figure = figures.rate_over_time(days, rate="failure_rate", name="failed", changes=data.changes(view))
different.mark_periods(figure, days, (since, until), against)
with drawn:
    parts.chart(
        figure, days, key="explain-days", title="Share of tracked syncs that failed, by day (UTC)", view=view,
        about=metric.about, on_select=controls.choose_days,
    )  # fmt: skip
with st.spinner("Looking at every combination of attributes …", show_time=True):
    found = data.ask(explain_period, since, until, baseline=against, **view.of_filters())
parts.section("What explains it", help=different.ABOUT_PERIODS)
different.draw_period(found, view)
