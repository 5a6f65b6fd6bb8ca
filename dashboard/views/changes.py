"""What was changed, when, and what the errors did at that time."""

from __future__ import annotations

import streamlit as st

from analysis import METRICS, charts, measure
from dashboard import cards, controls, data, tables, widgets

view = controls.current()
asked = view.arguments()
widgets.heading("Changes", cards.period_line(view))
changes = data.changes(view)

metric = METRICS["errors_by_day"]
widgets.section("Errors a day by cause, changes marked", help=metric.description)
days = tables.titled(data.by_day(metric.name, view))
if days.empty:
    widgets.nothing("errors", view, healthy="No errors in this period.")
else:
    widgets.chart(
        charts.counts_over_time(days, by="cause", changes=changes, height=330),
        days, key="changes-days", title=f"{metric.title} ({view.days_of})", view=view, about=metric.description,
    )  # fmt: skip
    if told := data.clocks(view):
        st.caption(told)

widgets.section(
    "Configuration changes", help="From audit trails, from differences of metadata, or from the engine."
)
if changes.empty and data.knows_changes():
    st.success("Nothing was changed in this period.", icon=":material/check_circle:")
elif changes.empty:
    widgets.not_loaded(
        "No configuration change is known at all. Load an audit trail, or pull one from Vault:",
        "synclens load AUDIT_TRAIL.csv\nsynclens pull --help",
    )
else:
    widgets.table(tables.lettered(changes), key="changes", title="Configuration changes", view=view)

metric = METRICS["version_adoption"]
widgets.section("App versions", help=metric.description)
versions = data.ask(measure, metric.name, **asked)
if versions.empty:
    widgets.nothing("app versions", view, healthy="No sync of this period names its app version.")
    st.stop()
widgets.table(versions, key="versions", title=metric.title, view=view, about=metric.description)
metric = METRICS["version_risk"]
widgets.section("Does a version fail more than the others?", help=metric.description)
risk = data.ask(measure, metric.name, **asked)
widgets.table(risk, key="version-risk", title=metric.title, view=view, about=metric.description)
