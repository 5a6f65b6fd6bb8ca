"""Stage the JSON lines that DuckDB set aside, after reading them with Python."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from duckdb import DuckDBPyConnection

from ingest.readers.json_lines import parse_lines
from ingest.readers.rows import RawRow
from ingest.staging.bulk import NotBulkLoadable
from ingest.store.merge import STAGED

_CHUNK_ROWS = 20_000


def pop_set_aside_rows(store: DuckDBPyConnection) -> Iterator[list[RawRow]]:
    """Remove the lines set aside from the staging table, and yield them in chunks as rows, in file order.

    Raises NotBulkLoadable if a line turns out to be blank.
    """
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE set_aside_line AS SELECT rowid + 1 AS number, raw FROM {STAGED} "
        "WHERE len(reasons) > 0"
    )
    store.execute(f"DELETE FROM {STAGED} WHERE len(reasons) > 0")
    last = 0
    while lines := store.execute(
        "SELECT number, raw FROM set_aside_line WHERE number > $last ORDER BY number LIMIT $most",
        {"last": last, "most": _CHUNK_ROWS},
    ).fetchall():
        yield _parse(lines)
        last = lines[-1][0]
    store.execute("DROP TABLE set_aside_line")


def _parse(lines: Iterable[tuple[int, str]]) -> list[RawRow]:
    rows = []
    for number, line in lines:
        row = next(parse_lines([line]), None)
        if row is None:
            raise NotBulkLoadable("a line that looked like a row is blank")
        rows.append(replace(row, number=number))
    return rows
