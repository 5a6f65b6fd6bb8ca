"""A row on its way in: its number, its cells as text, and what was wrong before anyone read a value."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


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

    def original_text(self) -> str:
        """Give the text to keep when the row is refused: the cells as a JSON object, or the line itself."""
        return self.raw if self.raw is not None else compact_json(self.cells)


@dataclass(frozen=True, slots=True)
class BulkTable:
    """A table that DuckDB can read by itself.

    `relation` is SQL that gives one text column `c0`, `c1`, … for each name of `header`, and with `ragged`
    the columns `s0`, `s1`, … for surplus cells and NULL for cells that are not there. With `by_line` it also
    gives the text of each row as `line`, and `plain`: rows that are not, or that would be refused, are read
    again by hand.
    """

    relation: str
    header: list[str]
    parameters: dict[str, Any]
    ragged: bool = False
    by_line: bool = False


@dataclass(slots=True)
class RowSource:
    """The rows of one table in a source: its column names, and the rows, once.

    Where DuckDB can read the table by itself, `bulk` says how. `defaults` fill columns of ours that a row
    leaves empty. `deletes_of` names the table whose rows the source deletes, `announced` is how many rows
    the source said there are. `lower` opens the source again with its header one line lower, for those that
    begin with a title.
    `notes` grows while the rows are read: things that are not rows, such as the footer of a report.
    """

    name: str
    header: list[str]
    rows: Iterator[RawRow]
    bulk: BulkTable | None = None
    defaults: dict[str, str] = field(default_factory=dict)
    deletes_of: str | None = None
    expected_rows: int | None = None
    reopen_below_title: Callable[[], RowSource | None] | None = None
    notes: list[str] = field(default_factory=list)


def compact_json(value: object) -> str:
    """Write JSON without blanks and with large hexadecimal digits, as DuckDB does."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _ESCAPE.sub(lambda found: found[0][:2] + found[0][2:].upper(), text) if "\\u" in text else text


_ESCAPE = re.compile(r"\\(?:u[0-9a-f]{4}|.)")


def cell_text(value: object) -> str | None:
    """Write a JSON value as the text a CSV would have: lists joined by commas, objects as JSON."""
    if isinstance(value, str):
        return replace_surrogates(value)
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and all(isinstance(each, str | int | float) for each in value):
        return ",".join(cell_text(each) or "" for each in value)
    return replace_surrogates(json.dumps(value, ensure_ascii=False, sort_keys=True))


def replace_surrogates(text: str) -> str:
    """Replace what no UTF-8 text can hold (half surrogate pairs), so that it can be stored."""
    if text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    return text.encode("utf-8", "replace").decode("utf-8")
