"""What came in, what was refused and why, and how much of the activity the numbers are about."""

from __future__ import annotations

import streamlit as st

from analysis import METRICS, estimate_coverage, measure
from analysis.query.as_of import count_rows_ahead
from dashboard import cards, controls, data, widgets

MAX_ROWS = 1_000
view = controls.current_view()
widgets.show_heading(
    "Data quality", "What was loaded, what was refused and why, and what the numbers cannot see."
)

found = data.fetch(estimate_coverage, **view.arguments())
with st.grid(4, min_column_width=180, border=True):
    st.metric("Tracked syncs in this view", cards.format_count(found.syncs))
    st.metric(
        "Uploads that tracked syncs show",
        cards.format_share(found.tracked_share, 0),
        help=found.badge.capitalize(),
    )
    st.metric("Syncs that name their device", cards.format_share(found.known_device, 0))
    st.metric("Syncs with active and paused time", cards.format_share(found.known_split, 0))
st.caption(f"{found.badge.capitalize()}.")
if ahead := data.fetch(count_rows_ahead):
    st.warning(
        f"{ahead:,} syncs or errors tell a time later than now: clocks of devices that run ahead. They are kept, "
        "and lie outside of every period that ends now.",
        icon=":material/schedule:",
    )

widgets.show_section(
    "Loads", help="One row per load and kind of row; rows in = new + updated + unchanged + rejected."
)
batches, of = data.fetch_newest_rows("ingest_batch", "started_at", limit=MAX_ROWS)
widgets.show_table(batches, key="batches", title="Loads", view=view)
widgets.show_row_limit(len(batches), of, "loads")

widgets.show_section(
    "Rejected rows",
    help="Rows that broke the contract, as they came, with every reason. Nothing is dropped. Row 1 is the first "
    "below the header. A row leaves this list when a corrected row with its id is loaded, or when its file is "
    "dismissed.",
)
rejected, of = data.fetch_newest_rows("rejected_row", "batch_id", limit=MAX_ROWS, where="settled IS NULL")
_, settled = data.fetch_newest_rows("rejected_row", "batch_id", limit=1, where="settled IS NOT NULL")
if rejected.empty:
    st.success("No row is rejected at present.", icon=":material/check_circle:")
else:
    shown = rejected[["source", "kind", "row_number", "reasons", "raw", "batch_id"]]
    widgets.show_table(shown, key="rejected", title="Rejected rows", view=view)
    widgets.show_row_limit(len(rejected), of, "rejected rows", "synclens rejected")
    st.caption(
        "Correct them in the file and load it again; rows that gave no id: `synclens rejected --dismiss FILE`."
    )
if settled:
    st.caption(f"{settled:,} more came in later or were dismissed: `synclens rejected --all` lists them.")

metric = METRICS["cause_coverage"]
widgets.show_section(metric.title, help=metric.description)
widgets.show_table(
    data.fetch(measure, metric.name, **view.arguments()), key="coverage", title=metric.title, view=view
)
