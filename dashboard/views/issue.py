"""One issue: affected users, start, suspect changes, cause, fix and recovery actions."""

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
    sync_failures,
    widgets,
)

view = controls.current_view()
issue_id = pages.selected_id("issue")
if issue_id is None:
    widgets.show_heading("Issue")
    st.info("Select an issue from the list.", icon=":material/touch_app:")
    pages.show_link("issues", "All issues", icon=":material/arrow_back:")
    st.stop()
try:
    issue = data.fetch_issue(issue_id, view)
except AnalysisError as error:
    widgets.show_heading("Issue")
    issue_decisions.show_merge_links(issue_id)
    widgets.show_not_in_view(error, view)
    pages.show_link("issues", "All issues", icon=":material/arrow_back:")
    st.stop()

summary = issue.summary
noun = "Errors" if summary.failure_kind is None else "Syncs"
pages.show_link("issues", "All issues", icon=":material/arrow_back:")
cards.show_issue_heading(summary, issue_id)
widgets.show_device_text(summary.title)
cards.show_issue_cards(summary, view)

history_column, fix_column = widgets.wide_and_narrow_columns()
with history_column:
    widgets.show_section(
        f"{noun} per day", help=f"{noun} of this issue per day ({view.day_basis}), with suspect changes."
    )
    with st.spinner("Comparing configuration changes with the start of the issue …", show_time=True):
        suspected = data.fetch(suspects, issue_id)
    days = data.count_issue_days(issue, view)
    widgets.show_chart(
        charts.counts_over_time(days, changes=issue_panels.suspect_marks(suspected)),
        days, key="issue-days", title=f"{noun} by day ({view.day_basis})", view=view,
        definition=f"{noun} of this issue; days without any are zero.",
    )  # fmt: skip
    issue_panels.show_suspect_changes(issue_id, suspected, view)
    explanations.show_issue_explanations(issue_id, view)
    issue_panels.show_tabs(issue, view)
with fix_column:
    if summary.failure_kind is None:
        issue_panels.show_fix(issue_id, summary.cause)
        rehearsal_panel.show_rehearsal(issue_id, view)
        issue_panels.show_cause_reason(issue)
    else:
        sync_failures.show_assessment(issue_id)
    issue_decisions.show_decisions(issue_id, summary, issue.variants, view)
    issue_panels.show_recovery_actions(data.fetch(recovery_actions, issue_id=issue_id), view)
