"""Sync-failure issues on the pages: their assessment, and lists that are empty although syncs fail."""

from __future__ import annotations

import streamlit as st

from analysis import assess_sync_failure, health
from analysis.base.text import pluralize
from analysis.fixes.assessment_text import describe_open_causes
from analysis.issues.loaded_data import read_loaded_data
from dashboard import data, widgets
from dashboard.escaping import escape
from dashboard.view_state import View


def show_no_issues(plural: str, view: View, *, healthy: str) -> None:
    """Show why a list of issues or errors is empty, and never "fine" over failed syncs or unknown errors."""
    loaded, current = data.fetch(read_loaded_data), data.fetch(health, **view.arguments())
    failing = max(current.bad, current.failed_without_issue)
    if view.has_filters() or (loaded.errors and not failing):
        widgets.show_empty(plural, view, healthy=healthy)
        return
    if failing:
        failures = f"{pluralize(failing, 'sync')} of {current.syncs:,} failed or had refused records"
        st.warning(
            f"No {plural} in this period, but {failures}."
            if loaded.errors
            else f"{failures}. No error events are loaded, so the {plural} and their causes are unknown.",
            icon=":material/help:",
        )
    elif current.syncs:
        st.info(
            f"None of {pluralize(current.syncs, 'tracked sync')} failed in this period. No error events are loaded, "
            "so errors of Autosync, which is not tracked, are unknown.",
            icon=":material/info:",
        )
    else:
        st.info("No syncs and no errors are loaded for this period.", icon=":material/help:")


def show_assessment(issue_id: str) -> None:
    """Show what is excluded, what is open, and which data to get next for a sync-failure issue."""
    assessment = data.fetch(assess_sync_failure, issue_id)
    if assessment is None:
        return
    widgets.show_section(
        "Get next", help="Ranked by how many of the possible causes each confirms or excludes."
    )
    with st.container(border=True, key="next-data"):
        for rank, datum in enumerate(assessment.next_data, start=1):
            decided = f"decides {len(datum.causes)} of {len(assessment.open_causes)} possible causes"
            st.markdown(f"{rank}. **{escape(datum.title, 200)}** ({decided})  \n{datum.get}.")
    widgets.show_section("Excluded", help="What these syncs and the other syncs of the same hours show.")
    with st.container(border=True, key="excluded"):
        if not assessment.excluded:
            st.markdown("Nothing can be excluded from tracking alone.")
        for item in assessment.excluded:
            st.markdown(f"- **{escape(item.what)}**. {escape(item.evidence, 400)}")
    widgets.show_section("Open")
    with st.container(border=True, key="open-questions"):
        for question in assessment.open_questions:
            st.markdown(f"- {escape(question, 400)}")
        st.markdown(f"- Possible causes: {escape(describe_open_causes(assessment), 600)}.")
