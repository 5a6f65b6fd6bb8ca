"""Deletions: a list of ids that must go, and must not come back with an older export."""

from __future__ import annotations

from itertools import islice

import pyarrow as pa  # type: ignore[import-untyped]
from duckdb import DuckDBPyConnection

from ingest.batches import Batch, BatchReport, Clock
from ingest.contracts import Contract
from ingest.mapping import fold
from ingest.merge import bury
from ingest.rows import RawRow, RowSource
from ingest.transaction import transaction
from ingest.values import AS_VAULT, MISSING, read_time

_WHEN = ("deleteddate", "deletedat", "deleteddatev", "datedeleted")
_CHUNK_ROWS = 50_000


def bury_source(
    store: DuckDBPyConnection, source: RowSource, contract: Contract, batch: Batch, clock: Clock
) -> BatchReport:
    """Take in a list of deletions as one batch: column `id`, and the time of deletion under a usual name."""
    store.execute(
        "CREATE OR REPLACE TEMP TABLE staged_deletes "
        "(row_number BIGINT, id VARCHAR, deleted_at TIMESTAMP, raw VARCHAR, reasons VARCHAR[])"
    )
    while chunk := list(islice(source.rows, _CHUNK_ROWS)):
        rows = [_read(row, source.defaults.get("deleted_at")) for row in chunk]
        store.register("arrived", pa.Table.from_pylist(rows, schema=_SCHEMA))
        store.execute(
            "INSERT INTO staged_deletes "
            "SELECT row_number, id, deleted_at AT TIME ZONE 'UTC', raw, reasons FROM arrived"
        )
        store.unregister("arrived")
    with transaction(store):
        return bury(store, contract, batch, clock)


_SCHEMA = pa.schema(
    [
        ("row_number", pa.int64()),
        ("id", pa.string()),
        ("deleted_at", pa.timestamp("us", tz="UTC")),
        ("raw", pa.string()),
        ("reasons", pa.list_(pa.string())),
    ]
)


def _read(row: RawRow, default: str | None) -> dict[str, object]:
    cells = {fold(name): cell for name, cell in row.cells.items()}
    reasons = [row.problem] if row.problem else []
    when, told = None, next((cells[name] for name in _WHEN if cells.get(name)), default) or ""
    if not row.problem and not cells.get("id"):
        reasons.append(f"id: {MISSING}")
    try:
        when = read_time(told, AS_VAULT)
    except ValueError as error:
        reasons.append(f"deleted_date: {error} ({told[:80]})")
    else:
        if when is None and not row.problem:
            reasons.append(f"deleted_date: {MISSING}")
    return {
        "row_number": row.number,
        "id": cells.get("id"),
        "deleted_at": when,
        "raw": row.as_came() if reasons else None,
        "reasons": reasons,
    }
