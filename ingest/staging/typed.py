"""Append typed records, such as the telemetry of the engine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
from duckdb import DuckDBPyConnection

from ingest.config_records import ContextRow
from ingest.contracts.cell_values import MISSING
from ingest.contracts.number_reading import BELOW_ZERO
from ingest.contracts.tables import CONTRACT_OF, Column, Contract, Kind
from ingest.store.batches import Batch, BatchReport, Clock, utc_now
from ingest.store.merge import STAGED, create_staging_table, merge
from ingest.store.transaction import transaction
from sync_engine.telemetry import Telemetry

ARROW: dict[Kind, pa.DataType] = {
    "text": pa.string(),
    "flag": pa.bool_(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "time": pa.timestamp("us", tz="UTC"),
}


def append(
    store: DuckDBPyConnection,
    rows: Iterable[Telemetry | ContextRow],
    *,
    source: str,
    started_at: datetime | None = None,
    clock: Clock = utc_now,
) -> list[BatchReport]:
    """Append records of any mix of classes to the store, in one transaction.

    Each record class becomes one batch; reports are in the order in which the classes first appear. Rows that
    are already in the store change nothing; a newer version replaces an older one. `Truth` is stored in the
    schema `engine_truth`, which analyses must not read. Times must be aware.
    """
    batch_start = started_at or clock()
    with transaction(store):
        return append_in_transaction(store, rows, source=source, started_at=batch_start, clock=clock)


def append_in_transaction(
    store: DuckDBPyConnection,
    rows: Iterable[Telemetry | ContextRow],
    *,
    source: str,
    started_at: datetime | None = None,
    clock: Clock = utc_now,
) -> list[BatchReport]:
    """Append records as `append` does, in a transaction that the caller started."""
    by_class: dict[type, list[Telemetry | ContextRow]] = {}
    for row in rows:
        by_class.setdefault(type(row), []).append(row)
    batch_start = started_at or clock()
    return [
        _append_kind(
            store, CONTRACT_OF[record_class], records, source=source, started_at=batch_start, clock=clock
        )
        for record_class, records in by_class.items()
    ]


def _append_kind(
    store: DuckDBPyConnection,
    contract: Contract,
    rows: Sequence[Telemetry | ContextRow],
    *,
    source: str,
    started_at: datetime,
    clock: Clock,
) -> BatchReport:
    batch = Batch.open(store, source=source, kind=contract.table, content_hash=None, started_at=started_at)
    create_staging_table(store, contract)
    stage_typed(store, contract, arrow_table(contract, rows))
    return merge(store, contract, batch, clock, rows_in=len(rows))


def arrow_table(contract: Contract, rows: Sequence[Any]) -> pa.Table:
    """Return records as an Arrow table with one column per field of the contract; times in UTC."""
    return pa.table(
        {
            column.name: pa.array(map(attrgetter(column.name), rows), type=ARROW[column.kind], size=len(rows))
            for column in contract.columns
        }
    )


def stage_typed(store: DuckDBPyConnection, contract: Contract, arrived: pa.Table) -> None:
    """Stage typed rows, and check the rules of the contract that types do not express."""
    store.register("arrived", arrived)
    values = ", ".join(
        f'("{c.name}" AT TIME ZONE \'UTC\') AS "{c.name}"' if c.kind == "time" else f'"{c.name}"'
        for c in contract.columns
    )
    checks = ", ".join(filter(None, map(_check, contract.columns)))
    store.execute(
        f"INSERT INTO {STAGED} BY NAME SELECT row_number, reasons, {values}, "
        "CASE WHEN len(reasons) > 0 THEN to_json(a_row)::VARCHAR END AS raw FROM (SELECT arrived AS a_row, "
        f"row_number() OVER () AS row_number, list_filter([{checks}], lambda x: x IS NOT NULL) AS reasons, * "
        "FROM arrived)"
    )
    store.unregister("arrived")


def _check(column: Column) -> str | None:
    name = f'"{column.name}"'
    if column.required:
        empty = f"OR trim({name}) = ''" if column.kind == "text" else ""
        return f"CASE WHEN {name} IS NULL {empty} THEN '{column.name}: {MISSING}' END"
    if column.kind in ("integer", "number"):
        return f"CASE WHEN {name} < 0 THEN '{column.name}: {BELOW_ZERO} (' || {name} || ')' END"
    return None
