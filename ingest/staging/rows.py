"""Stage rows that were read one by one: as a table of text, through the same SQL as whole files."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa  # type: ignore[import-untyped]
from duckdb import DuckDBPyConnection

from ingest.contracts.cell_format import CellFormat
from ingest.mapping.mapping import ColumnMapping
from ingest.protection.protection import Layout, Protection
from ingest.readers.rows import RawRow, compact_json, derived_key
from ingest.staging.statement import TextTable, stage_text

_ARRIVED = "arrived_rows"


def stage_rows(
    store: DuckDBPyConnection,
    mapping: ColumnMapping,
    assigned: Mapping[str, str],
    cell_format: CellFormat,
    rows: list[RawRow],
) -> None:
    """Convert and check rows, and add them to the staging table.

    `assigned` names the source's column for each column of the contract.
    """
    contract = mapping.contract
    if mapping.doubled_backslashes:
        rows = [_halve_backslashes(row) for row in rows]
    names = [name for name in contract.names if name in assigned]
    used = set(assigned.values())
    arrays = {
        "row_number": pa.array([row.number for row in rows], pa.int64()),
        "row_problem_text": pa.array([row.problem for row in rows], pa.string()),
        "raw_text": pa.array([row.original_text() for row in rows], pa.string()),
    }
    for position, name in enumerate(names):
        arrays[f"c{position}"] = pa.array([row.cells.get(assigned[name]) for row in rows], pa.string())
    if contract.has_extra:
        arrays["extra_cells"] = pa.array([_extra(row, used) for row in rows], pa.string())
    if contract.derived_key:
        keys = [None if row.problem else derived_key(row) for row in rows]
        arrays["derived_key"] = pa.array(keys, pa.string())
    table = TextTable(
        relation=_ARRIVED,
        texts={name: f"c{position}" for position, name in enumerate(names)},
        derived_key="derived_key",
        extra="extra_cells",
        raw="raw_text",
        row_problem="row_problem_text",
        row_number="row_number",
    )
    store.register(_ARRIVED, pa.table(arrays))
    try:
        stage_text(store, table, mapping, cell_format)
    finally:
        store.unregister(_ARRIVED)


def protect_rows(rows: list[RawRow], protection: Protection, layout: Layout) -> list[RawRow]:
    """Protect rows before they are staged, so that an id made from the content is one of protected content."""
    for row in rows:
        protection.learn_names(row.cells, layout)
    return [_protected(row, protection, layout) for row in rows]


def _protected(row: RawRow, protection: Protection, layout: Layout) -> RawRow:
    raw = protection.raw_text(row.raw, layout) if row.raw is not None else None
    cells = protection.protect_cells(row.cells, layout)
    if cells != row.cells:
        cells = {name: protection.key_of_changed_row(cell) if cell else cell for name, cell in cells.items()}
    return RawRow(row.number, cells, row.problem, raw)


def _extra(row: RawRow, used: set[str]) -> str | None:
    extra = {name: cell for name, cell in row.cells.items() if name not in used and cell}
    return compact_json(dict(sorted(extra.items()))) if extra else None


def _halve_backslashes(row: RawRow) -> RawRow:
    cells = {name: cell.replace("\\\\", "\\") if cell else cell for name, cell in row.cells.items()}
    return RawRow(row.number, cells, row.problem, row.raw)
