"""Write notes on what staging assumed or repaired: times without a zone, ids with stray characters."""

from __future__ import annotations

from duckdb import DuckDBPyConnection

from ingest.contracts.cell_format import CellFormat
from ingest.contracts.tables import Contract
from ingest.errors import format_names
from ingest.staging.statement import remark_bit
from ingest.store.merge import STAGED

_MOST_NAMED = 6
_PEOPLE_AND_DEVICES = frozenset(("user_id", "device_id", "created_by__v", "changed_by"))
"""Columns in which ids that differ only by case are reported; ids of records do so by chance."""


def describe_remarks(store: DuckDBPyConnection, contract: Contract, cell_format: CellFormat) -> list[str]:
    """Return notes on the staged rows: assumptions about zones, repaired ids, ids that differ only by case."""
    bits = {column: remark_bit(contract, column) for column in contract.columns}
    counts = ", ".join(f"count_if(remarks & {bit} <> 0)" for bit in bits.values())
    counted = store.execute(f"SELECT {counts} FROM {STAGED} WHERE remarks <> 0").fetchone() or ()
    marked = {column: count for column, count in zip(bits, counted, strict=True) if count}
    notes = []
    without_zone = [column.name for column in marked if column.kind == "time"]
    if without_zone and cell_format.time_zone is None:
        names = format_names(without_zone, _MOST_NAMED)
        notes.append(f"times carry no zone and are read as UTC; set time_zone in a mapping: {names}")
    repaired = [f"{column.name} ({count})" for column, count in marked.items() if column.is_id]
    if repaired:
        names = format_names(repaired, _MOST_NAMED)
        notes.append(f"ids with outer blanks or invisible characters, which were removed: {names}")
    return [*notes, *_describe_case(store, contract)]


def _describe_case(store: DuckDBPyConnection, contract: Contract) -> list[str]:
    notes = []
    for column in contract.columns:
        if column.name not in _PEOPLE_AND_DEVICES:
            continue
        groups = store.execute(
            f'SELECT list_sort(list(id)) FROM (SELECT DISTINCT "{column.name}" AS id FROM {STAGED}) '
            "WHERE id IS NOT NULL GROUP BY lower(id) HAVING count(*) > 1 ORDER BY 1"
        ).fetchall()
        if groups:
            names = format_names([" and ".join(ids) for (ids,) in groups], _MOST_NAMED)
            notes.append(f"ids in {column.name} that differ only by case, kept as different ids: {names}")
    return notes
