"""What is promised, how much of the budget is gone, and what the alerts would have said."""

from __future__ import annotations

import streamlit as st

from analysis import slo_status
from analysis.alerting.backtest import backtest_alerts
from analysis.alerting.rules import load_alert_rules
from dashboard import cards, controls, data, objectives, widgets

ABOUT = (
    "The burn is the share of failed syncs over the share that the objective allows. It is judged by its "
    "lower 95 % bound and only when enough devices are hit, so that one broken iPad is no outage."
)
view = controls.current_view()
widgets.show_heading(
    "SLO & alerts", f"{cards.format_period(view)} · objectives look back over their own windows"
)
status = data.fetch(slo_status, **view.filter_arguments())
if status.empty:
    widgets.show_empty("syncs", view, healthy="No tracked sync to judge.")
    st.stop()

widgets.show_section("Objectives", help=ABOUT)
objectives.show_objective_cards(status)
with st.expander("Every window, with its interval", icon=":material/table_rows:"):
    widgets.show_table(status, key="slo", title="Objectives", view=view, about=ABOUT)

widgets.show_section(
    "What alerts would have said in this period",
    help="The rules played over history, once a day; nothing is sent.",
)
if view.since is None or view.until is None:
    st.info("Choose a period in the sidebar to play the rules over it.", icon=":material/schedule:")
    st.stop()
rules = load_alert_rules()
# Each day of the period is judged as if it were today, which nobody should wait for unasked.
if st.toggle("Play the rules over this period", key="alerts", bind="query-params"):
    with st.spinner("Playing the rules, one day after the other …", show_time=True):
        told = data.fetch(backtest_alerts, rules, view.since, view.until)
    if told.empty:
        st.success("No alert would have fired.", icon=":material/check_circle:")
    else:
        widgets.show_chart(
            objectives.build_alert_chart(told, view), told, key="alerts", title="Alerts in this period",
            view=view, about="One bar from firing to recovery; still open where it reaches the end.",
        )  # fmt: skip
with st.expander(f"The {len(rules)} rules", icon=":material/rule:"):
    for rule in rules:
        st.markdown(f"- **{rule.title}** · {rule.severity} · `{rule.name}`")
