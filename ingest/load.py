"""Load a file: look what it is, read its rows, hold them against the contract, settle them in the store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
from duckdb import DuckDBPyConnection

from ingest.accept import accept
from ingest.append import ARROW
from ingest.batches import Batch, BatchReport, Clock, utc_now
from ingest.bulk import Unfit, stage_bulk
from ingest.contracts import Contract
from ingest.errors import SourceMissing
from ingest.mapping import ColumnMapping, choose, read_mapping
from ingest.merge import STAGED, settle, stage
from ingest.rows import BulkTable, RawRow, RowSource, compact
from ingest.shapes import reshape
from ingest.sources import open_source
from ingest.store import open_store
from ingest.text import examine
from ingest.transaction import transaction
from ingest.values import Manner

Progress = Callable[[str, int], None]

_CHUNK_ROWS = 20_000


def load(
    path: Path | str,
    store: DuckDBPyConnection | Path | str,
    *,
    as_kind: str | None = None,
    mappings: Iterable[Path | str] = (),
    manner: Manner | None = None,
    clock: Clock = utc_now,
    on_progress: Progress | None = None,
) -> list[BatchReport]:
    """Load one file into the store, and report one batch for each table of rows in it.

    What the rows are is seen from their columns; `as_kind` (a table's name) overrides that. `mappings` are
    a customer's own mapping files. `manner` says what the file does not: the zone of times without one, the
    order of day and month. `on_progress` is called with the source's name and the rows read so far.

    Every row ends in the store or in `rejected_row` with all its reasons; each batch is one transaction.
    Raises an IngestError, which says what to do next, when no row can be taken from the file at all.
    """
    path = Path(path)
    if not path.is_file():
        raise SourceMissing(str(path))
    own = [read_mapping(Path(each)) for each in mappings]
    examined = examine(path)
    reports = []
    with _writable(store) as connection:
        for opened in open_source(path, examined):
            source = opened if as_kind or own else reshape(opened)
            mapping = choose(source.header, source.name, as_kind=as_kind, more=own)
            batch = Batch.open(
                connection,
                source=source.name,
                kind=mapping.contract.table,
                content_hash=examined.content_hash,
                started_at=clock(),
            )
            reports.append(
                settle_source(
                    connection, source, mapping, batch, manner=manner, clock=clock, on_progress=on_progress
                )
            )
    return reports


@contextmanager
def _writable(store: DuckDBPyConnection | Path | str) -> Iterator[DuckDBPyConnection]:
    if isinstance(store, DuckDBPyConnection):
        yield store
    else:
        with open_store(store, read_only=False) as connection:
            yield connection


def settle_source(
    store: DuckDBPyConnection,
    source: RowSource,
    mapping: ColumnMapping,
    batch: Batch,
    *,
    manner: Manner | None = None,
    clock: Clock = utc_now,
    on_progress: Progress | None = None,
    also: Callable[[], None] | None = None,
) -> BatchReport:
    """Take in all rows of one source as one batch; `also` is done in the batch's transaction."""
    if source.defaults:
        mapping = replace(mapping, constants={**source.defaults, **mapping.constants})
    contract, count, how = mapping.contract, 0, manner or mapping.manner
    assigned = mapping.assign(source.header)
    if not (source.bulk and _took_fast_road(store, source.bulk, mapping, how)):
        stage(store, contract)
        while chunk := list(islice(source.rows, _CHUNK_ROWS)):
            stage_rows(store, mapping, assigned, how, chunk)
            count += len(chunk)
            if on_progress:
                on_progress(source.name, count)
    with transaction(store):
        if also:
            also()
        return settle(store, contract, batch, clock, rows_in=count or None, notes=tuple(source.notes))


def _took_fast_road(
    store: DuckDBPyConnection, table: BulkTable, mapping: ColumnMapping, manner: Manner
) -> bool:
    # Staging stays outside the transaction: it is temporary anyway, and DuckDB 2.0.0 does not find rows
    # again that it took from a file inside one.
    stage(store, mapping.contract)
    try:
        stage_bulk(store, table, mapping, manner)
    except Unfit:
        return False
    return True


def stage_rows(
    store: DuckDBPyConnection,
    mapping: ColumnMapping,
    assigned: dict[str, str],
    manner: Manner,
    rows: list[RawRow],
) -> None:
    """Hold rows against the contract and stage them, the good ones by value, the others with their reasons."""
    contract = mapping.contract
    taken = set(assigned.values())
    columns: dict[str, list[object]] = {name: [] for name in contract.names}
    numbers, raws, reasons, extras = [], [], [], []
    for row in rows:
        given = {ours: cell for ours, theirs in assigned.items() if (cell := row.cells.get(theirs))}
        cells: dict[str, str | None] = {**mapping.constants, **given}
        if contract.derived_key and not cells.get(contract.key[0]):
            cells[contract.key[0]] = derived_key(row)
        values, wrong = ({}, [row.problem]) if row.problem else accept(cells, contract, manner)
        numbers.append(row.number)
        raws.append(row.as_came() if wrong else None)
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
    return compact(dict(sorted(left.items()))) if left else None


def _insert(store: DuckDBPyConnection, contract: Contract, arrived: pa.Table) -> None:
    store.register("arrived", arrived)
    times = [c.name for c in contract.columns if c.kind == "time"]
    replaced = ", ".join(f'"{name}" AT TIME ZONE \'UTC\' AS "{name}"' for name in times)
    store.execute(
        f"INSERT INTO {STAGED} BY NAME SELECT * {f'REPLACE ({replaced})' if times else ''} FROM arrived"
    )
    store.unregister("arrived")
