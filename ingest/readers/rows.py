"""Rows as text, before their cells are converted, and the sources they come from."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from typing import Any, Literal


@dataclass(slots=True)
class RawRow:
    """One row of text.

    `number` counts rows of data from 1. `cells` are keyed by the source's column names. A row that could not be
    split into cells has a `problem` and its `raw` text.
    """

    number: int
    cells: Mapping[str, str | None]
    problem: str | None = None
    raw: str | None = None

    def original_text(self) -> str:
        """Return the text to keep if the row is rejected: its line, or its cells as a JSON object."""
        return self.raw if self.raw is not None else compact_json(self.cells)


@dataclass(frozen=True, slots=True)
class BulkTable:
    """A table that DuckDB can read from a file.

    `relation` is SQL with one text column `c0`, `c1`, … for each name of `header`. If `ragged`, it also has the
    columns `s0`, `s1`, … for surplus cells, and NULL for missing cells. If `by_line`, it has the text of each
    row as `line`, and the flag `plain`: other rows, and rows with a problem, are read again with Python.
    """

    relation: str
    header: list[str]
    parameters: dict[str, Any]
    ragged: bool = False
    by_line: bool = False


@dataclass(slots=True)
class RowSource:
    """The rows of one table in a source, which can be read once.

    `bulk` describes the table for DuckDB, if DuckDB can read it. `defaults` fill empty columns of the contract.
    `deletes_of` names the table whose rows the source deletes. `expected_rows` is the number of rows that the
    source announced. `reopen_below_title` opens the source again with its header one line lower, for files that
    begin with a title. `may_be_empty` is whether a table without rows is complete, and `may_be_unknown` whether
    a table of unknown columns is no loss, as in Direct Data. `content_hash` identifies the content of the file.
    `decimal` is the decimal sign and `time_zone` the zone of times without one, if the format defines them.
    `notes` grows while the rows are read, for example with the footer of a report. `document_time` is the time of
    the whole document, such as the date of a mail, and `document_time_source` names where it is stated.
    `file_time` is when the file was changed. `table` is the table of the rows, if their reader is certain. `refusal`
    is the reason not to load the rows, which can still be classified: the document is only a refused API call, or
    a text whose lines do not look like errors. `headings` is the header of the source itself, also after its rows
    were converted to that of a table. `renamed` has the names in the header that are the reader's, not the
    file: they do not prove of which table the rows are.
    """

    name: str
    header: list[str]
    rows: Iterator[RawRow]
    bulk: BulkTable | None = None
    defaults: dict[str, str] = field(default_factory=dict)
    deletes_of: str | None = None
    expected_rows: int | None = None
    reopen_below_title: Callable[[], RowSource | None] | None = None
    may_be_empty: bool = False
    may_be_unknown: bool = False
    content_hash: str | None = None
    notes: list[str] = field(default_factory=list)
    decimal: Literal[".", ","] | None = None
    time_zone: str | None = None
    document_time: datetime | None = None
    document_time_source: str | None = None
    file_time: datetime | None = None
    table: str | None = None
    refusal: str | None = None
    renamed: AbstractSet[str] = frozenset()
    headings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Keep the source's own headings; they stay if its rows are converted to another header."""
        self.headings = self.headings or list(self.header)

    def peek(self, most: int) -> list[RawRow]:
        """Return the first rows, at most `most`; they can still be read from the source."""
        first = list(islice(self.rows, most))
        self.rows = chain(first, self.rows)
        return first


@dataclass(frozen=True, slots=True)
class SkippedPart:
    """A part of a source that is not read: a file, a sheet, or a member of an archive.

    `next_step` is what the user can do to load it. `expected` is whether such a part never has rows to load,
    such as the index of an archive.
    """

    name: str
    reason: str
    next_step: str = ""
    expected: bool = False


def compact_json(value: object) -> str:
    """Format JSON without spaces and with upper-case hexadecimal digits, as DuckDB does."""
    text = _encode(value)
    return _ESCAPE.sub(lambda match: match[0][:2] + match[0][2:].upper(), text) if "\\u" in text else text


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_ESCAPE = re.compile(r"\\(?:u[0-9a-f]{4}|.)")


def derived_key(row: RawRow) -> str:
    """Make an id from a row's content, for sources without ids: equal rows are one event."""
    content = "".join(f"{name}\x1f{cell}\x1e" for name, cell in sorted(row.cells.items()) if cell)
    return f"derived-{hashlib.sha256(content.encode()).hexdigest()[:24]}"


def cell_text(value: object) -> str | None:
    """Return a JSON value as the text a CSV file would have: lists joined by commas, objects as JSON."""
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
    """Replace unpaired surrogates, which UTF-8 cannot represent."""
    if text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    return text.encode("utf-8", "replace").decode("utf-8")
