"""What is promised, how much of the budget is gone, and what the alerts would have said."""

from __future__ import annotations

import streamlit as st

from analysis import slo_status
from analysis.alerts import load_rules, preview_alerts
from dashboard import controls, data, objectives, parts, shapes

ABOUT = (
    "The burn is the share of failed syncs over the share that the objective allows. It is judged by its "
    "lower 95 % bound and only when enough devices are hit, so that one broken iPad is no outage."
)
view = controls.current()
parts.heading("SLO & alerts", f"{shapes.period_line(view)} · objectives look back over their own windows")
status = data.ask(slo_status, **view.of_filters())
if status.empty:
    parts.nothing("syncs", view, healthy="No tracked sync to judge.")
    st.stop()

parts.section("Objectives", help=ABOUT)
objectives.objective_cards(status)
with st.expander("Every window, with its interval", icon=":material/table_rows:"):
    parts.table(status, key="slo", title="Objectives", view=view, about=ABOUT)

parts.section(
    "What alerts would have said in this period",
    help="The rules played over history, once a day; nothing is sent.",
)
if view.since is None or view.until is None:
    st.info("Choose a period in the sidebar to play the rules over it.", icon=":material/schedule:")
    st.stop()
rules = load_rules()
# Each day of the period is judged as if it were today, which nobody should wait for unasked.
if st.toggle("Play the rules over this period", key="alerts", bind="query-params"):
    with st.spinner("Playing the rules, one day after the other …", show_time=True):
        told = data.ask(preview_alerts, rules, view.since, view.until)
    if told.empty:
        st.success("No alert would have fired.", icon=":material/check_circle:")
    else:
        parts.chart(
            objectives.alert_figure(told, view), told, key="alerts", title="Alerts in this period",
            view=view, about="One bar from firing to recovery; still open where it reaches the end.",
        )  # fmt: skip
with st.expander(f"The {len(rules)} rules", icon=":material/rule:"):
    for rule in rules:
        st.markdown(f"- **{rule.title}** · {rule.severity} · `{rule.name}`")
