"""One device: what happened to it, what waits on it, its healthy twins, and the levers it leaves."""

from __future__ import annotations

import streamlit as st

from analysis import AnalysisError, charts
from analysis.fixes.recovery_actions import recovery_actions
from analysis.fleet.devices import get_device as device_of
from dashboard import cards, controls, data, explanations, issue_panels, pages, widgets
from dashboard.escaping import escape

view = controls.current_view()
name = pages.selected_id("device")
pages.show_link("devices", "All devices", icon=":material/arrow_back:")
widgets.show_heading("Device" if name is None else f"Device {escape(name)}", cards.format_period(view))
if name is None:
    st.info("Choose a device from the list.", icon=":material/touch_app:")
    st.stop()
try:
    device = data.fetch(device_of, name, **view.arguments())
except AnalysisError as error:
    widgets.show_not_in_view(error, view)
    st.stop()

cards.show_device_facts(device.summary, view)
history, action = st.columns([3, 2], gap="large")
with history:
    widgets.show_section(
        "What happened", help="Tracked syncs by how they ended, and errors; newest on the right."
    )
    if device.timeline.empty:
        widgets.show_empty("events", view, healthy="Nothing happened to this device in this period.")
    else:
        widgets.show_chart(
            charts.device_timeline(widgets.localize_times(device.timeline, view.zone)),
            device.timeline, key="timeline", title=f"What happened to {name}", view=view,
        )  # fmt: skip
    widgets.show_section("Issues it has")
    issues = data.fetch_issues(view, device_id=name)
    if issues.empty:
        widgets.show_empty("issues", view, healthy="No errors of this device in this period.")
    for issue in issues.head(8).itertuples():
        cards.show_issue_line(issue, view)
with action:
    issue_panels.show_recovery_actions(data.fetch(recovery_actions, device_id=name), view)
    explanations.show_healthy_peers(name, view)
widgets.show_section("What waits on it", help="In the order to work through: parents first.")
issue_panels.show_pending_records(device.pending, view, key="device-pending")
