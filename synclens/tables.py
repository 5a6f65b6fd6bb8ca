"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Number
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from synclens import console

if TYPE_CHECKING:
    import pandas as pd


def frame_table(frame: pd.DataFrame, *, title: str, limit: int = 50) -> Table:
    """Return a frame as a table of at most `limit` rows."""
    records = console.frame_to_records(frame.head(limit))
    return records_table(records, list(map(str, frame.columns)), title=title, total=len(frame))


def records_table(
    records: Sequence[dict[str, Any]], columns: Sequence[str], *, title: str, total: int | None = None
) -> Table:
    """Return records as a table. Numbers are right-aligned and rounded, text is not parsed as markup.

    `total` is the number of rows that exist. The caption shows it if some rows are left out.
    """
    table = Table(title=title)
    for name in columns:
        table.add_column(name, justify="right" if _is_numeric(records, name) else "left")
    for record in records:
        table.add_row(*(Text(_cell(record[name])) for name in columns))
    if total is not None and total > len(records):
        table.caption = f"the first {len(records)} of {total} rows; --json prints all"
    return table


def format_minute(timestamp: object) -> str:
    """Format an ISO timestamp to the minute."""
    return str(timestamp)[:16].replace("T", " ")


def _is_numeric(records: Sequence[dict[str, Any]], name: str) -> bool:
    values = [record[name] for record in records if record[name] is not None]
    return bool(values) and all(isinstance(value, Number) for value in values)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
