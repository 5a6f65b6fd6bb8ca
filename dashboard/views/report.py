"""Accuracy of the classified causes on simulated errors, whose true cause is known."""

from __future__ import annotations

import streamlit as st

from analysis import AnalysisError, charts
from analysis.evaluation.scores import build_report_card
from dashboard import cards, controls, data, tables, widgets
from dashboard.escaping import escape

PER_CAUSE_HELP = "Precision, recall and F1 of each cause, on all events with a known true cause."
view = controls.current_view()
widgets.show_heading("Report card", "Accuracy of causes on simulated errors, over all time.")
try:
    with st.spinner("Scoring all events with a known true cause …", show_time=True):
        card = data.fetch(build_report_card)
except AnalysisError as error:
    st.info(f"{escape(error)}. {escape(error.next_step)}", icon=":material/school:")
    st.stop()

with st.grid(6, min_column_width=165, border=True):
    st.metric("Scored events", cards.format_count(card.events))
    st.metric("Accuracy", cards.format_share(card.accuracy))
    st.metric(
        "Macro F1",
        cards.format_share(card.macro_f1),
        help="Mean F1 over causes; rare causes count as much as frequent ones.",
    )
    st.metric("Classified", cards.format_share(card.coverage), help="Other events are unknown.")
    st.metric("Accuracy of classified", cards.format_share(card.accuracy_if_assigned))
    st.metric(
        "Calibration error", cards.format_share(card.calibration_error),
        help="Mean difference between the confidence and the share of correct causes.",
    )  # fmt: skip

left, right = st.columns([3, 2], gap="large")
with left:
    widgets.show_section("By cause", help=PER_CAUSE_HELP)
    widgets.show_table(
        tables.add_cause_titles(card.per_cause),
        key="per-cause",
        title="Report card by cause",
        view=view,
        height=500,
    )
with right:
    widgets.show_section("Most frequent mistakes")
    if card.confused.empty:
        st.success("No mistakes in these events.", icon=":material/check_circle:")
    else:
        mistakes = tables.add_cause_titles(card.confused, "truth", "cause")
        widgets.show_table(mistakes, key="confused", title="Most frequent mistakes", view=view)
    widgets.show_section(
        "Error rate by share of classified events",
        help="Events are added in order of confidence, highest first.",
    )
    widgets.show_chart(
        charts.steps(card.risk, at="coverage", value="risk"),
        card.risk, key="risk-coverage", title="Error rate by share of classified events", view=view,
    )  # fmt: skip
    st.caption("Horizontal: share of events with a cause. Vertical: share of these causes that is wrong.")
