"""One issue: what it is, whom it hits, why we think so, and the fix beside it."""

from __future__ import annotations

import streamlit as st

from analysis import AnalysisError, charts
from analysis.diagnosis.suspect_changes import suspects
from analysis.fixes.recovery_actions import recovery_actions
from dashboard import (
    cards,
    controls,
    data,
    explanations,
    issue_decisions,
    issue_panels,
    pages,
    rehearsal_panel,
    widgets,
)

view = controls.current()
issue_id = pages.selected("issue")
if issue_id is None:
    widgets.heading("Issue")
    st.info("Choose an issue from the list.", icon=":material/touch_app:")
    pages.link("issues", "All issues", icon=":material/arrow_back:")
    st.stop()
try:
    issue = data.issue(issue_id, view)
except AnalysisError as error:
    widgets.heading("Issue")
    issue_decisions.lead_to_merged(issue_id)
    widgets.not_in_view(error, view)
    pages.link("issues", "All issues", icon=":material/arrow_back:")
    st.stop()

about = issue.summary
pages.link("issues", "All issues", icon=":material/arrow_back:")
cards.issue_heading(about, issue_id)
widgets.device_text(about["title"])
cards.issue_cards(about, view)

story, remedy = widgets.beside()
with story:
    widgets.section("When", help=f"Errors of this issue a day ({view.days_of}), suspected changes marked.")
    with st.spinner("Holding every change against the beginning …", show_time=True):
        suspected = data.ask(suspects, issue_id)
    days = data.days_of_issue(issue, view)
    widgets.chart(
        charts.counts_over_time(days, changes=issue_panels.to_mark(suspected)),
        days, key="issue-days", title=f"Errors by day ({view.days_of})", view=view,
        about="Errors of this issue; a day without any is a zero.",
    )  # fmt: skip
    issue_panels.suspected(suspected, view)
    explanations.of_issue(issue_id, view)
    issue_panels.tabs(issue, view)
with remedy:
    issue_panels.fix(issue_id, about["cause"])
    rehearsal_panel.box(issue_id, view)
    issue_panels.why(issue)
    issue_decisions.box(issue_id, about, issue.variants, view)
    issue_panels.levers(data.ask(recovery_actions, issue_id=issue_id), view)
