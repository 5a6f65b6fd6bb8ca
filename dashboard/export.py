"""Export a table as CSV or JSON, with the view and the definition in the header."""

from __future__ import annotations

import json

import pandas as pd

from analysis.base.spreadsheet import escape_formulas


def to_csv(frame: pd.DataFrame, *, title: str, definition: str, view: str) -> bytes:
    """Return CSV in UTF-8 with a byte order mark. Header lines start with `#`; formulas are escaped."""
    header = "".join(f"# {' '.join(line.split())}\n" for line in (title, definition, view) if line)
    body = escape_formulas(_flatten_lists(frame)).to_csv(index=False, lineterminator="\r\n")
    return ("\ufeff" + header + body).encode("utf-8")


def to_json(frame: pd.DataFrame, *, title: str, definition: str, view: str) -> bytes:
    """Return a JSON object with title, definition, view and rows."""
    rows = json.loads(frame.to_json(orient="records", date_format="iso"))
    document = {"title": title, "definition": definition, "view": view, "rows": rows}
    return json.dumps(document, ensure_ascii=False, indent=1).encode("utf-8")


def _flatten_lists(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a copy with lists joined by `; `, for spreadsheets."""
    copy = frame.copy()
    for column in copy.columns:
        if copy[column].map(lambda value: isinstance(value, list | tuple) or hasattr(value, "tolist")).any():
            copy[column] = copy[column].map(_join_list)
    return copy


def _join_list(value: object) -> object:
    if hasattr(value, "tolist"):
        value = value.tolist()
    return "; ".join(map(str, value)) if isinstance(value, list | tuple) else value
