"""A chart as an image with title, definition and filters, for sharing."""

from __future__ import annotations

import textwrap
from typing import Any

import streamlit as st
from plotly.graph_objs._figure import Figure

from analysis.charts import escape_text
from dashboard.view_state import View

_LINE_LENGTH, _LINE_HEIGHT, _MAX_LENGTH = 118, 15, 700
# Only the camera: it saves the image as shown, header included.
_TOOLS: dict[str, Any] = {"displaylogo": False, "displayModeBar": True, "modeBarButtons": [["toImage"]]}


def add_header(figure: Figure, *, title: str, definition: str, view: View) -> Figure:
    """Return a copy of a figure with title, definition and filters above it, dark on white in any theme."""
    lines = [
        line
        for text in (definition, view.describe())
        if text
        for line in textwrap.wrap(text[:_MAX_LENGTH], _LINE_LENGTH)
    ]
    header_height = 54 + _LINE_HEIGHT * len(lines)
    copy = Figure(figure)  # type: ignore[no-untyped-call]  # plotly has no types
    top_margin = copy.layout.margin.t or 0
    copy.update_layout(
        template="plotly_white", paper_bgcolor="white", plot_bgcolor="white",
        height=(copy.layout.height or 260) + header_height, margin_t=header_height + top_margin,
        title={
            "text": f"<b>{escape_text(title, 110)}</b>", "x": 0, "xref": "paper", "yref": "container",
            "y": 1, "yanchor": "top", "pad": {"t": 14}, "font": {"size": 15, "color": "#1d2733"},
            "subtitle": {
                "text": "<br>".join(escape_text(line, _LINE_LENGTH + 2) for line in lines),
                "font": {"size": 11, "color": "#55606c"},
            },
        },
    )  # fmt: skip
    return copy


def show_chart_image(figure: Figure, *, key: str, title: str, definition: str, view: View) -> None:
    """Show the chart image, with a button that saves it as PNG."""
    st.caption("Image: the camera button at the top right saves it as PNG.")
    st.plotly_chart(
        add_header(figure, title=title, definition=definition, view=view), key=f"picture-{key}", theme=None,
        config={**_TOOLS, "toImageButtonOptions": {"filename": f"synclens-{key}", "scale": 2}},
        alt=f"{title}, with its definition and filters",
    )  # fmt: skip
