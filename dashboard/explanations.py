"""Explanations of failures as a chart, a sentence and a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import streamlit as st
from plotly.graph_objs._figure import Figure

from analysis import AnalysisError, Explanation, charts
from analysis.diagnosis.explain.questions import explain_issue
from analysis.diagnosis.explain.significance import MIN_EARLIER_PERIODS
from analysis.diagnosis.healthy_peers import healthy_peers
from dashboard import cards, column_config, data, widgets
from dashboard.escaping import escape
from dashboard.view_state import View

EXPLANATION_HELP = (
    "Combinations of up to three attributes with a higher failure rate than elsewhere. A finding exceeds chance, "
    "corrected for the number of combinations tested. A candidate does not. The first explains the most failures."
)
PERIOD_HELP = (
    "Combinations of up to three attributes in which failures rose, with a higher failure rate than elsewhere now. A "
    "finding rose by more than earlier periods differ from each other, corrected for the number of combinations "
    "tested. A candidate did not. Combinations can overlap."
)
_NO_FINDING = "No attribute distinguishes them from the others more than chance would."


def show_issue_explanations(issue_id: str, view: View) -> None:
    """Show which attributes the devices with an issue share and other devices lack."""
    widgets.show_section("Distinguishing attributes", help=EXPLANATION_HELP)
    try:
        explanations = data.fetch(explain_issue, issue_id, **view.arguments())
    except AnalysisError:  # the errors name no device and no user
        explanations = []
    show_explanations(explanations, view, key="issue-explanations", inside="with this issue")


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


def show_explanations(explanations: Sequence[Explanation], view: View, *, key: str, inside: str) -> None:
    """Show the best explanation in a sentence and all of them in a chart.

    `inside` describes the group that is compared with the rest.
    """
    best = next((explanation for explanation in explanations if explanation.asserted), None)
    if best:
        st.markdown(
            f"**{attribute_text(best)}**: {best.failures:,} of {best.total:,} {inside} "
            f"({cards.format_share(best.rate_in, 0)}), elsewhere {cards.format_share(best.rate_out, 0)}."
        )
    else:
        st.caption(f"{_NO_FINDING} The groups below are candidates." if explanations else _NO_FINDING)
    if not explanations:
        return
    frame = explanation_frame(explanations)
    widgets.show_chart(
        charts.rate_pairs(frame, label="what", inside="rate_in", outside="rate_out"),
        frame, key=key, title="Distinguishing attributes", view=view, definition=EXPLANATION_HELP,
    )  # fmt: skip


def show_period_explanations(explanations: Sequence[Explanation], view: View) -> None:
    """Show what explains the failures of some days, compared with the baseline."""
    best = next((explanation for explanation in explanations if explanation.asserted), None)
    if best:
        st.markdown(_finding_text(best))
    else:
        st.info(_no_finding_text(explanations), icon=":material/compare:")
    if not explanations:
        return
    columns = [
        "result",
        "what",
        "failures",
        "expected",
        "share",
        "total",
        "rate_in",
        "rate_out",
        "rate_in_before",
        "rate_out_before",
        "low",
        "high",
        "p_value",
    ]
    bar = st.column_config.ProgressColumn(
        "Explains",
        format="percent",
        min_value=0,
        max_value=1,
        help="Share of all failures beyond the baseline.",
    )
    widgets.show_table(
        explanation_frame(explanations)[columns], key="explained", title="Explanations of the selected days",
        view=view,
        definition=PERIOD_HELP,
        columns={"share": bar, "what": st.column_config.TextColumn("Attributes", width=360)},
    )  # fmt: skip


def _finding_text(best: Explanation) -> str:
    """Return the best finding as Markdown."""
    before = ""
    if best.rate_in_before is not None:
        before = (
            f" In the baseline it was {cards.format_share(best.rate_in_before)}, elsewhere "
            f"{cards.format_share(best.rate_out_before)}."
        )
    predicted = "baseline rate" if best.earlier_periods else "rate of all syncs"
    return (
        f"**{attribute_text(best)}**: {best.failures:,} of {best.total:,} syncs failed "
        f"({cards.format_share(best.rate_in)}), elsewhere {cards.format_share(best.rate_out)}.{before} "
        f"The {predicted} predicts {best.expected:,.0f} failures. This explains "
        f"{cards.format_share(best.share, 0)} of the additional failures."
    )


def _no_finding_text(explanations: Sequence[Explanation]) -> str:
    """Return why no explanation is a finding."""
    if explanations and explanations[0].p_value is None:
        return (
            f"No group can be tested: at least {MIN_EARLIER_PERIODS} earlier periods with syncs are needed to see "
            f"how much periods differ, and the baseline has {explanations[0].earlier_periods}. "
            "Choose a longer baseline. The groups below are candidates."
        )
    text = (
        "No explanation found: no group's failures rose by more than chance explains. "
        "Choose other days or another baseline."
    )
    return f"{text} The groups below are candidates." if explanations else text


def shade_periods(
    figure: Figure,
    days: pd.DataFrame,
    explained: tuple[datetime, datetime],
    baseline: int | tuple[datetime, datetime],
) -> None:
    """Shade the explained days and the baseline on a chart over `days`.

    `baseline` is a period, or how many times the length of the explained days precedes them.
    """
    since, until = explained
    if isinstance(baseline, int):
        baseline = (min(max(since - baseline * (until - since), days["day"].min()), since), since)
    side, other_side = ("left", "right") if baseline[0] < since else ("right", "left")
    for (begin, end), color, text, position in (
        (baseline, charts.GREY, "baseline", other_side),
        (explained, charts.VERMILION, "explained", side),
    ):  # the labels point away from each other, so that they do not overlap on single days
        figure.add_vrect(
            x0=begin, x1=end, fillcolor=color, opacity=0.13, line_width=0, layer="below",
            annotation={"text": text, "font_size": 10}, annotation_position=f"bottom {position}",
        )  # fmt: skip


def attribute_text(explanation: Explanation) -> str:
    """Return the attributes of an explanation as Markdown-safe text."""
    return " and ".join(
        f"{escape(column_config.column_label(name))} {escape(value)}"
        for name, value in explanation.where.items()
    )


def explanation_frame(explanations: Sequence[Explanation]) -> pd.DataFrame:
    """Return one row per explanation."""
    return pd.DataFrame(
        {
            "result": ["Finding" if row.asserted else "Candidate" for row in explanations],
            "what": [
                " and ".join(
                    f"{column_config.column_label(name)} {value}" for name, value in row.where.items()
                )
                for row in explanations
            ],
            "rate_in": [row.rate_in for row in explanations],
            "rate_out": [row.rate_out for row in explanations],
            "rate_in_before": [row.rate_in_before for row in explanations],
            "rate_out_before": [row.rate_out_before for row in explanations],
            "low": [row.interval[0] for row in explanations],
            "high": [row.interval[1] for row in explanations],
            "share": [row.share for row in explanations],
            "failures": [row.failures for row in explanations],
            "total": [row.total for row in explanations],
            "expected": [row.expected for row in explanations],
            "p_value": [row.p_value for row in explanations],
        }
    )
