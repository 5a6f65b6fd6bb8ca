"""A row on its way in: its number, its cells as text, and what was wrong before anyone read a value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class RawRow:
    """One row as it came.

    `number` counts rows of data from 1. A row that could be split has `cells`, by the source's own column
    names; one that could not has a `problem` and only its `raw` text.
    """

    number: int
    cells: Mapping[str, str | None]
    problem: str | None = None
    raw: str | None = None

    def as_came(self) -> str:
        """Give the text to keep when the row is refused: the cells as a JSON object, or the line itself."""
        return self.raw if self.raw is not None else json.dumps(self.cells, ensure_ascii=False)


@dataclass(slots=True)
class RowSource:
    """The rows of one table in a source: its column names, and the rows, once.

    `notes` grows while the rows are read: things that are not rows, such as the footer of a report.
    """

    name: str
    header: list[str]
    rows: Iterator[RawRow]
    notes: list[str] = field(default_factory=list)


def as_text(value: object) -> str | None:
    """Write a JSON value as the text a CSV would have: lists joined by commas, objects as JSON."""
    if value is None or isinstance(value, str):
        return value if value is None else clean(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and all(isinstance(each, str | int | float) for each in value):
        return ",".join(as_text(each) or "" for each in value)
    return clean(json.dumps(value, ensure_ascii=False, sort_keys=True))


def clean(text: str) -> str:
    """Replace what no UTF-8 text can hold (half surrogate pairs), so that it can be stored."""
    return text.encode("utf-8", "replace").decode("utf-8") if _has_surrogate(text) else text


def _has_surrogate(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)
