"""Fixes ranked by the pending records and users of their cause."""

from __future__ import annotations

import streamlit as st

from analysis import METRICS, ranked_fixes
from dashboard import cards, controls, data, issue_panels, sync_failures, tables, widgets

view = controls.current_view()
widgets.show_heading(
    "Fixes", f"{cards.format_period(view)} · ranked by the unsent work and the users they free"
)
ranked = data.fetch(ranked_fixes, **view.arguments())
if ranked.empty:
    sync_failures.show_no_issues(
        "errors", view, healthy="No errors in this period, so there is nothing to fix."
    )
    st.stop()

list_column, fix_column = st.columns([3, 2], gap="large")
with list_column:
    widgets.show_section("Ranked fixes", help="Select a row to read its fix.")
    cause = tables.show_fix_table(ranked, view, definition=METRICS["records_at_risk"].description)
    st.caption(
        "Pending: records that the cause blocks on devices now. Dependents: records that wait for them. Both need a "
        "loaded list of pending records. The first fix frees most work, users and time."
    )
with fix_column:
    issue_panels.show_playbook(cause, data.fetch_issues(view), view)
