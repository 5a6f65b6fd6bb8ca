"""Deletions: a list of ids that must go, and must not come back with an older export."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import pyarrow as pa  # type: ignore[import-untyped]
from duckdb import DuckDBPyConnection

from ingest.contracts.cell_values import MISSING, VAULT_FORMAT, read_time
from ingest.contracts.tables import Contract
from ingest.mapping.mapping import normalize_name
from ingest.readers.rows import RawRow, RowSource
from ingest.store.batches import Batch, BatchReport, Clock
from ingest.store.merge import apply_deletions
from ingest.store.removals import SEPARATOR
from ingest.store.transaction import transaction

_WHEN = ("deleteddate", "deletedat", "deleteddatev", "datedeleted", "modifieddate", "modifieddatev")
_NAMED_BY = {
    "picklist_value": ("object", "objectfield", "picklistvaluename"),
    "object_field": ("extract", "columnname"),
}
"""The columns, folded, that name what is deleted where it has no id."""
_OBJECT = "Object."
_CHUNK_ROWS = 50_000


def load_deletions(
    store: DuckDBPyConnection, source: RowSource, contract: Contract, batch: Batch, clock: Clock
) -> BatchReport:
    """Take in a list of deletions as one batch: what is deleted, and when under one of the usual names.

    Records have a column `id`; picklist values and fields are named as in Direct Data's own lists.
    """
    store.execute(
        "CREATE OR REPLACE TEMP TABLE staged_deletes "
        "(row_number BIGINT, id VARCHAR, deleted_at TIMESTAMP, raw VARCHAR, reasons VARCHAR[])"
    )
    left_out = 0
    while chunk := list(islice(source.rows, _CHUNK_ROWS)):
        kept = [row for row in chunk if not _is_elsewhere(row, contract)]
        left_out += len(chunk) - len(kept)
        rows = [_read(row, contract, source.defaults.get("deleted_at")) for row in kept]
        store.register("arrived", pa.Table.from_pylist(rows, schema=_SCHEMA))
        store.execute(
            "INSERT INTO staged_deletes "
            "SELECT row_number, id, deleted_at AT TIME ZONE 'UTC', raw, reasons FROM arrived"
        )
        store.unregister("arrived")
    notes = [f"rows about extracts that are no objects, left out: {left_out}"] if left_out else []
    with transaction(store):
        return apply_deletions(store, contract, batch, clock, notes=(*source.notes, *notes))


_SCHEMA = pa.schema(
    [
        ("row_number", pa.int64()),
        ("id", pa.string()),
        ("deleted_at", pa.timestamp("us", tz="UTC")),
        ("raw", pa.string()),
        ("reasons", pa.list_(pa.string())),
    ]
)


def _read(row: RawRow, contract: Contract, default: str | None) -> dict[str, object]:
    cells = {normalize_name(name): cell for name, cell in row.cells.items()}
    reasons = [row.problem] if row.problem else []
    when, told = None, next((cells[name] for name in _WHEN if cells.get(name)), default) or ""
    named_by = _NAMED_BY.get(contract.table, ("id",))
    if not row.problem:
        reasons += [f"{name}: {MISSING}" for name in named_by if not cells.get(name)]
    try:
        when = read_time(told, VAULT_FORMAT)
    except ValueError as error:
        reasons.append(f"deleted_date: {error} ({told[:80]})")
    else:
        if when is None and not row.problem:
            reasons.append(f"deleted_date: {MISSING}")
    return {
        "row_number": row.number,
        "id": _id(cells, named_by),
        "deleted_at": when,
        "raw": row.original_text() if reasons else None,
        "reasons": reasons,
    }


def _id(cells: Mapping[str, str | None], named_by: tuple[str, ...]) -> str:
    parts = {name: cells.get(name) or "" for name in named_by}
    if "extract" in parts:
        parts["extract"] = parts["extract"].removeprefix(_OBJECT)
    return SEPARATOR.join(parts.values())


def _is_elsewhere(row: RawRow, contract: Contract) -> bool:
    # The metadata of an archive also tells of documents and workflows.
    if contract.table != "object_field" or row.problem:
        return False
    extract = next((cell for name, cell in row.cells.items() if normalize_name(name) == "extract"), None)
    return bool(extract) and not str(extract).startswith(_OBJECT)
