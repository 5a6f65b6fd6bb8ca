"""Loads, rejected rows with their reasons, and how much activity the data covers."""

from __future__ import annotations

import streamlit as st

from analysis import METRICS, estimate_coverage, measure
from analysis.base.text import capitalize_first
from analysis.query.as_of import count_rows_ahead
from dashboard import cards, controls, data, widgets

MAX_ROWS = 1_000
view = controls.current_view()
widgets.show_heading("Data quality", "Loads, rejected rows, and how much activity the data covers.")

coverage = data.fetch(estimate_coverage, **view.arguments())
with st.grid(4, min_column_width=180, border=True):
    st.metric("Tracked syncs in this view", cards.format_count(coverage.syncs))
    st.metric(
        "Uploads in tracked syncs",
        cards.format_share(coverage.tracked_share, 0),
        help=capitalize_first(coverage.badge),
    )
    st.metric("Syncs with a device", cards.format_share(coverage.share_with_device, 0))
    st.metric("Syncs with active and paused time", cards.format_share(coverage.share_with_active_time, 0))
st.caption(f"{capitalize_first(coverage.badge)}.")
if ahead := data.fetch(count_rows_ahead):
    st.warning(
        f"{ahead:,} syncs or errors are later than the reference time, because device clocks are ahead. They are "
        "stored, but outside all periods.",
        icon=":material/schedule:",
    )

widgets.show_section(
    "Loads", help="One row per load and table. Rows in = new + updated + unchanged + rejected."
)
batches, total = data.fetch_newest_rows("ingest_batch", "started_at", limit=MAX_ROWS)
widgets.show_table(batches, key="batches", title="Loads", view=view)
widgets.show_row_limit(len(batches), total, "loads")

widgets.show_section(
    "Rejected rows",
    help="Rows that do not match the contract, unchanged, with all reasons. Row 1 is the first below the header. A "
    "row is removed from this list once a corrected row with the same id is loaded, or its file is dismissed.",
)
rejected, total = data.fetch_newest_rows("rejected_row", "batch_id", limit=MAX_ROWS, where="settled IS NULL")
_, resolved = data.fetch_newest_rows("rejected_row", "batch_id", limit=1, where="settled IS NOT NULL")
if rejected.empty:
    st.success("No rejected rows.", icon=":material/check_circle:")
else:
    shown = rejected[["source", "kind", "row_number", "reasons", "raw", "batch_id"]]
    widgets.show_table(shown, key="rejected", title="Rejected rows", view=view)
    widgets.show_row_limit(len(rejected), total, "rejected rows", "synclens rejected")
    st.caption(
        "Correct the rows in the file and load it again. Dismiss rows without an id with "
        "`synclens rejected --dismiss FILE`."
    )
if resolved:
    st.caption(f"{resolved:,} more were corrected or dismissed. List them with `synclens rejected --all`.")

metric = METRICS["cause_coverage"]
widgets.show_section(metric.title, help=metric.description)
widgets.show_table(
    data.fetch(measure, metric.name, **view.arguments()), key="coverage", title=metric.title, view=view
)
