"""The triage list: every issue of the view, searched, sorted, and dealt with."""

from __future__ import annotations

import streamlit as st

from analysis import AnalysisError
from dashboard import cards, controls, data, issue_actions, merge_preview, pages, tables, widgets
from dashboard.escaping import escape

view = controls.current()
widgets.heading("Issues", cards.period_line(view))

query = st.text_input(
    "Search", key="q", bind="query-params", type="search", label_visibility="collapsed",
    placeholder='Search: cause:network  -object:account__v  users>=3  is:escalating  "lost connection"',
)  # fmt: skip
tables.known_views(query)
try:
    issues = data.issues(view, query)
except AnalysisError as error:
    st.error(f"{escape(error)}. {escape(error.next_step)}", icon=":material/search_off:")
    st.stop()

if issues.empty and query:
    st.info("No issue matches this search.", icon=":material/search_off:")
elif issues.empty:
    widgets.nothing("issues", view, healthy="No errors in this period.")
else:
    chosen = tables.issue_table(issues, view)
    issue_actions.bulk_actions(chosen, lambda: merge_preview.box(chosen, view))
    widgets.exports(widgets.localised(issues, view.zone), key="issues", title="Issues", view=view)
if opened := st.session_state.pop(tables.OPENED, None):
    pages.go("issue", issue=opened)
