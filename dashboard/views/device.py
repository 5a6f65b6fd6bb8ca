"""One device: how its syncs went, what its errors were, what waits on it, and which levers it leaves."""

from __future__ import annotations

import streamlit as st

from analysis import METRICS, figures, measure
from analysis.levers import levers
from dashboard import controls, data, evidence, pages, parts, shapes
from dashboard.safe import escape

view = controls.current()
device_id = pages.selected("device")
pages.link("devices", "All devices", icon=":material/arrow_back:")
parts.heading("Device" if device_id is None else f"Device {escape(device_id)}", shapes.period_line(view))
if device_id is None:
    st.info("Choose a device from the list.", icon=":material/touch_app:")
    st.stop()
asked = view.arguments() | {"device_id": device_id}
shapes.device_facts(data.rows("current_device"), device_id, view)

history, action = st.columns([3, 2], gap="large")
with history:
    metric = METRICS["failures_by_day"]
    parts.section("Syncs a day that failed", help=metric.about)
    days = data.ask(measure, metric.name, **asked)
    if days.empty:
        parts.nothing("syncs", view, healthy="No tracked sync of this device in this period.")
    else:
        parts.chart(
            figures.counts_over_time(days, count="failed", name="failed", changes=data.changes(view)),
            days, key="device-days", title="Failed syncs by day (UTC)", view=view, about=metric.about,
        )  # fmt: skip
    issues = data.issues(view, f'device_id:"{device_id}"')
    parts.section("Issues it has")
    if issues.empty:
        parts.nothing("issues", view, healthy="No errors of this device in this period.")
    for issue in issues.head(10).itertuples():
        shapes.issue_line(issue, view)
with action:
    evidence.levers(data.ask(levers, device_id=device_id), view)
