"""Read the sheets of Excel workbooks, with values as the text a CSV file would have."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from ingest.errors import ArchiveUnsafe, IngestError, SourceUnreadable
from ingest.readers.containers import check_zip_sizes
from ingest.readers.csv import MOST_TITLE_LINES, unique_names
from ingest.readers.parquet import report_damage
from ingest.readers.report_lines import is_total, show_cells
from ingest.readers.rows import RawRow, RowSource, SkippedPart, replace_surrogates

_BUFFERED_ROWS = 2_000
"""Rows that are kept while the header is searched; more than the rows that recognition looks at."""

_Cells = tuple[str | None, ...]


def read_excel(path: Path, *, name: str | None = None) -> Iterator[RowSource | SkippedPart]:
    """Read each sheet of an Excel workbook. Raises SourceUnreadable and ArchiveUnsafe."""
    shown = name or path.name
    book = _open_workbook(path, shown)
    try:
        for sheet in book.worksheets:
            part = shown if len(book.worksheets) == 1 else f"{shown}#{sheet.title}"
            sheet.reset_dimensions()  # some programs write wrong ones
            rows = _SheetRows(report_damage(sheet.iter_rows(values_only=True), shown))
            source = _open_sheet(part, rows, start=0)
            if source is None:
                yield SkippedPart(part, "the sheet is empty", expected=True)
                continue
            if sheet.sheet_state != "visible":
                source.notes.append("the sheet is hidden in the workbook")
            yield source
    finally:
        book.close()


def _open_workbook(path: Path, shown: str) -> Any:  # noqa: ANN401 - openpyxl is an optional package
    try:
        import openpyxl  # noqa: PLC0415 - an optional package, and slow to import
    except ModuleNotFoundError:
        raise IngestError(
            f"{shown} is an Excel workbook, and the package openpyxl is not installed",
            next_step="Install it with: pip install 'synclens[excel]'",
        ) from None
    try:
        check_zip_sizes(path, shown)
        return openpyxl.load_workbook(path, read_only=True, data_only=True)
    except ArchiveUnsafe:
        raise
    except Exception as error:  # openpyxl raises whatever its parsers raise
        raise SourceUnreadable(shown, f"it is not an Excel workbook ({error})") from error


class _SheetRows:
    """The rows of a sheet that have a filled cell, which can be read again from any of the first ones."""

    def __init__(self, rows: Iterator[tuple[object, ...]]) -> None:
        self._rows = (cells for row in rows if any(cells := tuple(map(_cell, row))))
        self._buffer: list[_Cells] = []

    def read_from(self, start: int) -> Iterator[_Cells]:
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
    above: list[_Cells] = []
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


def _without_empty_end(row: _Cells) -> _Cells:
    end = len(row)
    while end and not (row[end - 1] or "").strip():
        end -= 1
    return row[:end]


def _rows(rows: Iterator[_Cells], header: list[str], notes: list[str]) -> Iterator[RawRow]:
    for number, row in enumerate(rows, start=1):
        if is_total(row, len(header)):
            notes.append(f"skipped as total: {show_cells(row)}")
        elif [(cell or "").strip() for cell in row[: len(header)]] == header:
            notes.append(f"skipped as repeated header: row {number}")
        else:
            yield _row(number, row, header)


def _row(number: int, row: _Cells, header: list[str]) -> RawRow:
    cells = dict.fromkeys(header) | dict(zip(header, row, strict=False))
    surplus = row[len(header) :]
    cells |= {f"column {len(header) + at}": cell for at, cell in enumerate(surplus, start=1) if cell}
    return RawRow(number, cells)


def _cell(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return replace_surrogates(value) if value else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, date | time):
        return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value.isoformat()
    if isinstance(value, timedelta):
        return str(value.total_seconds())
    return str(value)
