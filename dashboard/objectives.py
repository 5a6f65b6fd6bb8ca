"""Cards for objectives, and a chart of alerts."""

from __future__ import annotations

from math import isnan

import pandas as pd
import streamlit as st
from plotly.graph_objs._figure import Figure

from analysis.charts import humanize, spans
from dashboard.cards import format_share
from dashboard.escaping import escape
from dashboard.view_state import View
from dashboard.widgets import localize_times

OBJECTIVE_BADGES = {
    "ok": ("Met", "check_circle", "green"),
    "little data": ("Too little data", "hourglass_empty", "gray"),
    "spent": ("Budget spent", "money_off", "orange"),
    "burning": ("Burning", "local_fire_department", "red"),
}


def show_objective_cards(status: pd.DataFrame) -> None:
    """Show a card with the worst window of each objective and sync type."""
    order = list(OBJECTIVE_BADGES)
    worst = status.sort_values("state", key=lambda column: -column.map(order.index), kind="stable")
    with st.grid(3, min_column_width=250, border=True):
        for row in worst.drop_duplicates(["slo", "sync_type"]).to_dict("records"):
            with st.container(gap="xxsmall"):
                label, icon, color = OBJECTIVE_BADGES[str(row["state"])]
                st.badge(label, icon=f":material/{icon}:", color=color)  # type: ignore[arg-type]
                st.markdown(f"**{escape(row['title'])}** · {escape(humanize(row['sync_type']))}")
                budget = float(row["budget_used"])
                # Without a budget, the reason below states why; an empty bar would read as 0 %.
                if not isnan(budget):
                    st.progress(min(budget, 1.0), text=_budget_text(budget))
                st.caption(f"{escape(row['reason'], 200)}. Objective {format_share(row['objective'])}.")


def _budget_text(budget: float) -> str:
    """Return how much of a budget is used: a percentage, or a multiple above 100 %."""
    return (
        f"{format_share(budget, 0)} of the budget used"
        if budget <= 1
        else f"{budget:.1f} times the budget used"
    )


def build_alert_chart(alerts: pd.DataFrame, view: View) -> Figure:
    """Return a chart with a bar per alert from firing to recovery, or to the end of the period."""
    shown = alerts.assign(recovered_at=alerts["recovered_at"].fillna(view.until))
    return spans(
        localize_times(shown, view.zone), label="title", begin="fired_at", end="recovered_at", kind="severity"
    )
