"""Read Parquet files, with values as the text a CSV file would have."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TypeVar

import duckdb

from ingest.errors import SourceUnreadable
from ingest.readers.rows import BulkTable, RawRow, RowSource

_Row = TypeVar("_Row")


def read_parquet(path: Path, *, name: str | None = None) -> RowSource:
    """Read a Parquet file. Raises SourceUnreadable."""
    with duckdb.connect(":memory:") as reader:
        try:
            table = parquet_table(reader, path)
        except duckdb.Error as error:
            raise SourceUnreadable(path.name, str(error).splitlines()[0]) from error
    rows = report_damage(_parquet_rows(table.relation, table.header, str(path)), path.name)
    return RowSource(name or path.name, table.header, rows, bulk=table, decimal=".")


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


def report_damage(rows: Iterator[_Row], name: str) -> Iterator[_Row]:
    """Yield rows; an error while they are read becomes SourceUnreadable."""
    try:
        yield from rows
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise SourceUnreadable(name, f"it is damaged ({reason})") from error
