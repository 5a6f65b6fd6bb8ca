"""What sets a group apart: explanations as a picture, as sentences and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import streamlit as st
from plotly.graph_objs._figure import Figure

from analysis import AnalysisError, Explanation, charts
from analysis.diagnosis.explain.questions import explain_issue
from analysis.diagnosis.healthy_peers import healthy_peers
from dashboard import cards, column_config, data, widgets
from dashboard.escaping import escape
from dashboard.view_state import View

EXPLANATION_HELP = (
    "Combinations of at most three attributes in which failures are more frequent than elsewhere, beyond "
    "what chance and the number of combinations looked at would give. The first explains most."
)


PERIOD_HELP = (
    "Combinations of at most three attributes in which syncs failed more than the days they are compared "
    "with would bring, beyond what chance and the number of combinations looked at would give. Parts may overlap."
)


def show_issue_explanations(issue_id: str, view: View) -> None:
    """What the devices with an issue have in common that the others have not."""
    widgets.show_section("What is different about them", help=EXPLANATION_HELP)
    try:
        found = data.fetch(explain_issue, issue_id, **view.arguments())
    except AnalysisError:  # no device or person is known
        found = []
    show_explanations(found, view, key="different", inside="with this issue")


def show_healthy_peers(name: str, view: View) -> None:
    """Show how a device differs from its most similar healthy devices."""
    widgets.show_section("Healthy peers", help="The most similar devices without these problems.")
    try:
        comparison = data.fetch(healthy_peers, name, **view.filter_arguments())
    except AnalysisError:  # no finished sync yet
        st.caption("This device has no finished sync to compare yet.")
        return
    if comparison.smallest_set:
        labels = " and ".join(
            escape(column_config.column_label(column)) for column in comparison.smallest_set
        )
        st.markdown(f"Together these attributes distinguish it from every healthy device: **{labels}**.")
    differences = comparison.differences.assign(
        attribute=comparison.differences["attribute"].map(column_config.column_label)
    )
    widgets.show_table(
        differences, key="peers", title=f"Differences between {name} and its healthy peers", view=view
    )
    with st.expander(f"{len(comparison.peers)} nearest healthy peers", icon=":material/group:"):
        widgets.show_table(comparison.peers, key="peer-list", title=f"Healthy peers of {name}", view=view)


def show_explanations(found: Sequence[Explanation], view: View, *, key: str, inside: str) -> None:
    """Draw explanations best first, or say that there is nothing to say."""
    if not found:
        st.caption("Nothing sets them apart from the others more than chance would.")
        return
    best = found[0]
    st.markdown(
        f"**{attribute_text(best)}**: {best.failures:,} of {best.total:,} {inside} ({cards.format_share(best.rate_in, 0)}), "
        f"elsewhere {cards.format_share(best.rate_out, 0)}."
    )
    frame = explanation_frame(found)
    widgets.show_chart(
        charts.rate_pairs(frame, label="what", inside="rate_in", outside="rate_out"),
        frame, key=key, title="What is different", view=view, about=EXPLANATION_HELP,
    )  # fmt: skip


def show_period_explanations(found: Sequence[Explanation], view: View) -> None:
    """Draw what explains some days, best first: failures then against what the days before would have brought."""
    if not found:
        st.info(
            "Nothing explains these days: no group failed more than its days before and chance would bring. "
            "Choose other days, or another stretch to compare with.",
            icon=":material/compare:",
        )
        return
    best = found[0]
    st.markdown(
        f"**{attribute_text(best)}**: {best.failures:,} of {best.total:,} syncs failed "
        f"({cards.format_share(best.rate_in, 0)}), {best.expected:,.0f} at the rate of the days before. "
        f"That is {cards.format_share(best.share, 0)} of what is too much."
    )
    kept = ["what", "failures", "expected", "share", "total", "rate_in", "rate_out", "low", "high", "p_value"]
    bar = st.column_config.ProgressColumn(
        "Explains",
        format="percent",
        min_value=0,
        max_value=1,
        help="Part of all failures beyond those of before.",
    )
    widgets.show_table(
        explanation_frame(found)[kept], key="explained", title="What explains these days", view=view,
        about=PERIOD_HELP, columns={"share": bar, "what": st.column_config.TextColumn("What", width=360)},
    )  # fmt: skip


def shade_periods(
    figure: Figure,
    days: pd.DataFrame,
    explained: tuple[datetime, datetime],
    against: int | tuple[datetime, datetime],
) -> None:
    """Shade on a chart over `days` what is explained and what it is compared with, as far as it is shown."""
    since, until = explained
    if isinstance(against, int):
        against = (min(max(since - against * (until - since), days["day"].min()), since), since)
    side, other = ("left", "right") if against[0] < since else ("right", "left")
    for (begin, end), colour, word, place in (
        (against, charts.GREY, "compared with", other),
        (explained, charts.VERMILION, "explained", side),
    ):  # the words lead away from each other, or those over single days would meet
        figure.add_vrect(
            x0=begin, x1=end, fillcolor=colour, opacity=0.13, line_width=0, layer="below",
            annotation={"text": word, "font_size": 10}, annotation_position=f"bottom {place}",
        )  # fmt: skip


def attribute_text(one: Explanation) -> str:
    """The combination of an explanation, safe for Markdown."""
    return " and ".join(
        f"{escape(column_config.column_label(name))} {escape(value)}" for name, value in one.where.items()
    )


def explanation_frame(found: Sequence[Explanation]) -> pd.DataFrame:
    """Explanations as rows."""
    return pd.DataFrame(
        {
            "what": [
                " and ".join(f"{column_config.column_label(k)} {v}" for k, v in one.where.items())
                for one in found
            ],
            "rate_in": [one.rate_in for one in found],
            "rate_out": [one.rate_out for one in found],
            "low": [one.interval[0] for one in found],
            "high": [one.interval[1] for one in found],
            "share": [one.share for one in found],
            "failures": [one.failures for one in found],
            "total": [one.total for one in found],
            "expected": [one.expected for one in found],
            "p_value": [one.p_value for one in found],
        }
    )
