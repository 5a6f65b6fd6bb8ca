"""One device: what happened to it, what waits on it, its healthy twins, and the levers it leaves."""

from __future__ import annotations

import streamlit as st

from analysis import AnalysisError, charts
from analysis.fixes.recovery_actions import recovery_actions
from analysis.fleet.devices import get_device as device_of
from dashboard import cards, controls, data, explanations, issue_panels, pages, widgets
from dashboard.escaping import escape

view = controls.current()
name = pages.selected("device")
pages.link("devices", "All devices", icon=":material/arrow_back:")
widgets.heading("Device" if name is None else f"Device {escape(name)}", cards.period_line(view))
if name is None:
    st.info("Choose a device from the list.", icon=":material/touch_app:")
    st.stop()
try:
    device = data.ask(device_of, name, **view.arguments())
except AnalysisError as error:
    widgets.not_in_view(error, view)
    st.stop()

cards.device_facts(device.summary, view)
history, action = st.columns([3, 2], gap="large")
with history:
    widgets.section("What happened", help="Tracked syncs by how they ended, and errors; newest on the right.")
    if device.timeline.empty:
        widgets.nothing("events", view, healthy="Nothing happened to this device in this period.")
    else:
        widgets.chart(
            charts.device_timeline(widgets.localised(device.timeline, view.zone)),
            device.timeline, key="timeline", title=f"What happened to {name}", view=view,
        )  # fmt: skip
    widgets.section("Issues it has")
    issues = data.issues(view, device_id=name)
    if issues.empty:
        widgets.nothing("issues", view, healthy="No errors of this device in this period.")
    for issue in issues.head(8).itertuples():
        cards.issue_line(issue, view)
with action:
    issue_panels.levers(data.ask(recovery_actions, device_id=name), view)
    explanations.of_device(name, view)
widgets.section("What waits on it", help="In the order to work through: parents first.")
issue_panels.waiting(device.pending, view, key="device-pending")
