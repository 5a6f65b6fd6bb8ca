"""What to do first: each cause with its fix, by the records that wait and the people it stops."""

from __future__ import annotations

import streamlit as st

from analysis import METRICS, ranked_fixes
from dashboard import cards, controls, data, issue_panels, tables, widgets

view = controls.current_view()
widgets.show_heading("Fixes", f"{cards.format_period(view)} · by records that wait, then by people hit")
ranked = data.fetch(ranked_fixes, **view.arguments())
if ranked.empty:
    widgets.show_empty("errors", view, healthy="No errors in this period, so there is nothing to fix.")
    st.stop()

listed, chosen = st.columns([3, 2], gap="large")
with listed:
    widgets.show_section("What to do first", help="Tick a row to read its fix.")
    cause = tables.show_fix_table(ranked, view, about=METRICS["records_at_risk"].description)
    st.caption(
        "Waiting are records in error on a device now, with what hangs on them; known only where a source "
        "says what waits. A fix for the first row is worth most."
    )
with chosen:
    issue_panels.show_playbook(cause, data.fetch_issues(view), view)
