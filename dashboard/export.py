"""Files of exactly what is shown, with the view and the definition in their header."""

from __future__ import annotations

import json

import pandas as pd

from analysis.base.spreadsheet import escape_formulas


def to_csv(frame: pd.DataFrame, *, title: str, about: str, view: str) -> bytes:
    """CSV in UTF-8 with the mark Excel asks for; header lines start with `#`; no cell is a formula."""
    header = "".join(f"# {' '.join(line.split())}\n" for line in (title, about, view) if line)
    body = escape_formulas(_flatten_lists(frame)).to_csv(index=False, lineterminator="\r\n")
    return ("\ufeff" + header + body).encode("utf-8")


def to_json(frame: pd.DataFrame, *, title: str, about: str, view: str) -> bytes:
    """One JSON object: what it is, how it was filtered, and the rows."""
    rows = json.loads(frame.to_json(orient="records", date_format="iso"))
    document = {"title": title, "definition": about, "view": view, "rows": rows}
    return json.dumps(document, ensure_ascii=False, indent=1).encode("utf-8")


def _flatten_lists(frame: pd.DataFrame) -> pd.DataFrame:
    """Lists become text separated by `; `, which spreadsheets can show."""
    copy = frame.copy()
    for column in copy.columns:
        if copy[column].map(lambda value: isinstance(value, list | tuple) or hasattr(value, "tolist")).any():
            copy[column] = copy[column].map(_join_list)
    return copy


def _join_list(value: object) -> object:
    if hasattr(value, "tolist"):
        value = value.tolist()
    return "; ".join(map(str, value)) if isinstance(value, list | tuple) else value
