"""Configuration changes and app versions beside the errors over time."""

from __future__ import annotations

import streamlit as st

from analysis import METRICS, charts, measure
from dashboard import cards, controls, data, sync_failures, tables, widgets

view = controls.current_view()
arguments = view.arguments()
widgets.show_heading("Changes", cards.format_period(view))
changes = data.fetch_config_changes(view)

metric = METRICS["errors_by_day"]
widgets.show_section("Errors per day by cause, with changes", help=metric.description)
days = tables.add_cause_titles(data.fetch_daily_metric(metric.name, view))
if days.empty:
    sync_failures.show_no_issues("errors", view, healthy="No errors in this period.")
else:
    widgets.show_chart(
        charts.counts_over_time(days, by="cause", changes=changes, height=330),
        days, key="changes-days", title=f"{metric.title} ({view.day_basis})", view=view,
        definition=metric.description,
    )  # fmt: skip
    if note := data.local_day_note(view):
        st.caption(note)

widgets.show_section("Configuration changes", help="From audit trails, metadata comparisons, or simulations.")
if changes.empty and data.has_config_changes():
    st.success("No configuration changes in this period.", icon=":material/check_circle:")
elif changes.empty:
    widgets.show_not_loaded(
        "No configuration changes are loaded. Load an audit trail, or pull one from Vault:",
        "synclens load AUDIT_TRAIL.csv\nsynclens pull --help",
    )
else:
    widgets.show_table(
        tables.list_marked_changes(changes), key="changes", title="Configuration changes", view=view
    )

metric = METRICS["version_adoption"]
widgets.show_section("App versions", help=metric.description)
versions = data.fetch(measure, metric.name, **arguments)
if versions.empty:
    widgets.show_empty("app versions", view, healthy="No sync in this period has an app version.")
    st.stop()
widgets.show_table(versions, key="versions", title=metric.title, view=view, definition=metric.description)
metric = METRICS["version_risk"]
widgets.show_section("Failure risk by app version", help=metric.description)
risk = data.fetch(measure, metric.name, **arguments)
widgets.show_table(risk, key="version-risk", title=metric.title, view=view, definition=metric.description)
