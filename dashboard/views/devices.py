"""Which devices are in trouble, and why; what waits on them."""

from __future__ import annotations

import streamlit as st

from analysis import METRICS, charts, measure
from analysis.fleet.devices import STATUSES, list_devices
from dashboard import cards, controls, data, tables, widgets

EMPTY = {
    "freshness": "No sync of this view says when a device last succeeded.",
    "pending_backlog": "No record is known to wait: nothing of this view lists what waits on devices.",
}
view = controls.current_view()
widgets.show_heading("Devices", cards.format_period(view))
devices = data.fetch(list_devices, **view.arguments())
if devices.empty:
    if view.has_filters():
        widgets.show_empty("devices", view)
    else:
        widgets.show_not_loaded(
            "The store knows no device. Load syncs that name theirs, or a list of devices:",
            "synclens load SYNCS.csv DEVICES.csv",
        )
    st.stop()

with st.grid(6, min_column_width=140, border=True):
    for status, number in tables.count_by_status(devices, STATUSES).items():
        st.metric(status.capitalize(), cards.format_count(number))
chosen = st.pills(
    "Show only", STATUSES, selection_mode="multi", key="status", bind="query-params",
    help="Stuck tries and fails; silent stopped trying; stale had no success for a week.",
)  # fmt: skip
shown = tables.filter_by_status(devices, chosen)
tables.show_device_table(shown, view, key="devices", title="Devices, those in the worst trouble first")
tables.open_selected_device()

left, right = st.columns(2, gap="large")
for place, name, label, value in (
    (left, "freshness", "age", "devices"),
    (right, "pending_backlog", "object", "records"),
):
    with place:
        metric = METRICS[name]
        widgets.show_section(metric.title, help=metric.description)
        found = data.fetch(measure, name, **view.arguments())
        if found.empty:
            st.caption(EMPTY[name])
            continue
        widgets.show_chart(
            charts.bars(found, label=label, value=value),
            found, key=name, title=metric.title, view=view, about=metric.description,
        )  # fmt: skip
