"""Which devices are in trouble: stuck, silent, stale, on risky versions, with records waiting."""

from __future__ import annotations

import streamlit as st

from analysis import METRICS, figures, measure
from dashboard import controls, data, parts, shapes, tables

view = controls.current()
asked = view.arguments()
parts.heading("Devices", shapes.period_line(view))

left, right = st.columns([3, 2], gap="large")
with left:
    for name in ("stuck_devices", "silent_devices"):
        metric = METRICS[name]
        parts.section(metric.title, help=metric.about)
        found = data.ask(measure, name, **asked)
        if found.empty:
            st.success(f"No {metric.title.lower()}.", icon=":material/check_circle:")
        else:
            tables.device_table(found, view, key=name, title=metric.title, about=metric.about)
with right:
    metric = METRICS["freshness"]
    parts.section(metric.title, help=metric.about)
    ages = data.ask(measure, metric.name, **asked)
    parts.chart(
        figures.bars(ages, label="age", value="devices"),
        ages, key="device-freshness", title=metric.title, view=view, about=metric.about,
    )  # fmt: skip
    metric = METRICS["pending_backlog"]
    parts.section(metric.title, help=metric.about)
    backlog = data.ask(measure, metric.name, **asked)
    if backlog.empty:
        st.success("No record is known to wait on a device.", icon=":material/check_circle:")
    else:
        parts.chart(
            figures.bars(backlog, label="object", value="records"),
            backlog, key="backlog", title=metric.title, view=view, about=metric.about,
        )  # fmt: skip

parts.section("All devices", help="As the store knows them now; open one for its history.")
tables.device_table(data.devices(view), view, key="all-devices", title="Devices")
tables.follow_device()
