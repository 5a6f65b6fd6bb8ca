"""Detect how the lines of a text table are split into cells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

DELIMITERS = (",", ";", "\t", "|")
RARE_DELIMITERS = ("\x1f", "\x01", "^", "~", "¦")
"""Delimiters that also occur within text, so that every line must have as many of them as the header."""

_MIN_SHARE = 0.5
"""Share of lines that must have as many cells as the header, unless no delimiter has it."""
_RULE = re.compile(r"[-+|=:\s]*-{2,}[-+|=:\s]*")
_EDGES = re.compile(r"^\s*\|?\s*|\s*\|?\s*$")
_BAR = re.compile(r"\s*\|\s*")
_GAP = re.compile(r" {2,}|\t")
_FEWEST_COLUMNS = 3
"""Columns from which gaps of two or more spaces are a layout and not text."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How lines are split: at a delimiter, after they are cleaned from what only aligns the columns."""

    delimiter: str
    kind: str = "plain"

    @property
    def is_plain(self) -> bool:
        """Whether lines are split as they are."""
        return self.kind == "plain"

    def clean(self, line: str) -> str:
        """Return a line with nothing but cells and delimiters; a rule between lines becomes blank."""
        if self.kind == "plain":
            return line
        if self.kind == "spaces":
            return _GAP.sub("\t", line.strip()) + "\n"
        return "\n" if _RULE.fullmatch(line) else _BAR.sub("|", _EDGES.sub("", line)) + "\n"


def detect_layout(header: str, following: Sequence[str], declared: str | None = None) -> Layout:
    """Return the layout of a table from its header and the lines below; `declared` is its delimiter, if stated."""
    if declared:
        return Layout(declared)
    if _is_drawn(header, following):
        return Layout("|", "drawn")
    lines = [line for line in following if line.strip()]
    if not any(delimiter in header for delimiter in (*DELIMITERS, *RARE_DELIMITERS)) and _is_aligned(
        header, lines
    ):
        return Layout("\t", "spaces")
    return Layout(detect_delimiter(header, lines))


def detect_delimiter(header: str, following: Sequence[str] = ()) -> str:
    """Return the delimiter of a header line.

    It is the one that splits the header into the most cells, among those that split most of the `following` lines
    into as many.
    """
    counts = {delimiter: count_delimiters(header, delimiter) for delimiter in DELIMITERS}
    if not any(counts.values()):
        rare = max(RARE_DELIMITERS, key=header.count)
        if header.count(rare) and all(line.count(rare) == header.count(rare) for line in following):
            return rare
    consistent = [
        delimiter
        for delimiter, count in counts.items()
        if count and _share(delimiter, count, following) >= _MIN_SHARE
    ]
    return max(consistent or DELIMITERS, key=lambda delimiter: counts[delimiter])


def count_delimiters(line: str, delimiter: str) -> int:
    """Return how often a delimiter occurs outside of quotes."""
    if '"' not in line:
        return line.count(delimiter)
    return "".join(part for index, part in enumerate(line.split('"')) if index % 2 == 0).count(delimiter)


def _share(delimiter: str, count: int, following: Sequence[str]) -> float:
    if not following:
        return 1.0
    return sum(count_delimiters(line, delimiter) == count for line in following) / len(following)


def _is_drawn(header: str, following: Sequence[str]) -> bool:
    """Return whether lines and bars are drawn around the cells, as database shells and Markdown do."""
    return "|" in header and any(_RULE.fullmatch(line.strip("\r\n")) for line in following[:1])


def _is_aligned(header: str, following: Sequence[str]) -> bool:
    width = len(_GAP.split(header.strip()))
    return (
        width >= _FEWEST_COLUMNS
        and len(following) > 1
        and all(len(_GAP.split(line.strip())) == width for line in following)
    )
