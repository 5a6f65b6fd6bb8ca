"""Plotly figures of frames, for the dashboard and for notebooks.

The colors are Okabe and Ito's, readable on white and on black. The background and the text color are transparent to
the page, so one figure works on a light and on a dark page. Color alone never carries a meaning: outcomes have names
in the legend, changes have letters, intervals have whiskers. Times are naive and drawn unchanged; the caller converts
them to the displayed time zone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from plotly.graph_objs._figure import Figure

BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, GREY = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c8c8c",
)  # fmt: skip
QUIET = "rgba(128, 138, 150, 0.28)"

OUTCOME_COLORS: Mapping[str, str] = {
    "succeeded": GREEN,
    "succeeded_with_upload_errors": ORANGE,
    "failed": VERMILION,
    "failed_upload": VERMILION,
    "failed_download": PURPLE,
    "canceled": GREY,
    "unfinished": SKY,
    "error": VERMILION,
}
OTHERS = "all others"
_STACK = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
_MAX_LISTED = 6
# The letters of the changes are above the chart.
_LEGEND_BELOW = {"y": -0.2, "yanchor": "top", "x": 0, "xanchor": "left", "traceorder": "normal"}
MIN_SYNCS = 10
"""A share of fewer syncs is too uncertain to connect with the line."""
# A value is drawn at noon of its day, so that a change at six in the evening falls into its day.
_DAY_CENTERED = {"xperiod": 86_400_000, "xperiodalignment": "middle"}
_OUTCOME_SHAPES = {
    "succeeded": "circle",
    "succeeded_with_upload_errors": "square",
    "canceled": "x-thin-open",
    "unfinished": "circle-open",
    "error": "triangle-up",
}
_OUTCOME_PATTERNS = {"failed_upload": "/", "failed_download": "\\", "failed": "", "unfinished": "."}


def humanize(name: object) -> str:
    """Return a stored name in readable form: `failed upload` for `failed_upload`, `sms` for `sms__v`."""
    text = str(name)
    for ending in ("__v", "__c", "__sys"):
        text = text.removesuffix(ending)
    return escape_text(text.replace("_", " "))


def escape_text(text: object, max_length: int = 90) -> str:
    """Escape the HTML tags that Plotly would interpret, and cut the text at `max_length` characters."""
    shown = str(text)
    shown = shown if len(shown) <= max_length else f"{shown[: max_length - 1]}…"
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def rate_over_time(
    frame: pd.DataFrame,
    *,
    at: str = "day",
    rate: str = "rate",
    low: str | None = None,
    high: str | None = None,
    before: str | None = None,
    changes: pd.DataFrame | None = None,
    name: str = "success rate",
    total: str | None = None,
    height: int = 260,
) -> Figure:
    """Draw a share from 0 to 1 over time, its interval as a band, the previous period as a dotted line.

    `before` is the column of the previous period; `changes` has `changed_at` and `label`. `total` is the column
    with the number of syncs behind each share: with fewer than MIN_SYNCS the share is a hollow point beside the
    line, unless this is so for every share.
    """
    figure = _figure(height)
    few = frame[total] < MIN_SYNCS if total else pd.Series(data=False, index=frame.index)
    few &= not few.all()
    if low and high:
        figure.add_scatter(
            x=[*frame[at], *frame[at][::-1]],
            y=[*frame[high], *frame[low][::-1]],
            fill="toself", fillcolor="rgba(0, 114, 178, 0.16)", line_width=0,
            hoverinfo="skip", name="95 % interval",
        )  # fmt: skip
    if before and before in frame and frame[before].notna().any():
        figure.add_scatter(
            x=frame[at], y=frame[before], mode="lines", name="period before",
            line={"color": GREY, "width": 1.5, "dash": "dot"}, hovertemplate="%{y:.1%}", **_DAY_CENTERED,
        )  # fmt: skip
    figure.add_scatter(
        x=frame[at], y=frame[rate].mask(few), mode="lines+markers", name=name, connectgaps=True,
        line={"color": BLUE, "width": 2}, marker={"size": 5}, hovertemplate="%{y:.1%}", **_DAY_CENTERED,
    )  # fmt: skip
    if few.any():
        figure.add_scatter(
            x=frame.loc[few, at], y=frame.loc[few, rate], mode="markers", name=f"fewer than {MIN_SYNCS} syncs",
            marker={"size": 7, "symbol": "circle-open", "color": BLUE}, hovertemplate="%{y:.1%}", **_DAY_CENTERED,
        )  # fmt: skip
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    figure.update_layout(legend=_LEGEND_BELOW)
    return mark_changes(figure, changes)


def counts_over_time(
    frame: pd.DataFrame,
    *,
    at: str = "day",
    count: str = "events",
    by: str | None = None,
    colors: Mapping[str, str] | None = None,
    changes: pd.DataFrame | None = None,
    height: int = 240,
    name: str = "errors",
) -> Figure:
    """Draw counts over time as bars, stacked by the column `by` if set, the largest part at the bottom."""
    figure = _figure(height)
    if by is None:
        figure.add_bar(
            x=frame[at], y=frame[count], name=name, marker_color=BLUE, hovertemplate="%{y:,}", **_DAY_CENTERED
        )
    else:
        parts = _largest_parts(frame, at=at, count=count, by=by)
        for place, (part, rows) in enumerate(parts):
            color = (colors or {}).get(part) or (GREY if part == OTHERS else _STACK[place])
            figure.add_bar(
                x=rows[at], y=rows[count], name=humanize(part), hovertemplate="%{y:,}", **_DAY_CENTERED,
                marker={
                    "color": color,
                    "pattern": {"shape": _OUTCOME_PATTERNS.get(part, ""), "size": 5, "solidity": 0.25},
                },
            )  # fmt: skip
        figure.update_layout(legend=_LEGEND_BELOW)
        figure.update_layout(barmode="stack")
    figure.update_layout(bargap=0.25, showlegend=by is not None)
    figure.update_yaxes(rangemode="tozero")
    return mark_changes(figure, changes)


def _largest_parts(frame: pd.DataFrame, *, at: str, count: str, by: str) -> list[tuple[str, pd.DataFrame]]:
    """Return each part with its rows, the largest first; parts without a color left become one, OTHERS."""
    order = frame.groupby(by)[count].sum().sort_values(ascending=False, kind="stable").index
    shown = list(order[: len(_STACK)]) if len(order) > len(_STACK) else list(order)
    parts = [(str(part), frame[frame[by] == part]) for part in shown]
    others = frame[~frame[by].isin(shown)]
    if not others.empty:
        parts.append((OTHERS, others.groupby(at, as_index=False)[count].sum()))
    return parts


def mark_changes(figure: Figure, changes: pd.DataFrame | None) -> Figure:
    """Mark configuration changes as dashed lines with letters; hovering a letter shows the change.

    Changes whose letters would overlap share one (see `assign_marks`).
    """
    if changes is None or changes.empty:
        return figure
    for letter, group in changes.assign(mark=assign_marks(changes["changed_at"])).groupby("mark", sort=False):
        at, labels = group["changed_at"].iloc[0], [escape_text(label, 120) for label in group["label"]]
        more = [f"and {len(labels) - _MAX_LISTED} more"] if len(labels) > _MAX_LISTED else []
        figure.add_vline(x=at, line={"color": GREY, "width": 1, "dash": "dash"})
        figure.add_annotation(
            x=at, y=1.0, yref="paper", yanchor="bottom", text=str(letter), showarrow=False,
            hovertext="<br>".join(labels[:_MAX_LISTED] + more), bordercolor=GREY, borderwidth=1, borderpad=2,
            font={"size": 10},
        )  # fmt: skip
    return figure


def assign_marks(times: pd.Series[Any]) -> list[str]:
    """Return a letter for each time (ascending); times closer than a thirtieth of the period share one."""
    if times.empty:
        return []
    min_distance = max((times.iloc[-1] - times.iloc[0]) / 30, pd.Timedelta(hours=2))
    first, cluster, clusters = times.iloc[0], 0, []
    for time in times:
        if time - first > min_distance:
            first, cluster = time, cluster + 1
        clusters.append(cluster)
    names = letter_labels(cluster + 1)
    return [names[place] for place in clusters]


def letter_labels(count: int) -> list[str]:
    """Return A, B, … Z, AA, AB, …: labels of marks, the same on the chart and in the list below it."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return [
        alphabet[index] if index < 26 else alphabet[index // 26 - 1] + alphabet[index % 26]
        for index in range(min(count, 26 * 27))
    ]


