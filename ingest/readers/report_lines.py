"""Recognize the lines of a report that are no rows of data: totals, in the languages of `totals.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

_LONGEST_SHOWN = 200
_NUMBER = re.compile(r"[-+]?[\d\s.,'’\u00a0]*\d\s*%?")
_MOST_FILLED = 0.5
"""Share of filled cells up to which a row with the word for a total is no row of data."""


def is_total(cells: Sequence[str | None], width: int) -> bool:
    """Return whether the cells of a row are a total."""
    start = next((cell for cell in cells if cell and not cell.isspace()), None)
    if start is None or not (match := _total_pattern().match(start.strip())):
        return False  # nearly all rows end here
    first, *others = [cell.strip() for cell in cells if cell and cell.strip()]
    rest = first[match.end() :].strip(" :=()[]-–\t")
    is_sparse = len(others) < max(2, _MOST_FILLED * width) and width > len(others) + 1
    return all(_NUMBER.fullmatch(each) for each in others) and (not rest or (is_sparse and _is_amount(rest)))


def show_cells(cells: Sequence[str | None]) -> str:
    """Return the filled cells of a row as one short text."""
    return ", ".join(cell.strip() for cell in cells if cell and cell.strip())[:_LONGEST_SHOWN]


def _is_amount(text: str) -> bool:
    # "Total (12 records)": a number and at most one word.
    words = text.split()
    return len(words) <= 2 and bool(_NUMBER.fullmatch(words[0]))


@cache
def _total_pattern() -> re.Pattern[str]:
    content = tomllib.loads(files("ingest.readers").joinpath("totals.toml").read_text(encoding="utf-8"))
    words = sorted(set(content["words"]), key=len, reverse=True)
    return re.compile(rf"(?:{'|'.join(map(re.escape, words))})(?!\w)", re.IGNORECASE)
