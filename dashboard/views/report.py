"""How right the causes are, where the truth is known: on simulated events."""

from __future__ import annotations

import streamlit as st

from analysis import AnalysisError, charts
from analysis.evaluation.scores import build_report_card
from dashboard import cards, controls, data, tables, widgets
from dashboard.escaping import escape

ABOUT = "Accuracy counts every event; the others say how sure, how often and how honestly a cause is given."
view = controls.current_view()
widgets.show_heading(
    "Report card", "How right the causes are, where the truth is known: on simulated events, of all time."
)
try:
    with st.spinner("Scoring every event whose truth is known …", show_time=True):
        card = data.fetch(build_report_card)
except AnalysisError as error:
    st.info(f"{escape(error)}. {escape(error.next_step)}", icon=":material/school:")
    st.stop()

with st.grid(6, min_column_width=165, border=True):
    st.metric("Events with known truth", cards.format_count(card.events))
    st.metric("Right", cards.format_share(card.accuracy))
    st.metric(
        "Macro F1",
        cards.format_share(card.macro_f1),
        help="The mean over causes, so that rare ones count as much.",
    )
    st.metric("Got a cause", cards.format_share(card.coverage), help="The rest is called unknown.")
    st.metric("Right where given", cards.format_share(card.accuracy_where_given))
    st.metric(
        "Calibration error", cards.format_share(card.calibration_error),
        help="Mean distance between the confidence that is stated and the share that is right.",
    )  # fmt: skip

left, right = st.columns([3, 2], gap="large")
with left:
    widgets.show_section("By cause", help=ABOUT)
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
        st.success("No mistake in these events.", icon=":material/check_circle:")
    else:
        mistakes = tables.add_cause_titles(card.confused, "truth", "cause")
        widgets.show_table(mistakes, key="confused", title="Most frequent mistakes", view=view)
    widgets.show_section(
        "What leaving out unsure answers would gain", help="From the most confident answers on."
    )
    widgets.show_chart(
        charts.steps(card.risk, at="coverage", value="risk"),
        card.risk, key="risk-coverage", title="Share wrong by share answered", view=view,
    )  # fmt: skip
    st.caption("Across: the share of events that get an answer. Upwards: the share of those that is wrong.")
