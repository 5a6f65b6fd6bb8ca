"""Read CSV files with any delimiter, quoting and line end, with titles, footers and broken lines.

This module joins lines into rows by itself: with the iterator of the `csv` module, a quote that is never closed
would turn the rest of the file into one row.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain, islice
from pathlib import Path

from ingest.errors import SourceUnreadable
from ingest.readers.report_lines import is_total, show_cells
from ingest.readers.rows import BulkTable, RawRow, RowSource, compact_json, replace_surrogates
from ingest.readers.text_layout import detect_layout

MOST_LINES_IN_A_ROW = 200
MOST_TITLE_LINES = 30
"""Title lines that a report may have above its header, without blank lines."""
BULK_MIN_BYTES = 1 << 20
"""File size from which DuckDB reads the file; below, planning costs more than it saves."""
LONGEST_HEADER = 1 << 17
"""Longest header line, in characters."""
SURPLUS_CELLS = 3
"""Surplus cells that DuckDB may find in a row; a file with more is read row by row."""

_DELIMITER_LINE = re.compile(r'"?sep=([,;\t|^~])"?[,;\t|^~]*', re.IGNORECASE)
_ROW_COUNT = re.compile(r"\(?\d+ rows?\b.{0,40}", re.IGNORECASE)
"""The line with which database shells end a table."""
_SAMPLE_LINES = 20
"""Lines below the header that decide what separates the cells."""
_TAIL = 4_096
"""Bytes at the end of a file that are searched for a total."""

NEVER_CLOSED = "row: a quote is never closed"
NOT_CSV = "row: is not valid CSV"
CELL_COUNT_REASON = "row: has "
"""How the reason begins for which a row with too many or too few cells is rejected."""


def read_csv(path: Path, encoding: str, *, name: str | None = None, title: int = 0) -> RowSource:
    """Read a CSV file as rows of text.

    The header is the first line that is not blank, after a `sep=;` line and after `title` more lines.
    """
    lines = _lines(path, encoding)
    above, first, declared = _read_to_header(lines, title)
    if len(first) > LONGEST_HEADER:
        raise SourceUnreadable(name or path.name, "its first line is not a header: it is too long")
    following = list(islice(lines, _SAMPLE_LINES))
    layout = detect_layout(first, following, declared)
    delimiter, lines = layout.delimiter, map(layout.clean, chain(following, lines))
    cells = _split_cells([layout.clean(first)], delimiter) if first else []
    header = unique_names([cell.strip() for cell in cells] if isinstance(cells, list) else [])
    source = RowSource(name or path.name, header, iter(()))
    source.notes += [f"skipped above the header: {line.strip()[:200]}" for line in above if line.strip()]
    if first and title < MOST_TITLE_LINES:
        source.reopen_below_title = partial(read_csv, path, encoding, name=name, title=title + 1)
    source.rows = _rows(_split(lines, delimiter), header, source.notes)
    if (
        path.stat().st_size >= BULK_MIN_BYTES
        and encoding.startswith("utf-8")
        and isinstance(cells, list)
        and first.endswith("\n")
        and layout.is_plain
        and not above
        and not _ends_with_total(path, encoding, delimiter, len(header))
    ):
        source.bulk = bulk_table(path, header, delimiter)
    return source


def _ends_with_total(path: Path, encoding: str, delimiter: str, width: int) -> bool:
    """Return whether a total is at the end of a file, which only Python leaves out."""
    with path.open("rb") as file:
        file.seek(-_TAIL, 2)
        tail = file.read().decode(encoding, errors="replace").splitlines()[1:]
    rows = [line.split(delimiter) for line in tail if line.strip()][-5:]
    return any(is_total(row, width) for row in rows)


def _read_to_header(lines: Iterator[str], title: int) -> tuple[list[str], str, str | None]:
    """Read up to the header: return the lines above it, the header, and the delimiter if a line declares it."""
    above: list[str] = []
    declared = None
    for line in lines:
        if not line.strip():
            above.append(line)
        elif not declared and (match := _DELIMITER_LINE.fullmatch(line.rstrip("\r\n"))):
            declared = match[1]
            above.append(line)
        elif title:
            title -= 1
            above.append(line)
        else:
            return above, line, declared
    return above, "", declared


def bulk_table(path: Path, header: list[str], delimiter: str) -> BulkTable:
    """Describe a CSV file, in UTF-8 and with its header on the first line, for DuckDB."""
    names = [
        *(f"c{number}" for number in range(len(header))),
        *(f"s{number}" for number in range(SURPLUS_CELLS)),
    ]
    shape = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    # Only missing cells are NULL: the text for NULL occurs in no file.
    relation = (
        f"read_csv($path, columns = {{{shape}}}, header = false, skip = 1, auto_detect = false, "
        "delim = $delimiter, quote = '\"', escape = '\"', null_padding = true, nullstr = '\x01\x02\x01')"
    )
    return BulkTable(relation, header, {"path": str(path), "delimiter": delimiter}, ragged=True)


def _lines(path: Path, encoding: str) -> Iterator[str]:
    # Windows-1252 does not define five bytes; such a byte becomes a replacement character.
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        yield from file


class _LineBuffer:
    """Lines that can be put back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._returned: deque[str] = deque()

    def next_line(self) -> str | None:
        return self._returned.popleft() if self._returned else next(self._lines, None)

    def put_back(self, lines: list[str]) -> None:
        self._returned.extendleft(reversed(lines))


