"""Read the sheets of Excel workbooks, with values as the text a CSV file would have."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from ingest.errors import ArchiveUnsafe, IngestError, SourceUnreadable
from ingest.readers.containers import check_zip_sizes
from ingest.readers.parquet import report_damage
from ingest.readers.rows import RowSource, SkippedPart, replace_surrogates
from ingest.readers.sheets import open_sheet


def read_excel(path: Path, *, name: str | None = None) -> Iterator[RowSource | SkippedPart]:
    """Read each sheet of an Excel workbook. Raises SourceUnreadable and ArchiveUnsafe."""
    shown = name or path.name
    book = _open_workbook(path, shown)
    try:
        for sheet in book.worksheets:
            part = shown if len(book.worksheets) == 1 else f"{shown}#{sheet.title}"
            sheet.reset_dimensions()  # some programs write wrong ones
            rows = report_damage(sheet.iter_rows(values_only=True), shown)
            source = open_sheet(part, (tuple(map(_cell, row)) for row in rows))
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
