"""The fast road: whole files through DuckDB's own readers, held against the same contracts in SQL.

It takes only what it can take exactly as the careful road (`csv_rows.py`, `accept.py`) would; anything else
raises NotBulkLoadable before a row is settled, and the careful road takes the file.
"""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from ingest.contracts import cell_sql
from ingest.contracts.cell_values import CellFormat
from ingest.mapping.mapping import ColumnMapping
from ingest.readers.csv import SURPLUS, cell_count_reason
from ingest.readers.rows import BulkTable
from ingest.store.merge import STAGED

SET_ASIDE = "'row: has to be read by hand'"
"""The reason, as SQL, of rows of a table `by_line` until they have been read by hand."""


class NotBulkLoadable(Exception):
    """Raised where a file is not for the fast road; the message says why, for the curious."""


def parquet_table(store: DuckDBPyConnection, path: Path) -> BulkTable:
    """Describe a Parquet file; typed columns are written as text the way Vault writes them."""
    described = store.execute("DESCRIBE FROM read_parquet($path)", {"path": str(path)}).fetchall()
    texts = ", ".join(
        f"{_as_text(_quoted(name), kind)} AS c{number}" for number, (name, kind, *_) in enumerate(described)
    )
    header = [name for name, *_ in described]
    return BulkTable(f"(SELECT {texts} FROM read_parquet($path))", header, {"path": str(path)})


def stage_bulk(
    store: DuckDBPyConnection, table: BulkTable, mapping: ColumnMapping, cell_format: CellFormat
) -> int:
    """Stage all rows of a table, and give their number. Raises NotBulkLoadable."""
    statement = _statement(table, mapping, cell_format)
    parameters = table.parameters | {f"h{n}": name for n, name in enumerate(table.header)}
    parameters |= {f"constant_{name}": text for name, text in mapping.constants.items()} | {
        "zone": cell_format.time_zone
    }
    named = set(re.findall(r"\$(\w+)", statement))  # DuckDB refuses a parameter that nobody names
    try:
        store.execute(statement, {name: each for name, each in parameters.items() if name in named})
    except duckdb.Error as error:
        raise NotBulkLoadable(str(error).splitlines()[0]) from error
    alone = f"SELECT count(*) FROM {STAGED} WHERE starts_with(reasons[1], 'row: has 1 cells')"
    if table.ragged and (store.execute(alone).fetchone() or (0,))[0]:
        raise NotBulkLoadable("some lines have one cell, as the footer of a report has")
    (count,) = store.execute(f"SELECT count(*) FROM {STAGED}").fetchone() or (0,)
    return int(count)


def _statement(table: BulkTable, mapping: ColumnMapping, cell_format: CellFormat) -> str:
    contract, cells = mapping.contract, _cells(table.header)
    assigned = mapping.assign(table.header)
    texts = {ours: f"c{table.header.index(theirs)}" for ours, theirs in assigned.items()}
    for name in mapping.constants:
        texts[name] = f"coalesce(nullif({texts.get(name, 'NULL')}, ''), $constant_{name})"
    key = contract.key[0]
    if contract.derived_key:
        given = f"nullif({texts[key]}, '')" if key in texts else "NULL"
        texts[key] = f"coalesce({given}, {_derived(table)})"
    values, tests, problems = [], [], []
    for column in contract.columns:
        text, read = f"t_{column.name}", f"v_{column.name}"
        value = cell_sql.value_sql(column, text, cell_format) if column.name in texts else "NULL"
        values.append(f"{value} AS {read}")
        if column.name in texts:
            tests.append(cell_sql.suspicion_sql(column, text, read))
            problems.append(cell_sql.reason_sql(column, text, read, cell_format))
        elif column.required:
            tests.append("true")
            problems.append(f"'{column.name}: is missing'")
    ragged = _ragged(table) if table.ragged else "NULL"
    odd = ["ragged IS NOT NULL"] if table.ragged else ["NOT plain"] if table.by_line else []
    suspects = " OR ".join(filter(None, [*odd, *tests])) or "false"
    reasons = (
        f"[{SET_ASIDE}]"
        if table.by_line
        else f"CASE WHEN ragged IS NOT NULL THEN [ragged] "
        f"ELSE list_filter([{', '.join(problems)}], lambda x: x IS NOT NULL) END"
    )
    extra = f"{_extra(table, set(assigned.values()))} AS extra," if contract.has_extra else ""
    chosen = ", ".join(f'v_{name} AS "{name}"' for name in contract.names)
    named = ", ".join(f"{text} AS t_{ours}" for ours, text in texts.items())
    undoubled = (
        f"* REPLACE ({', '.join(_undoubled(cell) for cell in cells)})" if mapping.doubled_backslashes else "*"
    )
    return (
        f"INSERT INTO {STAGED} BY NAME SELECT {chosen}, {extra} reasons, "
        f"CASE WHEN len(reasons) > 0 THEN {_raw(table)} END AS raw FROM ("
        f"SELECT *, CASE WHEN NOT suspect THEN [] ELSE {reasons} END AS reasons FROM ("
        f"SELECT *, coalesce({suspects}, true) AS suspect FROM ("
        f"SELECT *, {', '.join(values)} FROM ("
        f"SELECT *, {ragged}::VARCHAR AS ragged, {named} "
        f"FROM (SELECT {undoubled} FROM {table.relation})))))"
    )


