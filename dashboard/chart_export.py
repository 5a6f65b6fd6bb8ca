"""A chart as a picture to hand on: what it is and how it was filtered stand in the picture itself."""

from __future__ import annotations

import textwrap
from typing import Any

import streamlit as st
from plotly.graph_objs._figure import Figure

from analysis.charts import escape_text
from dashboard.view_state import View

_LINE, _LINE_HEIGHT, _MOST = 118, 15, 700
# The camera is the only tool: what it saves is what stands here, header and all.
_TOOLS: dict[str, Any] = {"displaylogo": False, "displayModeBar": True, "modeBarButtons": [["toImage"]]}


def add_header(figure: Figure, *, title: str, about: str, view: View) -> Figure:
    """Copy a figure with its title, definition and filters above it, dark on white whatever the theme."""
    lines = [line for text in (about, view.describe()) if text for line in textwrap.wrap(text[:_MOST], _LINE)]
    above = 54 + _LINE_HEIGHT * len(lines)
    copy = Figure(figure)  # type: ignore[no-untyped-call]  # plotly has no types
    below = copy.layout.margin.t or 0
    copy.update_layout(
        template="plotly_white", paper_bgcolor="white", plot_bgcolor="white",
        height=(copy.layout.height or 260) + above, margin_t=above + below,
        title={
            "text": f"<b>{escape_text(title, 110)}</b>", "x": 0, "xref": "paper", "yref": "container",
            "y": 1, "yanchor": "top", "pad": {"t": 14}, "font": {"size": 15, "color": "#1d2733"},
            "subtitle": {
                "text": "<br>".join(escape_text(line, _LINE + 2) for line in lines),
                "font": {"size": 11, "color": "#55606c"},
            },
        },
    )  # fmt: skip
    return copy


def show_chart_image(figure: Figure, *, key: str, title: str, about: str, view: View) -> None:
    """Draw the picture with the camera that saves it as PNG."""
    st.caption("As a picture: the camera at its top right saves it as PNG.")
    st.plotly_chart(
        add_header(figure, title=title, about=about, view=view), key=f"picture-{key}", theme=None,
        config={**_TOOLS, "toImageButtonOptions": {"filename": f"synclens-{key}", "scale": 2}},
        alt=f"{title}, with its definition and filters",
    )  # fmt: skip
