"""What came in, what was refused and why, and how much of the activity the numbers are about."""

from __future__ import annotations

import streamlit as st

from analysis import METRICS, coverage, measure
from dashboard import controls, data, parts, shapes

MOST_ROWS = 1_000
view = controls.current()
parts.heading("Data quality", "What was loaded, what was refused and why, and what the numbers cannot see.")

found = data.ask(coverage, **view.arguments())
with st.grid(4, min_column_width=180, border=True):
    st.metric("Tracked syncs in this view", shapes.count(found.syncs))
    st.metric(
        "Uploads that tracked syncs show", shapes.share(found.tracked_share, 0), help=found.badge.capitalize()
    )
    st.metric("Syncs that name their device", shapes.share(found.known_device, 0))
    st.metric("Syncs with active and paused time", shapes.share(found.known_split, 0))
st.caption(f"{found.badge.capitalize()}.")

parts.section(
    "Loads", help="One row per load and kind of row; rows in = new + updated + unchanged + rejected."
)
batches, of = data.newest_rows("ingest_batch", "started_at", most=MOST_ROWS)
parts.table(batches, key="batches", title="Loads", view=view)
parts.cut(len(batches), of, "loads")

parts.section(
    "Rejected rows", help="Rows that broke the contract, as they came, with every reason. Nothing is dropped."
)
rejected, of = data.newest_rows("rejected_row", "batch_id", most=MOST_ROWS)
if rejected.empty:
    st.success("No row was rejected.", icon=":material/check_circle:")
else:
    parts.table(rejected, key="rejected", title="Rejected rows", view=view)
    parts.cut(len(rejected), of, "rejected rows", "synclens rejected")

metric = METRICS["cause_coverage"]
parts.section(metric.title, help=metric.about)
parts.table(data.ask(measure, metric.name, **view.arguments()), key="coverage", title=metric.title, view=view)