def _split(lines: Iterator[str], delimiter: str) -> Iterator[tuple[list[str] | str, str]]:
    """Split lines into rows of cells, or a problem if that fails, each with its text."""
    buffer = _LineBuffer(lines)
    while (line := buffer.next_line()) is not None:
        if '"' not in line:
            yield line.rstrip("\r\n").split(delimiter), line
            continue
        row_lines = [line]
        cells = _split_cells(row_lines, delimiter)
        while (
            cells == NEVER_CLOSED
            and len(row_lines) < MOST_LINES_IN_A_ROW
            and (following := buffer.next_line()) is not None
        ):
            row_lines.append(following)
            cells = _split_cells(row_lines, delimiter) if '"' in following else cells
        if cells == NEVER_CLOSED:
            buffer.put_back(row_lines[1:])
            row_lines = row_lines[:1]
        yield cells, "".join(row_lines)


def _split_cells(row_lines: list[str], delimiter: str) -> list[str] | str:
    try:
        return next(csv.reader(row_lines, delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        return NEVER_CLOSED if "unexpected end of data" in str(error) else NOT_CSV


def _rows(
    split: Iterable[tuple[list[str] | str, str]], header: list[str], notes: list[str]
) -> Iterator[RawRow]:
    number, width = 0, len(header)
    held_back: list[RawRow] = []  # notes end a report; a broken row is followed by other rows
    blank_seen = False
    for cells, raw in split:
        if isinstance(cells, list) and not any(map(str.strip, cells)) and (len(cells) <= 1 or held_back):
            blank_seen = True
            continue
        number += 1
        if isinstance(cells, list):
            if is_total(cells, width):
                notes.append(f"skipped as total: {show_cells(cells)}")
                continue
            if cells == header:
                notes.append(f"skipped as repeated header: row {number}")
                continue
        row = _row(number, cells, raw, header)
        if isinstance(cells, list) and _may_be_note(cells, width, after_blank=blank_seen):
            held_back.append(row)
            continue
        yield from held_back
        held_back, blank_seen = [], False
        yield row
    notes.extend(f"skipped as footer: {row.original_text().strip()[:200]}" for row in held_back)


def _may_be_note(cells: list[str], width: int, *, after_blank: bool) -> bool:
    if width < 2 or len(_filled(cells)) != 1:
        return False
    return after_blank or (len(cells) == 1 and _ROW_COUNT.fullmatch(cells[0].strip()) is not None)


def _row(number: int, cells: list[str] | str, raw: str, header: list[str]) -> RawRow:
    line = replace_surrogates(raw.rstrip("\r\n"))
    if isinstance(cells, str):
        return RawRow(number, {}, cells, line)
    if len(cells) < len(header) or any(cells[len(header) :]):
        cells = list(map(replace_surrogates, cells))
        return RawRow(number, {}, cell_count_reason(len(cells), len(header)), compact_json(cells))
    return RawRow(number, dict(zip(header, map(replace_surrogates, cells), strict=False)))


def cell_count_reason(actual: int | str, expected: int) -> str:
    """Return the reason to reject a row with too few cells, or too many cells that are not empty."""
    return f"{CELL_COUNT_REASON}{actual} cells where the header has {expected}"


def _filled(cells: list[str]) -> list[str]:
    return [cell for cell in cells if cell.strip()]


def unique_names(names: list[str]) -> list[str]:
    """Return a distinct name for each column: repeats are numbered, empty names are filled."""
    seen: dict[str, int] = {}
    unique = []
    for position, name in enumerate(names, start=1):
        seen[name] = seen.get(name, 0) + 1
        base = name or f"column {position}"
        unique.append(base if seen[name] == 1 or not name else f"{base} ({seen[name]})")
    return unique
