"""Health of the fleet, configuration changes, and issues that need attention."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from analysis import METRICS, charts, estimate_coverage, find_incidents, health, measure
from analysis.base.text import capitalize_first
from analysis.issues.loaded_data import read_loaded_data
from analysis.triage.states import OPEN_STATES
from dashboard import cards, controls, data, pages, sync_failures, tables, widgets

MAX_ISSUES, MAX_CAUSES, MAX_INCIDENTS = 8, 8, 3
view = controls.current_view()
arguments = view.arguments()
widgets.show_heading("Overview", cards.format_period(view))
current, previous = data.fetch(health, **arguments), data.fetch_previous(health, view)
are_errors_loaded = data.fetch(read_loaded_data).errors > 0
cards.show_health_cards(current, previous, are_errors_loaded=are_errors_loaded)

issues = data.fetch_issues(view)
open_issues = issues[issues["state"].isin(OPEN_STATES)]
chart_side, attention = widgets.wide_and_narrow_columns()
with chart_side:
    metric = METRICS["failures_by_day"]
    widgets.show_section("Failure rate by day", help=metric.description)
    days = data.fetch_metric(metric.name, view)
    changes = data.fetch_config_changes(view)
    if days.empty:
        widgets.show_empty("syncs", view, healthy="No tracked syncs in this period.")
    else:
        widgets.show_chart(
            charts.rate_over_time(
                days, rate="failure_rate", name="failed", total="syncs", before="failure_rate_before", changes=changes
            ),
            days, key="failures", title=f"Failure rate of tracked syncs by day ({view.day_basis})",
            view=view, definition=metric.description,
        )  # fmt: skip
        if note := data.local_day_note(view):
            st.caption(note)
        tables.show_change_list(changes, view)
    by_type, fresh = st.columns(2, gap="medium")
    with by_type:
        metric = METRICS["success_rate"]
        widgets.show_section("Success by sync type", help=metric.description)
        rates = data.fetch(measure, metric.name, **arguments).dropna(subset=["success_rate"])
        widgets.show_chart(
            charts.intervals(rates, label="sync_type", rate="success_rate", low="low", high="high"),
            rates, key="types", title=metric.title, view=view, definition=metric.description,
        )  # fmt: skip
    with fresh:
        metric = METRICS["freshness"]
        widgets.show_section("Last successful sync", help=metric.description)
        ages = data.fetch(measure, metric.name, **arguments)
        widgets.show_chart(
            charts.bars(ages, label="age", value="devices"),
            ages, key="freshness", title=metric.title, view=view, definition=metric.description,
        )  # fmt: skip
    metric = METRICS["records_at_risk"]
    risk = data.fetch(measure, metric.name, **arguments)
    if not risk.empty:
        widgets.show_section("Records at risk by cause", help=metric.description)
        widgets.show_chart(
            charts.bars(tables.add_cause_titles(risk.head(MAX_CAUSES)), label="cause", value="records"),
            tables.add_cause_titles(risk), key="risk", title=metric.title, view=view, definition=metric.description,
        )  # fmt: skip
with attention:
    widgets.show_section(
        "Needs attention",
        help="Open issues, those that stop most unsent work and users for longest first. Quiet issues come last.",
    )
    cards.show_rising_counts(issues)
    for incident in data.fetch(find_incidents, **arguments)[:MAX_INCIDENTS]:
        cards.show_incident(incident, view)
    if issues.empty:
        sync_failures.show_no_issues("issues", view, healthy="No errors in this period.")
    elif open_issues.empty:
        st.success("All issues in this view are resolved or archived.", icon=":material/check_circle:")
    quiet = open_issues["shown_state"] == "quiet"
    for issue in pd.concat([open_issues[~quiet], open_issues[quiet]]).head(MAX_ISSUES).itertuples():
        cards.show_issue_line(issue, view)
    if not issues.empty:
        pages.show_link("issues", f"All {len(issues)} issues", icon=":material/arrow_forward:")
coverage = capitalize_first(data.fetch(estimate_coverage, **arguments).badge)
st.caption(f"{coverage}. Rates exclude canceled and unfinished syncs.")
