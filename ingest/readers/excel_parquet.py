"""Read Parquet files and Excel sheets, with values as the text a CSV file would have."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from itertools import count
from pathlib import Path
from typing import TypeVar

import duckdb

from ingest.errors import ArchiveUnsafe, IngestError, SourceUnreadable
from ingest.readers.containers import check_zip_sizes
from ingest.readers.csv import unique_names
from ingest.readers.rows import BulkTable, RawRow, RowSource, replace_surrogates

_Row = TypeVar("_Row")


def read_parquet(path: Path, *, name: str | None = None) -> RowSource:
    """Read a Parquet file. Raises SourceUnreadable."""
    with duckdb.connect(":memory:") as reader:
        try:
            table = parquet_table(reader, path)
        except duckdb.Error as error:
            raise SourceUnreadable(path.name, str(error).splitlines()[0]) from error
    rows = _report_damage(_parquet_rows(table.relation, table.header, str(path)), path.name)
    return RowSource(name or path.name, table.header, rows, bulk=table)


def parquet_table(reader: duckdb.DuckDBPyConnection, path: Path) -> BulkTable:
    """Describe a Parquet file; typed columns are converted to text as Vault writes them."""
    columns = reader.execute("DESCRIBE FROM read_parquet($path)", {"path": str(path)}).fetchall()
    texts = ", ".join(
        f"{_text_sql(_quoted(name), type_)} AS c{number}" for number, (name, type_, *_) in enumerate(columns)
    )
    header = [name for name, *_ in columns]
    return BulkTable(f"(SELECT {texts} FROM read_parquet($path))", header, {"path": str(path)})


def _text_sql(column: str, type_: str) -> str:
    if type_ == "TIMESTAMP WITH TIME ZONE":
        return f"strftime({column} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')"
    if type_.startswith("TIMESTAMP"):
        return f"strftime({column}::TIMESTAMP, '%Y-%m-%dT%H:%M:%S.%f')"
    if type_.endswith("[]"):
        return f"array_to_string({column}::VARCHAR[], ',')"
    return f"CAST({column} AS VARCHAR)"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _parquet_rows(relation: str, header: list[str], path: str) -> Iterator[RawRow]:
    with duckdb.connect(":memory:") as reader:
        reader.execute("SET TimeZone = 'UTC'")
        result = reader.execute(f"SELECT * FROM {relation}", {"path": path})
        numbers = count(1)
        while rows := result.fetchmany(5_000):
            for row in rows:
                yield RawRow(next(numbers), dict(zip(header, row, strict=True)))


def read_excel(path: Path, *, name: str | None = None) -> Iterator[RowSource]:
    """Read each sheet of an Excel workbook that has a header and at least one more row."""
    shown = name or path.name
    try:
        import openpyxl  # noqa: PLC0415 - an optional package, and slow to import
    except ModuleNotFoundError:
        raise IngestError(
            f"{shown} is an Excel workbook, and the package openpyxl is not installed",
            next_step="Install it with: pip install 'synclens[excel]'",
        ) from None

    try:
        check_zip_sizes(path, shown)
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except ArchiveUnsafe:
        raise
    except Exception as error:  # openpyxl raises whatever its parsers raise
        raise SourceUnreadable(shown, f"it is not an Excel workbook ({error})") from error
    try:
        for sheet in book.worksheets:
            every = _report_damage(sheet.iter_rows(values_only=True), shown)
            rows = (row for row in every if any(cell is not None for cell in row))
            first = next(rows, None)
            if first is None:
                continue
            header = unique_names([(_cell(cell) or "").strip() for cell in first])
            part = shown if len(book.worksheets) == 1 else f"{shown}#{sheet.title}"
            yield RowSource(part, header, _sheet_rows(rows, header))
    finally:
        book.close()


def _report_damage(rows: Iterator[_Row], name: str) -> Iterator[_Row]:
    # Damage within a file shows only while its rows are read.
    try:
        yield from rows
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise SourceUnreadable(name, f"it is damaged ({reason})") from error


def _sheet_rows(rows: Iterator[tuple[object, ...]], header: list[str]) -> Iterator[RawRow]:
    for number, row in enumerate(rows, start=1):
        yield RawRow(number, dict(zip(header, map(_cell, row), strict=False)))


def _cell(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return replace_surrogates(value) if value else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime | date):
        return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value.isoformat()
    return str(value)
