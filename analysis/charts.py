"""Frames in, Plotly figures out; the same in the dashboard and in a notebook.

Colours are Okabe and Ito's, picked so that each can be read on white and on black; backgrounds and text
colours are left to the surroundings, so one figure serves a light and a dark page. A meaning is never told
by colour alone: outcomes have names in the legend, changes have letters, intervals have whiskers.
Times are naive and drawn as they come; whoever calls has converted them to the zone that is shown.
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

OUTCOME_COLOURS: Mapping[str, str] = {
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
_MOST_TOLD = 6
# Above a chart stand the letters of the changes.
_UNDER_THE_CHART = {"y": -0.2, "yanchor": "top", "x": 0, "xanchor": "left", "traceorder": "normal"}
# A day's value stands over the middle of the day, so that a change at six in the evening falls into its day.
FEW = 10
"""A share of fewer syncs than that is no level."""
_WHOLE_DAYS = {"xperiod": 86_400_000, "xperiodalignment": "middle"}
_OUTCOME_SHAPES = {
    "succeeded": "circle",
    "succeeded_with_upload_errors": "square",
    "canceled": "x-thin-open",
    "unfinished": "circle-open",
    "error": "triangle-up",
}
_OUTCOME_PATTERNS = {"failed_upload": "/", "failed_download": "\\", "failed": "", "unfinished": "."}


def humanize(name: object) -> str:
    """A stored name as people read it: `failed_upload` is `failed upload`, `sms__v` is `sms`."""
    text = str(name)
    for ending in ("__v", "__c", "__sys"):
        text = text.removesuffix(ending)
    return escape_text(text.replace("_", " "))


def escape_text(text: object, max_length: int = 90) -> str:
    """Text from elsewhere made safe for Plotly, which reads a few HTML tags; cut at `most` characters."""
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
    of: str | None = None,
    height: int = 260,
) -> Figure:
    """A share from 0 to 1 over time, its interval as a band, and the period before as a dotted line.

    `before` names the column of the period before, if there is one; `changes` has `changed_at`, `label`. `of`
    names the column with the syncs that each share is of: where these are fewer than FEW the share is a hollow
    point beside the line, unless they are so everywhere.
    """
    figure = _figure(height)
    few = frame[of] < FEW if of else pd.Series(data=False, index=frame.index)
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
            line={"color": GREY, "width": 1.5, "dash": "dot"}, hovertemplate="%{y:.1%}", **_WHOLE_DAYS,
        )  # fmt: skip
    figure.add_scatter(
        x=frame[at], y=frame[rate].mask(few), mode="lines+markers", name=name, connectgaps=True,
        line={"color": BLUE, "width": 2}, marker={"size": 5}, hovertemplate="%{y:.1%}", **_WHOLE_DAYS,
    )  # fmt: skip
    if few.any():
        figure.add_scatter(
            x=frame.loc[few, at], y=frame.loc[few, rate], mode="markers", name=f"fewer than {FEW} syncs",
            marker={"size": 7, "symbol": "circle-open", "color": BLUE}, hovertemplate="%{y:.1%}", **_WHOLE_DAYS,
        )  # fmt: skip
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    figure.update_layout(legend=_UNDER_THE_CHART)
    return mark_changes(figure, changes)


def counts_over_time(
    frame: pd.DataFrame,
    *,
    at: str = "day",
    count: str = "events",
    by: str | None = None,
    colours: Mapping[str, str] | None = None,
    changes: pd.DataFrame | None = None,
    height: int = 240,
    name: str = "errors",
) -> Figure:
    """Counts over time as bars, stacked by the column `by` where one is named; biggest part at the bottom."""
    figure = _figure(height)
    if by is None:
        figure.add_bar(
            x=frame[at], y=frame[count], name=name, marker_color=BLUE, hovertemplate="%{y:,}", **_WHOLE_DAYS
        )
    else:
        kept = _folded(frame, at=at, count=count, by=by)
        for place, (part, rows) in enumerate(kept):
            colour = (colours or {}).get(part) or (GREY if part == OTHERS else _STACK[place])
            figure.add_bar(
                x=rows[at], y=rows[count], name=humanize(part), hovertemplate="%{y:,}", **_WHOLE_DAYS,
                marker={
                    "color": colour,
                    "pattern": {"shape": _OUTCOME_PATTERNS.get(part, ""), "size": 5, "solidity": 0.25},
                },
            )  # fmt: skip
        figure.update_layout(legend=_UNDER_THE_CHART)
        figure.update_layout(barmode="stack")
    figure.update_layout(bargap=0.25, showlegend=by is not None)
    figure.update_yaxes(rangemode="tozero")
    return mark_changes(figure, changes)


def _folded(frame: pd.DataFrame, *, at: str, count: str, by: str) -> list[tuple[str, pd.DataFrame]]:
    """Each part with its rows, biggest first; what has no colour of its own left becomes one part, OTHERS."""
    order = frame.groupby(by)[count].sum().sort_values(ascending=False, kind="stable").index
    shown = list(order[: len(_STACK)]) if len(order) > len(_STACK) else list(order)
    found = [(str(part), frame[frame[by] == part]) for part in shown]
    rest = frame[~frame[by].isin(shown)]
    if not rest.empty:
        found.append((OTHERS, rest.groupby(at, as_index=False)[count].sum()))
    return found


def mark_changes(figure: Figure, changes: pd.DataFrame | None) -> Figure:
    """Mark configuration changes as dashed lines with letters; hovering a letter says what was changed.

    Changes that would stand on each other's letters share one (see `marks`).
    """
    if changes is None or changes.empty:
        return figure
    for letter, together in changes.assign(mark=assign_marks(changes["changed_at"])).groupby(
        "mark", sort=False
    ):
        at, told = together["changed_at"].iloc[0], [escape_text(label, 120) for label in together["label"]]
        more = [f"and {len(told) - _MOST_TOLD} more"] if len(told) > _MOST_TOLD else []
        figure.add_vline(x=at, line={"color": GREY, "width": 1, "dash": "dash"})
        figure.add_annotation(
            x=at, y=1.0, yref="paper", yanchor="bottom", text=str(letter), showarrow=False,
            hovertext="<br>".join(told[:_MOST_TOLD] + more), bordercolor=GREY, borderwidth=1, borderpad=2,
            font={"size": 10},
        )  # fmt: skip
    return figure


def assign_marks(moments: pd.Series[Any]) -> list[str]:
    """The letter of each moment (ascending): moments closer than a thirtieth of the whole share one."""
    if moments.empty:
        return []
    apart = max((moments.iloc[-1] - moments.iloc[0]) / 30, pd.Timedelta(hours=2))
    first, cluster, clusters = moments.iloc[0], 0, []
    for moment in moments:
        if moment - first > apart:
            first, cluster = moment, cluster + 1
        clusters.append(cluster)
    names = letter_labels(cluster + 1)
    return [names[place] for place in clusters]


def letter_labels(count: int) -> list[str]:
    """A, B, … Z, AA, AB, …: names of marks on a chart, the same in the chart and in the list under it."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return [
        alphabet[index] if index < 26 else alphabet[index // 26 - 1] + alphabet[index % 26]
        for index in range(min(count, 26 * 27))
    ]


