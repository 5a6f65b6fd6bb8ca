"""Objectives with their error budgets, and the alerts of the period."""

from __future__ import annotations

import streamlit as st

from analysis import slo_status
from analysis.alerting.backtest import backtest_alerts
from analysis.alerting.rules import load_alert_rules
from dashboard import cards, controls, data, objectives, widgets

OBJECTIVES_HELP = (
    "The burn rate is the failure rate divided by the rate that the objective allows. Its lower 95 % bound counts, "
    "and only if enough devices are affected, so that one broken iPad does not look like an outage."
)
view = controls.current_view()
widgets.show_heading("SLO & alerts", f"{cards.format_period(view)} · objectives use their own windows")
status = data.fetch(slo_status, **view.filter_arguments())
if status.empty:
    widgets.show_empty("syncs", view, healthy="No tracked syncs in this view.")
    st.stop()

widgets.show_section("Objectives", help=OBJECTIVES_HELP)
objectives.show_objective_cards(status)
with st.expander("All windows with their intervals", icon=":material/table_rows:"):
    widgets.show_table(status, key="slo", title="Objectives", view=view, definition=OBJECTIVES_HELP)

widgets.show_section(
    "Alerts in this period",
    help="Runs the alert rules on past data, once per day. No notifications are sent.",
)
if view.since is None or view.until is None:
    st.info("Select a period in the sidebar to run the rules on it.", icon=":material/schedule:")
    st.stop()
rules = load_alert_rules()
# Slow, because the rules run for each day of the period, so it only runs on request.
if st.toggle("Run the rules on this period", key="alerts", bind="query-params"):
    with st.spinner("Running the rules for each day …", show_time=True):
        alerts = data.fetch(backtest_alerts, rules, view.since, view.until)
    if alerts.empty:
        st.success("No alert fired in this period.", icon=":material/check_circle:")
    else:
        widgets.show_chart(
            objectives.build_alert_chart(alerts, view), alerts, key="alerts", title="Alerts in this period",
            view=view, definition="One bar per alert from firing to recovery; an open alert reaches the end.",
        )  # fmt: skip
with st.expander(f"{len(rules)} alert rules", icon=":material/rule:"):
    for rule in rules:
        st.markdown(f"- **{rule.title}** · {rule.severity} · `{rule.name}`")
