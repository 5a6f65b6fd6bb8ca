"""Why syncs failed more on some days than on others: the attributes that explain it, best first."""

from __future__ import annotations

import streamlit as st

from analysis import METRICS, charts, measure
from analysis.diagnosis.explain.questions import explain_period
from dashboard import controls, data, explanations, widgets

view = controls.current_view()
widgets.show_heading(
    "Explain", "Why did more syncs fail on these days than on the days they are compared with?"
)
metric = METRICS["failures_by_day"]
days = data.fetch(measure, metric.name, **view.arguments())
if days.empty:
    widgets.show_empty("syncs", view, healthy="No tracked sync in this period.")
    st.stop()

widgets.show_section(
    "Choose the days to explain", help="Click a point, drag a box over several, or type them below."
)
drawn = st.container()
with st.container(horizontal=True, vertical_alignment="bottom"):
    since, until = controls.show_day_picker(days)
    against = controls.show_baseline_picker(since)
figure = charts.rate_over_time(
    days, rate="failure_rate", name="failed", changes=data.fetch_config_changes(view)
)
explanations.shade_periods(figure, days, (since, until), against)
with drawn:
    widgets.show_chart(
        figure, days, key="explain-days", title="Share of tracked syncs that failed, by day (UTC)", view=view,
        about=metric.description, on_select=controls.apply_chart_selection,
    )  # fmt: skip
with st.spinner("Looking at every combination of attributes …", show_time=True):
    found = data.fetch(explain_period, since, until, baseline=against, **view.filter_arguments())
widgets.show_section("What explains it", help=explanations.PERIOD_HELP)
explanations.show_period_explanations(found, view)