def bars(
    frame: pd.DataFrame, *, label: str, value: str, text: str | None = None, height: int | None = None
) -> Figure:
    """Draw one horizontal bar per row, the first row on top."""
    figure = _figure(height or 46 + 26 * len(frame))
    figure.add_bar(
        x=frame[value], y=[humanize(name) for name in frame[label]], orientation="h", marker_color=BLUE,
        text=frame[text] if text else frame[value], textposition="outside", cliponaxis=False,
        hovertemplate="%{y}: %{x:,}<extra></extra>",
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(showgrid=False, showticklabels=False, zeroline=False)
    figure.update_layout(
        showlegend=False, bargap=0.35, hovermode="closest", margin={"l": 8, "r": 56, "t": 6, "b": 6}
    )
    return figure


def intervals(
    frame: pd.DataFrame, *, label: str, rate: str, low: str, high: str, goal: float | None = None
) -> Figure:
    """Draw one share from 0 to 1 per row with its interval; `goal` draws the objective as a line."""
    figure = _figure(62 + 30 * len(frame))
    figure.add_scatter(
        x=frame[rate], y=[humanize(name) for name in frame[label]], mode="markers", name="share",
        marker={"color": BLUE, "size": 9},
        error_x={
            "type": "data", "symmetric": False, "array": frame[high] - frame[rate],
            "arrayminus": frame[rate] - frame[low], "color": BLUE, "thickness": 1.6, "width": 5,
        },
        hovertemplate="%{y}: %{x:.1%}<extra></extra>",
    )  # fmt: skip
    if goal is not None:
        figure.add_vline(
            x=goal, line={"color": GREY, "dash": "dash", "width": 1}, annotation_text=f"goal {goal:.1%}"
        )
    figure.update_xaxes(tickformat=".0%")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_layout(showlegend=False, hovermode="closest")
    return figure


def rate_pairs(frame: pd.DataFrame, *, label: str, inside: str, outside: str) -> Figure:
    """Draw the failure shares inside and outside a group, one row each, joined by a line."""
    names = [escape_text(name, 60) for name in frame[label]]
    figure = _figure(104 + 30 * len(frame))
    for name, inside_share, outside_share in zip(names, frame[inside], frame[outside], strict=True):
        figure.add_scatter(
            x=[outside_share, inside_share], y=[name, name], mode="lines", line={"color": GREY, "width": 2},
            hoverinfo="skip", showlegend=False,
        )  # fmt: skip
    for column, title, color, symbol in (
        (outside, "everyone else", GREY, "circle-open"),
        (inside, "this group", VERMILION, "circle"),
    ):
        figure.add_scatter(
            x=frame[column], y=names, mode="markers", name=title,
            marker={"color": color, "size": 10, "symbol": symbol, "line": {"width": 2, "color": color}},
            hovertemplate="%{y}: %{x:.1%}",
        )  # fmt: skip
    figure.update_xaxes(tickformat=".0%", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_layout(hovermode="closest")
    return figure


def device_timeline(frame: pd.DataFrame) -> Figure:
    """Draw the events of one device: one row per sync type and one for errors, the shape shows the outcome.

    The columns are those of the timeline of `analysis.get_device`: `happened_at`, `kind`, `what`, `how`, `detail`.
    """
    is_sync = frame["kind"] == "sync"
    lanes = [humanize(what) if sync else "errors" for what, sync in zip(frame["what"], is_sync, strict=True)]
    figure = _figure(90 + 36 * len(set(lanes)))
    drawn = frame.assign(lane=lanes, outcome=frame["how"].where(is_sync, "error"))
    for outcome, rows in drawn.groupby("outcome", sort=False):
        color, symbol = OUTCOME_COLORS.get(str(outcome), GREY), _OUTCOME_SHAPES.get(str(outcome), "diamond")
        figure.add_scatter(
            x=rows["happened_at"], y=rows["lane"], mode="markers", name=humanize(outcome),
            marker={"symbol": symbol, "size": 9, "color": color, "line": {"width": 1.5, "color": color}},
            customdata=[humanize(how) for how in rows["how"]],
            hovertemplate="%{x|%d %b %H:%M}<br>%{customdata}",
        )  # fmt: skip
    figure.update_yaxes(showgrid=True, gridcolor=QUIET, autorange="reversed", type="category")
    figure.update_layout(hovermode="closest", showlegend=True)
    return figure


def steps(
    frame: pd.DataFrame,
    *,
    at: str,
    value: str,
    by: str | None = None,
    percent: bool = True,
    height: int = 260,
) -> Figure:
    """Draw a step line, such as adoption, survival or remaining budget; one line per value of `by`."""
    figure = _figure(height)
    groups: Sequence[tuple[Any, pd.DataFrame]] = (
        [("", frame)] if by is None else list(frame.groupby(by, sort=False))
    )
    for group, rows in groups:
        figure.add_scatter(
            x=rows[at], y=rows[value], mode="lines", name=humanize(group), line={"shape": "hv", "width": 2},
            hovertemplate="%{y:.0%}" if percent else "%{y:,}",
        )  # fmt: skip
    figure.update_yaxes(tickformat=".1~%" if percent else ",", rangemode="tozero")
    figure.update_layout(showlegend=by is not None)
    return figure


def spans(frame: pd.DataFrame, *, label: str, begin: str, end: str, kind: str) -> Figure:
    """Draw periods as bars on the row of their label, colored and hatched by kind."""
    figure = _figure(90 + 30 * frame[label].nunique())
    styles = ((VERMILION, ""), (ORANGE, "/"), (SKY, "."))
    for place, (name, rows) in enumerate(frame.groupby(kind, sort=True)):
        color, hatch = styles[place % len(styles)]
        figure.add_bar(
            base=rows[begin], x=(rows[end] - rows[begin]).dt.total_seconds() * 1000, orientation="h",
            y=[escape_text(text, 60) for text in rows[label]], name=humanize(name), width=0.5, opacity=0.75,
            marker={"color": color, "pattern": {"shape": hatch}},
            customdata=[escape_text(text, 120) for text in rows.get("reason", rows[label])],
            hovertemplate="%{base|%d %b %H:%M}<br>%{customdata}",
        )  # fmt: skip
    figure.update_xaxes(type="date")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_layout(barmode="overlay", hovermode="closest", showlegend=True)
    return figure


def matrix(frame: pd.DataFrame, *, height: int | None = None) -> Figure:
    """Draw a matrix of counts with the numbers in it, such as true causes by assigned causes."""
    names = [humanize(name) for name in frame.index]
    figure = _figure(height or 140 + 22 * len(frame))
    figure.add_heatmap(
        z=frame.to_numpy(), x=[humanize(name) for name in frame.columns], y=names,
        colorscale=[[0, "rgba(0,114,178,0)"], [1, BLUE]], showscale=False,
        text=[[f"{count:,}" if count else "" for count in row] for row in frame.to_numpy()],
        texttemplate="%{text}", hovertemplate="true %{y}, assigned %{x}: %{z:,}<extra></extra>",
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_layout(hovermode="closest")
    return figure


def _figure(height: int) -> Figure:
    figure: Figure = Figure()  # type: ignore[no-untyped-call]  # plotly has no types
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 12, "t": 30, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hovermode="x unified",
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "xanchor": "right", "x": 1, "title": ""},
        colorway=[BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, GREY],
    )
    figure.update_xaxes(showgrid=False, automargin=True)
    figure.update_yaxes(gridcolor=QUIET, zeroline=False, automargin=True)
    return figure
