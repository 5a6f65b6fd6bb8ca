"""Escape text that a spreadsheet would run as a formula."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def escape_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of a frame in which no text cell and no heading is a formula.

    An apostrophe is put before each text that starts like one. Numbers do not change.
    """
    copy = frame.rename(columns=_escape_formula)
    for column in copy.columns:
        if copy[column].dtype.kind == "O":
            copy[column] = copy[column].map(_escape_formula)
    return copy


def _escape_formula(value: object) -> object:
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value
