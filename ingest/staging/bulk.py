"""Stage whole files through DuckDB's own readers.

The cells pass through the same SQL as rows that are read one by one. A file that DuckDB cannot read exactly as
the row readers would raises NotBulkLoadable, and is then read row by row.
"""

from __future__ import annotations

import duckdb
from duckdb import DuckDBPyConnection

from ingest.contracts.cell_format import CellFormat
from ingest.mapping.mapping import ColumnMapping
from ingest.readers.csv import SURPLUS_CELLS, cell_count_reason
from ingest.readers.rows import BulkTable
from ingest.staging.statement import TextTable, stage_text
from ingest.store.merge import STAGED


class NotBulkLoadable(Exception):
    """A file has to be read row by row; the message is the reason."""


def stage_bulk(
    store: DuckDBPyConnection, table: BulkTable, mapping: ColumnMapping, cell_format: CellFormat
) -> int:
    """Stage all rows of a table, and return their number. Raises NotBulkLoadable."""
    try:
        stage_text(store, _text_table(table, mapping), mapping, cell_format)
    except duckdb.Error as error:
        raise NotBulkLoadable(str(error).splitlines()[0]) from error
    single = f"SELECT count(*) FROM {STAGED} WHERE starts_with(reasons[1], 'row: has 1 cells')"
    if table.ragged and (store.execute(single).fetchone() or (0,))[0]:
        raise NotBulkLoadable("some lines have one cell, as the footer of a report has")
    (count,) = store.execute(f"SELECT count(*) FROM {STAGED}").fetchone() or (0,)
    return int(count)


def _text_table(table: BulkTable, mapping: ColumnMapping) -> TextTable:
    assigned = mapping.assign(table.header)
    relation = table.relation
    if mapping.doubled_backslashes:
        halved = ", ".join(_halved(cell) for cell in _cells(table.header))
        relation = f"(SELECT * REPLACE ({halved}) FROM {relation})"
    return TextTable(
        relation=relation,
        texts={column: f"c{table.header.index(heading)}" for column, heading in assigned.items()},
        derived_key=_derived_key(table),
        extra=_extra(table, set(assigned.values())),
        raw=_raw(table),
        row_problem=f"({_row_problem(table)})::VARCHAR" if table.ragged else "NULL::VARCHAR",
        is_plain="plain" if table.by_line else None,
        parameters=table.parameters | {f"h{n}": name for n, name in enumerate(table.header)},
    )


def _row_problem(table: BulkTable) -> str:
    width = len(table.header)
    everything = [*_cells(table.header), *(f"s{number}" for number in range(SURPLUS_CELLS))]
    count = " + ".join(f"({name} IS NOT NULL)::INTEGER" for name in everything)
    surplus = " OR ".join(f"coalesce(s{number}, '') <> ''" for number in range(SURPLUS_CELLS))
    reason = cell_count_reason("#", width).replace("#", f"' || ({count}) || '", 1)
    return f"CASE WHEN c{width - 1} IS NULL OR {surplus} THEN '{reason}' END"


def _raw(table: BulkTable) -> str:
    if table.by_line:
        return "line"
    whole = ", ".join(f"$h{number}, {cell}" for number, cell in enumerate(_cells(table.header)))
    row = f"json_object({whole})::VARCHAR"
    if not table.ragged:
        return row
    everything = ", ".join([*_cells(table.header), *(f"s{number}" for number in range(SURPLUS_CELLS))])
    present = f"list_filter([{everything}], lambda x: x IS NOT NULL)"
    return f"CASE WHEN row_problem IS NOT NULL THEN to_json({present})::VARCHAR ELSE {row} END"


def _extra(table: BulkTable, used: set[str]) -> str:
    columns = sorted((name, number) for number, name in enumerate(table.header) if name not in used)
    if not columns:
        return "NULL"
    entries = ", ".join(f"{{'k': $h{number}, 'v': c{number}}}" for _, number in columns)
    filled = " OR ".join(f"c{number} <> ''" for _, number in columns)
    return (
        f"CASE WHEN {filled} THEN to_json(map_from_entries(list_filter([{entries}], "
        "lambda e: e.v IS NOT NULL AND e.v <> '')))::VARCHAR END"
    )


def _derived_key(table: BulkTable) -> str:
    columns = sorted((name, number) for number, name in enumerate(table.header))
    parts = ", ".join(
        f"CASE WHEN c{number} <> '' THEN $h{number} || chr(31) || c{number} || chr(30) ELSE '' END"
        for _, number in columns
    )
    return f"'derived-' || left(sha256(concat({parts})), 24)"


def _halved(cell: str) -> str:
    return f"replace({cell}, '\\\\', '\\') AS {cell}"


def _cells(header: list[str]) -> list[str]:
    return [f"c{number}" for number in range(len(header))]
