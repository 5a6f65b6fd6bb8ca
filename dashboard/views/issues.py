"""The list of issues: search, sort and triage."""

from __future__ import annotations

import streamlit as st

from analysis import AnalysisError
from dashboard import (
    cards,
    controls,
    data,
    issue_actions,
    merge_preview,
    pages,
    sync_failures,
    tables,
    widgets,
)
from dashboard.escaping import escape

view = controls.current_view()
widgets.show_heading("Issues", cards.format_period(view))

query = st.text_input(
    "Search", key="q", bind="query-params", type="search", label_visibility="collapsed",
    placeholder='Search: cause:network  -object:account__v  users>=3  is:escalating  "lost connection"',
)  # fmt: skip
tables.show_search_presets(query)
try:
    issues = data.fetch_issues(view, query)
except AnalysisError as error:
    st.error(f"{escape(error)}. {escape(error.next_step)}", icon=":material/search_off:")
    st.stop()

if issues.empty and query:
    st.info("No issue matches this search.", icon=":material/search_off:")
elif issues.empty:
    sync_failures.show_no_issues("issues", view, healthy="No errors in this period.")
else:
    selected_ids = tables.show_issue_table(issues, view)
    issue_actions.show_bulk_actions(selected_ids, lambda: merge_preview.show_merge_button(selected_ids, view))
    widgets.show_exports(widgets.localize_times(issues, view.zone), key="issues", title="Issues", view=view)
if issue_id := st.session_state.pop(tables.OPENED_ISSUE, None):
    pages.open_page("issue", issue=issue_id)
