"""One device: what happened to it, what waits on it, its healthy twins, and the levers it leaves."""

from __future__ import annotations

import streamlit as st

from analysis import AnalysisError, figures
from analysis.fleet import device as device_of
from analysis.levers import levers
from dashboard import controls, data, different, evidence, pages, parts, shapes
from dashboard.safe import escape

view = controls.current()
name = pages.selected("device")
pages.link("devices", "All devices", icon=":material/arrow_back:")
parts.heading("Device" if name is None else f"Device {escape(name)}", shapes.period_line(view))
if name is None:
    st.info("Choose a device from the list.", icon=":material/touch_app:")
    st.stop()
try:
    device = data.ask(device_of, name, **view.arguments())
except AnalysisError as error:
    parts.not_in_view(error, view)
    st.stop()

shapes.device_facts(device.summary, view)
history, action = st.columns([3, 2], gap="large")
with history:
    parts.section("What happened", help="Tracked syncs by how they ended, and errors; newest on the right.")
    if device.timeline.empty:
        parts.nothing("events", view, healthy="Nothing happened to this device in this period.")
    else:
        parts.chart(
            figures.device_timeline(parts.localised(device.timeline, view.zone)),
            device.timeline, key="timeline", title=f"What happened to {name}", view=view,
        )  # fmt: skip
    parts.section("Issues it has")
    issues = data.issues(view, device_id=name)
    if issues.empty:
        parts.nothing("issues", view, healthy="No errors of this device in this period.")
    for issue in issues.head(8).itertuples():
        shapes.issue_line(issue, view)
with action:
    evidence.levers(data.ask(levers, device_id=name), view)
    different.of_device(name, view)
parts.section("What waits on it", help="In the order to work through: parents first.")
evidence.waiting(device.pending, view, key="device-pending")