def _ragged(table: BulkTable) -> str:
    width = len(table.header)
    everything = [*_cells(table.header), *(f"s{number}" for number in range(SURPLUS))]
    found = " + ".join(f"({name} IS NOT NULL)::INTEGER" for name in everything)
    surplus = " OR ".join(f"coalesce(s{number}, '') <> ''" for number in range(SURPLUS))
    said = cell_count_reason("#", width).replace("#", f"' || ({found}) || '", 1)
    return f"CASE WHEN c{width - 1} IS NULL OR {surplus} THEN '{said}' END"


def _raw(table: BulkTable) -> str:
    if table.by_line:
        return "line"
    whole = ", ".join(f"$h{number}, {cell}" for number, cell in enumerate(_cells(table.header)))
    row = f"json_object({whole})::VARCHAR"
    if not table.ragged:
        return row
    everything = ", ".join([*_cells(table.header), *(f"s{number}" for number in range(SURPLUS))])
    present = f"list_filter([{everything}], lambda x: x IS NOT NULL)"
    return f"CASE WHEN ragged IS NOT NULL THEN to_json({present})::VARCHAR ELSE {row} END"


def _extra(table: BulkTable, taken: set[str]) -> str:
    left = sorted((name, number) for number, name in enumerate(table.header) if name not in taken)
    if not left:
        return "NULL"
    entries = ", ".join(f"{{'k': $h{number}, 'v': c{number}}}" for _, number in left)
    filled = " OR ".join(f"c{number} <> ''" for _, number in left)
    return (
        f"CASE WHEN {filled} THEN to_json(map_from_entries(list_filter([{entries}], "
        "lambda e: e.v IS NOT NULL AND e.v <> '')))::VARCHAR END"
    )


def _derived(table: BulkTable) -> str:
    named = sorted((name, number) for number, name in enumerate(table.header))
    parts = ", ".join(
        f"CASE WHEN c{number} <> '' THEN $h{number} || chr(31) || c{number} || chr(30) ELSE '' END"
        for _, number in named
    )
    return f"'derived-' || left(sha256(concat({parts})), 24)"


def _as_text(column: str, kind: str) -> str:
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"strftime({column} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')"
    if kind.startswith("TIMESTAMP"):
        return f"strftime({column}::TIMESTAMP, '%Y-%m-%dT%H:%M:%S.%f')"
    if kind.endswith("[]"):
        return f"array_to_string({column}::VARCHAR[], ',')"
    return f"CAST({column} AS VARCHAR)"


def _undoubled(cell: str) -> str:
    return f"replace({cell}, '\\\\', '\\') AS {cell}"


def _cells(header: list[str]) -> list[str]:
    return [f"c{number}" for number in range(len(header))]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
