"""Read a sheet of cells: its header may be below titles, and totals are no rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from ingest.readers.csv import MOST_TITLE_LINES, unique_names
from ingest.readers.report_lines import is_total, show_cells
from ingest.readers.rows import RawRow, RowSource

_BUFFERED_ROWS = 2_000
"""Rows that are kept while the header is searched; more than the rows that recognition looks at."""

Cells = tuple[str | None, ...]


def open_sheet(name: str, rows: Iterable[Cells]) -> RowSource | None:
    """Return a source with the first row that has a filled cell as its header; None if there is no such row."""
    return _open_sheet(name, _SheetRows(rows), start=0)


class _SheetRows:
    """The rows of a sheet that have a filled cell, which can be read again from any of the first ones."""

    def __init__(self, rows: Iterable[Cells]) -> None:
        self._rows = (row for row in rows if any(row))
        self._buffer: list[Cells] = []

    def read_from(self, start: int) -> Iterator[Cells]:
        """Yield the rows from the one with the number `start`, counted from 0."""
        at = start
        while at < len(self._buffer):
            yield self._buffer[at]
            at += 1
        for row in self._rows:
            if len(self._buffer) < _BUFFERED_ROWS:
                self._buffer.append(row)
            yield row


def _open_sheet(name: str, rows: _SheetRows, *, start: int) -> RowSource | None:
    """Open a sheet with the filled row of number `start` as its header; None if there is no such row."""
    above: list[Cells] = []
    reader = rows.read_from(0)
    for _ in range(start):
        if (row := next(reader, None)) is None:
            return None
        above.append(row)
    first = next(reader, None)
    if first is None:
        return None
    header = unique_names([(cell or "").strip() for cell in _without_empty_end(first)])
    source = RowSource(name, header, iter(()), decimal=".")
    source.notes += [f"skipped above the header: {show_cells(row)}" for row in above]
    source.rows = _rows(rows.read_from(start + 1), header, source.notes)
    if start < MOST_TITLE_LINES:
        source.reopen_below_title = partial(_open_sheet, name, rows, start=start + 1)
    return source


def _without_empty_end(row: Cells) -> Cells:
    end = len(row)
    while end and not (row[end - 1] or "").strip():
        end -= 1
    return row[:end]


def _rows(rows: Iterator[Cells], header: list[str], notes: list[str]) -> Iterator[RawRow]:
    for number, row in enumerate(rows, start=1):
        if is_total(row, len(header)):
            notes.append(f"skipped as total: {show_cells(row)}")
        elif [(cell or "").strip() for cell in row[: len(header)]] == header:
            notes.append(f"skipped as repeated header: row {number}")
        else:
            yield _row(number, row, header)


def _row(number: int, row: Cells, header: list[str]) -> RawRow:
    cells = dict.fromkeys(header) | dict(zip(header, row, strict=False))
    surplus = row[len(header) :]
    cells |= {f"column {len(header) + at}": cell for at, cell in enumerate(surplus, start=1) if cell}
    return RawRow(number, cells)
