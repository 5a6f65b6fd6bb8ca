"""One device: timeline, issues, pending records, healthy peers and recovery actions."""

from __future__ import annotations

import streamlit as st

from analysis import AnalysisError, charts
from analysis.base.text import capitalize_first
from analysis.fixes.recovery_actions import recovery_actions
from analysis.fleet.device_state import describe_state
from analysis.fleet.devices import get_device
from dashboard import cards, controls, data, explanations, issue_panels, pages, widgets
from dashboard.escaping import escape

view = controls.current_view()
name = pages.selected_id("device")
pages.show_link("devices", "All devices", icon=":material/arrow_back:")
widgets.show_heading("Device" if name is None else f"Device {escape(name)}", cards.format_period(view))
if name is None:
    st.info("Select a device from the list.", icon=":material/touch_app:")
    st.stop()
try:
    device = data.fetch(get_device, name, **view.arguments())
except AnalysisError as error:
    widgets.show_not_in_view(error, view)
    st.stop()

cards.show_device_facts(device.summary, view)
st.caption(escape(capitalize_first(describe_state(device)), 400))
history, action = st.columns([3, 2], gap="large")
with history:
    widgets.show_section("Timeline", help="Tracked syncs by outcome, and errors; newest on the right.")
    if device.timeline.empty:
        widgets.show_empty(
            "events", view, healthy="No syncs or errors of this device are loaded for this period."
        )
    else:
        widgets.show_chart(
            charts.device_timeline(widgets.localize_times(device.timeline, view.zone)),
            device.timeline, key="timeline", title=f"Timeline of {name}", view=view,
        )  # fmt: skip
    widgets.show_section("Issues")
    is_user = device.summary["user_id"] == name  # syncs of this user name no device
    issues = data.fetch_issues(view, **{"user_id" if is_user else "device_id": name})
    if issues.empty and device.summary["failures"]:
        st.warning("Syncs of this device failed, but fit no issue.", icon=":material/help:")
    elif issues.empty:
        widgets.show_empty("issues", view, healthy="No errors of this device are loaded for this period.")
    for issue in issues.head(8).itertuples():
        cards.show_issue_line(issue, view)
with action:
    issue_panels.show_recovery_actions(data.fetch(recovery_actions, device_id=name), view)
    explanations.show_healthy_peers(name, view)
widgets.show_section("Pending records", help="In the order to fix them: parents first.")
issue_panels.show_pending_records(device.pending, view, key="device-pending")
