"""One issue: what it is, whom it hits, why we think so, and the fix beside it."""

from __future__ import annotations

import streamlit as st

from analysis import AnalysisError, figures
from analysis.changes import suspects
from analysis.levers import levers
from dashboard import controls, data, decisions, different, evidence, pages, parts, rehearsal, shapes

view = controls.current()
issue_id = pages.selected("issue")
if issue_id is None:
    parts.heading("Issue")
    st.info("Choose an issue from the list.", icon=":material/touch_app:")
    pages.link("issues", "All issues", icon=":material/arrow_back:")
    st.stop()
try:
    issue = data.issue(issue_id, view)
except AnalysisError as error:
    parts.heading("Issue")
    decisions.lead_to_merged(issue_id)
    parts.not_in_view(error, view)
    pages.link("issues", "All issues", icon=":material/arrow_back:")
    st.stop()

about = issue.summary
pages.link("issues", "All issues", icon=":material/arrow_back:")
shapes.issue_heading(about, issue_id)
parts.device_text(about["title"])
shapes.issue_cards(about, view)

story, remedy = parts.beside()
with story:
    parts.section("When", help=f"Errors of this issue a day ({view.days_of}), suspected changes marked.")
    with st.spinner("Holding every change against the beginning …", show_time=True):
        suspected = data.ask(suspects, issue_id)
    days = data.days_of_issue(issue, view)
    parts.chart(
        figures.counts_over_time(days, changes=evidence.to_mark(suspected)),
        days, key="issue-days", title=f"Errors by day ({view.days_of})", view=view,
        about="Errors of this issue; a day without any is a zero.",
    )  # fmt: skip
    evidence.suspected(suspected, view)
    different.of_issue(issue_id, view)
    evidence.tabs(issue, view)
with remedy:
    evidence.fix(issue_id, about["cause"])
    rehearsal.box(issue_id, view)
    evidence.why(issue)
    decisions.box(issue_id, about, issue.variants, view)
    evidence.levers(data.ask(levers, issue_id=issue_id), view)
