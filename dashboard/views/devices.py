"""Devices with problems, the reasons, and their pending records."""

from __future__ import annotations

import streamlit as st

from analysis import METRICS, charts, measure
from analysis.fleet.devices import STATUSES, list_devices
from dashboard import cards, controls, data, tables, widgets

EMPTY = {
    "freshness": "No device in this view has a successful sync.",
    "pending_backlog": "No pending records are loaded for this view.",
}
view = controls.current_view()
widgets.show_heading("Devices", cards.format_period(view))
devices = data.fetch(list_devices, **view.arguments())
if devices.empty:
    if view.has_filters():
        widgets.show_empty("devices", view)
    else:
        widgets.show_not_loaded(
            "The store has no devices. Load syncs with device ids, or a list of devices:",
            "synclens load SYNCS.csv DEVICES.csv",
        )
    st.stop()

with st.grid(5, min_column_width=140, border=True):
    for status, number in tables.count_by_status(devices, STATUSES).items():
        st.metric(status.capitalize(), cards.format_count(number))
selected = st.pills(
    "Show only", STATUSES, selection_mode="multi", key="status", bind="query-params",
    help="Shut out: all syncs refused. Stuck: keeps failing. Silent: stopped syncing. Work refused: syncs complete, "
    "but Vault refuses records. Stale: no success for 7 days. Unknown: no syncs loaded.",
)  # fmt: skip
shown = tables.filter_by_status(devices, selected)
tables.show_device_table(shown, view, key="devices", title="Devices, those with the worst problems first")
tables.open_selected_device()

left, right = st.columns(2, gap="large")
for place, name, label, value in (
    (left, "freshness", "age", "devices"),
    (right, "pending_backlog", "object", "records"),
):
    with place:
        metric = METRICS[name]
        widgets.show_section(metric.title, help=metric.description)
        frame = data.fetch(measure, name, **view.arguments())
        if frame.empty:
            st.caption(EMPTY[name])
            continue
        widgets.show_chart(
            charts.bars(frame, label=label, value=value),
            frame, key=name, title=metric.title, view=view, definition=metric.description,
        )  # fmt: skip
