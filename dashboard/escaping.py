"""Escape text from devices, so that pages and spreadsheets do not interpret it."""

from __future__ import annotations

import re
import string

import pandas as pd

_MARKUP = re.compile(f"([{re.escape(string.punctuation)}])")
# What GitHub's Markdown links automatically: https://…, www.…, and name@host.
_ADDRESS = re.compile(r"(?<=http)(?=:)|(?<=https)(?=:)|(?<=www)(?=\.)|(?=@)", re.IGNORECASE)
WORD_JOINER = "\u2060"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def escape(text: object, max_length: int = 200) -> str:
    """Return text as one line with all Markdown escaped.

    Bare addresses become links even if escaped, so an invisible word joiner splits them.
    """
    line = " ".join(str(text).split())
    line = line if len(line) <= max_length else f"{line[: max_length - 1]}…"
    return _MARKUP.sub(r"\\\1", _ADDRESS.sub(WORD_JOINER, line))


def escape_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a copy with an apostrophe before each cell or heading that a spreadsheet would run as a formula."""
    copy = frame.rename(columns=_escape_formula)
    for column in copy.columns:
        if copy[column].dtype == object or pd.api.types.is_string_dtype(copy[column]):
            copy[column] = copy[column].map(_escape_formula)
    return copy


def _escape_formula(value: object) -> object:
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value
