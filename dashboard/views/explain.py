"""Attributes that explain why more syncs failed on some days than in the baseline."""

from __future__ import annotations

import streamlit as st

from analysis import METRICS, charts, measure
from analysis.diagnosis.explain.questions import explain_period
from dashboard import controls, data, explanations, widgets

view = controls.current_view()
widgets.show_heading("Explain", "Why more syncs failed on some days than in the baseline.")
metric = METRICS["failures_by_day"]
days = data.fetch(measure, metric.name, **view.arguments())
if days.empty:
    widgets.show_empty("syncs", view, healthy="No tracked syncs in this period.")
    st.stop()

widgets.show_section(
    "Days to explain", help="Click a point, drag a box over several days, or enter dates below."
)
chart_container = st.container()
with st.container(horizontal=True, vertical_alignment="bottom"):
    since, until = controls.show_day_picker(days)
    baseline = controls.show_baseline_picker(since)
figure = charts.rate_over_time(
    days, rate="failure_rate", name="failed", changes=data.fetch_config_changes(view)
)
explanations.shade_periods(figure, days, (since, until), baseline)
with chart_container:
    widgets.show_chart(
        figure, days, key="explain-days", title="Failure rate of tracked syncs by day (UTC)", view=view,
        definition=metric.description, on_select=controls.apply_chart_selection,
    )  # fmt: skip
with st.spinner("Comparing all combinations of attributes …", show_time=True):
    period_explanations = data.fetch(
        explain_period, since, until, baseline=baseline, **view.filter_arguments()
    )
widgets.show_section("Explanations", help=explanations.PERIOD_HELP)
explanations.show_period_explanations(period_explanations, view)
