"""The careful road: rows that arrive one by one, held against the contract and staged by columns."""

from __future__ import annotations

import hashlib

import pyarrow as pa  # type: ignore[import-untyped]
from duckdb import DuckDBPyConnection

from ingest.contracts.accept import accept
from ingest.contracts.cell_values import CellFormat
from ingest.contracts.tables import Contract
from ingest.mapping.mapping import ColumnMapping
from ingest.readers.rows import RawRow, compact_json
from ingest.staging.typed import ARROW
from ingest.store.merge import STAGED


def stage_rows(
    store: DuckDBPyConnection,
    mapping: ColumnMapping,
    assigned: dict[str, str],
    cell_format: CellFormat,
    rows: list[RawRow],
) -> None:
    """Hold rows against the contract and stage them, the good ones by value, the others by reason."""
    contract = mapping.contract
    taken = set(assigned.values())
    columns: dict[str, list[object]] = {name: [] for name in contract.names}
    numbers, raws, reasons, extras = [], [], [], []
    for row in rows:
        given = {ours: cell for ours, theirs in assigned.items() if (cell := row.cells.get(theirs))}
        cells: dict[str, str | None] = {**mapping.constants, **given}
        if contract.derived_key and not cells.get(contract.key[0]):
            cells[contract.key[0]] = derived_key(row)
        values, wrong = ({}, [row.problem]) if row.problem else accept(cells, contract, cell_format)
        if wrong and len(contract.key) == 1:  # by its id one sees later whether a corrected row came
            values = {contract.key[0]: cells.get(contract.key[0]) or None}
        numbers.append(row.number)
        raws.append(row.original_text() if wrong else None)
        reasons.append(wrong)
        extras.append(None if wrong else _extra(row, taken))
        for name, column in columns.items():
            column.append(values.get(name))
    arrays = {
        "row_number": pa.array(numbers, pa.int64()),
        "raw": pa.array(raws, pa.string()),
        "reasons": pa.array(reasons, pa.list_(pa.string())),
    }
    arrays |= {c.name: pa.array(columns[c.name], ARROW[c.kind]) for c in contract.columns}
    if contract.has_extra:
        arrays["extra"] = pa.array(extras, pa.string())
    _insert(store, contract, pa.table(arrays))


def derived_key(row: RawRow) -> str:
    """Make an id from a row's own content, for sources that give none: equal rows are one event."""
    content = "".join(f"{name}\x1f{cell}\x1e" for name, cell in sorted(row.cells.items()) if cell)
    return f"derived-{hashlib.sha256(content.encode()).hexdigest()[:24]}"


def _extra(row: RawRow, taken: set[str]) -> str | None:
    left = {name: cell for name, cell in row.cells.items() if name not in taken and cell}
    return compact_json(dict(sorted(left.items()))) if left else None


def _insert(store: DuckDBPyConnection, contract: Contract, arrived: pa.Table) -> None:
    store.register("arrived", arrived)
    times = [c.name for c in contract.columns if c.kind == "time"]
    replaced = ", ".join(f'"{name}" AT TIME ZONE \'UTC\' AS "{name}"' for name in times)
    store.execute(
        f"INSERT INTO {STAGED} BY NAME SELECT * {f'REPLACE ({replaced})' if times else ''} FROM arrived"
    )
    store.unregister("arrived")