def bars(
    frame: pd.DataFrame, *, label: str, value: str, text: str | None = None, height: int | None = None
) -> Figure:
    """One horizontal bar a row, in the order given, first row on top."""
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
    """Shares from 0 to 1 with their intervals, one a row; `goal` draws the objective as a line."""
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
    """For each row the failure share inside and outside of a group, joined by a line: how far apart."""
    names = [escape_text(name, 60) for name in frame[label]]
    figure = _figure(104 + 30 * len(frame))
    for name, here, there in zip(names, frame[inside], frame[outside], strict=True):
        figure.add_scatter(
            x=[there, here], y=[name, name], mode="lines", line={"color": GREY, "width": 2},
            hoverinfo="skip", showlegend=False,
        )  # fmt: skip
    for column, title, colour, symbol in (
        (outside, "everyone else", GREY, "circle-open"),
        (inside, "this group", VERMILION, "circle"),
    ):
        figure.add_scatter(
            x=frame[column], y=names, mode="markers", name=title,
            marker={"color": colour, "size": 10, "symbol": symbol, "line": {"width": 2, "color": colour}},
            hovertemplate="%{y}: %{x:.1%}",
        )  # fmt: skip
    figure.update_xaxes(tickformat=".0%", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_layout(hovermode="closest")
    return figure


def device_timeline(frame: pd.DataFrame) -> Figure:
    """What happened to one device: a mark on the row of its sync type, or on that of errors; shape tells how.

    Columns as in the timeline of `analysis.get_device`: `happened_at`, `kind`, `what`, `how`, `detail`.
    """
    is_sync = frame["kind"] == "sync"
    lanes = [humanize(what) if sync else "errors" for what, sync in zip(frame["what"], is_sync, strict=True)]
    figure = _figure(90 + 36 * len(set(lanes)))
    drawn = frame.assign(lane=lanes, outcome=frame["how"].where(is_sync, "error"))
    for outcome, rows in drawn.groupby("outcome", sort=False):
        colour, symbol = OUTCOME_COLOURS.get(str(outcome), GREY), _OUTCOME_SHAPES.get(str(outcome), "diamond")
        figure.add_scatter(
            x=rows["happened_at"], y=rows["lane"], mode="markers", name=humanize(outcome),
            marker={"symbol": symbol, "size": 9, "color": colour, "line": {"width": 1.5, "color": colour}},
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
    """A step line: adoption, survival, budget left. One line for each value of `by`."""
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
    """Stretches of time as bars on the row of their label, coloured and hatched by kind."""
    figure = _figure(90 + 30 * frame[label].nunique())
    looks = ((VERMILION, ""), (ORANGE, "/"), (SKY, "."))
    for place, (name, rows) in enumerate(frame.groupby(kind, sort=True)):
        colour, hatch = looks[place % len(looks)]
        figure.add_bar(
            base=rows[begin], x=(rows[end] - rows[begin]).dt.total_seconds() * 1000, orientation="h",
            y=[escape_text(text, 60) for text in rows[label]], name=humanize(name), width=0.5, opacity=0.75,
            marker={"color": colour, "pattern": {"shape": hatch}},
            customdata=[escape_text(text, 120) for text in rows.get("reason", rows[label])],
            hovertemplate="%{base|%d %b %H:%M}<br>%{customdata}",
        )  # fmt: skip
    figure.update_xaxes(type="date")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_layout(barmode="overlay", hovermode="closest", showlegend=True)
    return figure


def matrix(frame: pd.DataFrame, *, height: int | None = None) -> Figure:
    """A square of counts, rows against columns (truth against answer), numbers are printed."""
    names = [humanize(name) for name in frame.index]
    figure = _figure(height or 140 + 22 * len(frame))
    figure.add_heatmap(
        z=frame.to_numpy(), x=[humanize(name) for name in frame.columns], y=names,
        colorscale=[[0, "rgba(0,114,178,0)"], [1, BLUE]], showscale=False,
        text=[[f"{count:,}" if count else "" for count in row] for row in frame.to_numpy()],
        texttemplate="%{text}", hovertemplate="was %{y}, called %{x}: %{z:,}<extra></extra>",
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
