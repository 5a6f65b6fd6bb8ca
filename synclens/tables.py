"""Tables for the terminal."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rich.table import Table
from rich.text import Text

from synclens import console


def frame_table(frame: pd.DataFrame, *, title: str, most: int = 50) -> Table:
    """A frame as a terminal table; text is shown as it is, numbers are aligned and rounded."""
    table = Table(title=title)
    for column in frame.columns:
        table.add_column(str(column), justify="right" if _is_number(frame[column]) else "left")
    for row in console.frame_to_records(frame.head(most)):
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    if len(frame) > most:
        table.caption = f"the first {most} of {len(frame)} rows; --json prints all"
    return table


def _is_number(column: pd.Series[Any]) -> bool:
    return pd.api.types.is_numeric_dtype(column)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
