"""CSV as people really have it: any delimiter, quoting, line end; labels, footers, and lines that are broken.

Lines are put together into rows here rather than by the `csv` module's iterator, because a quote that is
opened and never closed would make one row of the rest of the file.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from ingest.readers.rows import BulkTable, RawRow, RowSource, compact_json, replace_surrogates

DELIMITERS = (",", ";", "\t", "|")
MOST_LINES_IN_A_ROW = 200
LARGEST_CELL = 1 << 24
MOST_TITLE_LINES = 30
"""Lines above the header that a report may have; blank ones are not counted."""
BULK_MIN_BYTES = 1 << 20
"""Bytes from which the fast road gains more than its preparation costs."""
SURPLUS_CELLS = 3
"""Cells beyond the header that the fast road looks at; a row with still more takes the careful one."""

_NAMED_DELIMITER = re.compile(r'"?sep=([,;\t|])"?[,;\t|]*', re.IGNORECASE)

NEVER_CLOSED = "row: a quote is opened and never closed"
NOT_CSV = "row: is not CSV"


def read_csv(path: Path, encoding: str, *, name: str | None = None, title: int = 0) -> RowSource:
    """Read a CSV file as text, row by row; no value is guessed at.

    The first line that is not blank is the header, after a line `sep=;` and after `title` lines more.
    """
    lines = _lines(path, encoding)
    above, first, told = _to_header(lines, title)
    delimiter = told or detect_delimiter(first)
    cells = _cut([first], delimiter) if '"' in first else first.rstrip("\r\n").split(delimiter)
    header = unique_names([cell.strip() for cell in cells] if isinstance(cells, list) else [])
    source = RowSource(name or path.name, header, iter(()))
    source.notes += [f"left out above the header: {line.strip()[:200]}" for line in above if line.strip()]
    if first and title < MOST_TITLE_LINES:
        source.reopen_below_title = partial(read_csv, path, encoding, name=name, title=title + 1)
    source.rows = _rows(_split(lines, delimiter), header, source.notes)
    if (
        path.stat().st_size >= BULK_MIN_BYTES
        and encoding.startswith("utf-8")
        and isinstance(cells, list)
        and first.endswith("\n")
        and not above
    ):
        source.bulk = bulk_table(path, header, delimiter)
    return source


def _to_header(lines: Iterator[str], title: int) -> tuple[list[str], str, str | None]:
    """Take the lines down to the header: those above it, the header, and the delimiter if a line names it."""
    above: list[str] = []
    told = None
    for line in lines:
        if not line.strip():
            above.append(line)
        elif not told and (named := _NAMED_DELIMITER.fullmatch(line.rstrip("\r\n"))):
            told = named[1]
            above.append(line)
        elif title:
            title -= 1
            above.append(line)
        else:
            return above, line, told
    return above, "", told


def bulk_table(path: Path, header: list[str], delimiter: str) -> BulkTable:
    """Describe a CSV file for the fast road: UTF-8, its header on the first line."""
    names = [
        *(f"c{number}" for number in range(len(header))),
        *(f"s{number}" for number in range(SURPLUS_CELLS)),
    ]
    shape = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    # A text that no file holds stands for NULL, so that only cells that are not there are NULL.
    relation = (
        f"read_csv($path, columns = {{{shape}}}, header = false, skip = 1, auto_detect = false, "
        "delim = $delimiter, quote = '\"', escape = '\"', null_padding = true, nullstr = '\x01\x02\x01')"
    )
    return BulkTable(relation, header, {"path": str(path), "delimiter": delimiter}, ragged=True)


def detect_delimiter(header: str) -> str:
    """Name the delimiter of a header line: the one that cuts it into most cells."""
    unquoted = "".join(part for index, part in enumerate(header.split('"')) if index % 2 == 0)
    return max(DELIMITERS, key=unquoted.count)


def _lines(path: Path, encoding: str) -> Iterator[str]:
    # Windows-1252 has five holes; a byte that falls into one is shown as such, not fatal.
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        yield from file


class _Feed:
    """Lines, with the possibility to give some back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._returned: deque[str] = deque()

    def take(self) -> str | None:
        return self._returned.popleft() if self._returned else next(self._lines, None)

    def give_back(self, lines: list[str]) -> None:
        self._returned.extendleft(reversed(lines))


def _split(lines: Iterator[str], delimiter: str) -> Iterator[tuple[list[str] | str, str]]:
    """Cut lines into the cells of rows, each with its text; what cannot be cut gives its problem instead."""
    feed = _Feed(lines)
    while (line := feed.take()) is not None:
        if '"' not in line:
            yield line.rstrip("\r\n").split(delimiter), line
            continue
        taken = [line]
        cells = _cut(taken, delimiter)
        while (
            cells == NEVER_CLOSED and len(taken) < MOST_LINES_IN_A_ROW and (after := feed.take()) is not None
        ):
            taken.append(after)
            cells = _cut(taken, delimiter) if '"' in after else cells
        if cells == NEVER_CLOSED:
            feed.give_back(taken[1:])
            taken = taken[:1]
        yield cells, "".join(taken)


def _cut(taken: list[str], delimiter: str) -> list[str] | str:
    try:
        return next(csv.reader(taken, delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        return NEVER_CLOSED if "unexpected end of data" in str(error) else NOT_CSV


def _rows(
    split: Iterable[tuple[list[str] | str, str]], header: list[str], notes: list[str]
) -> Iterator[RawRow]:
    number, width = 0, len(header)
    after_blank: list[RawRow] = []
    blank_seen = False
    for cells, raw in split:
        if isinstance(cells, list) and len(cells) <= 1 and not any(map(str.strip, cells)):
            blank_seen = True
            continue
        number += 1
        row = _row(number, cells, raw, header)
        if blank_seen and isinstance(cells, list) and width > 1 and len(_filled(cells)) == 1:
            after_blank.append(row)  # a report ends with lines of prose; a broken row is followed by others
            continue
        yield from after_blank
        after_blank, blank_seen = [], False
        yield row
    notes.extend(f"left out as footer: {row.original_text().strip()[:200]}" for row in after_blank)


def _row(number: int, cells: list[str] | str, raw: str, header: list[str]) -> RawRow:
    line = replace_surrogates(raw.rstrip("\r\n"))
    if isinstance(cells, str):
        return RawRow(number, {}, cells, line)
    if len(cells) < len(header) or any(cells[len(header) :]):
        cells = list(map(replace_surrogates, cells))
        return RawRow(number, {}, cell_count_reason(len(cells), len(header)), compact_json(cells))
    return RawRow(number, dict(zip(header, map(replace_surrogates, cells), strict=False)))


def cell_count_reason(found: int | str, expected: int) -> str:
    """Word the reason for a row that has too few cells, or too many that are not empty."""
    return f"row: has {found} cells where the header has {expected}"


def _filled(cells: list[str]) -> list[str]:
    return [cell for cell in cells if cell.strip()]


def unique_names(names: list[str]) -> list[str]:
    """Tell columns of one name apart, and name those without one, or they would overwrite each other."""
    seen: dict[str, int] = {}
    told_apart = []
    for position, name in enumerate(names, start=1):
        seen[name] = seen.get(name, 0) + 1
        base = name or f"column {position}"
        told_apart.append(base if seen[name] == 1 or not name else f"{base} ({seen[name]})")
    return told_apart
