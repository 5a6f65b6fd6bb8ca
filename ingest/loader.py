"""Load files: detect the format, read the rows, check them against the contract, merge them into the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from ingest.config_diff import record_config_changes, touches_config
from ingest.contracts.cell_format import CellFormat
from ingest.contracts.tables import Contract
from ingest.errors import MissingColumns, SourceMissing, UnknownKind
from ingest.mapping.column_report import column_notes
from ingest.mapping.mapping import ColumnMapping, choose_mapping, read_mapping
from ingest.mapping.reshape import reshape
from ingest.pseudonyms import Pseudonymizer, pseudonymize
from ingest.readers.detect import open_source
from ingest.readers.direct_data import ArchiveName, archive_parts
from ingest.readers.encoding import inspect_file
from ingest.readers.rows import BulkTable, RowSource
from ingest.staging.bulk import NotBulkLoadable, stage_bulk
from ingest.staging.deletions import stage_deletions
from ingest.staging.lines import pop_set_aside_rows
from ingest.staging.rows import stage_rows
from ingest.store.batches import Batch, BatchReport, Clock, utc_now
from ingest.store.deletions import deletion_contract
from ingest.store.merge import apply_deletions, create_staging_table, merge
from ingest.store.open import open_store
from ingest.store.transaction import transaction

Progress = Callable[[str, int], None]

_CHUNK_ROWS = 20_000
NO_ROWS = "No results to display"
"""The only content of a Vault Toolbox export without results."""


def load(
    path: Path | str,
    store: DuckDBPyConnection | Path | str,
    *,
    as_kind: str | None = None,
    mappings: Iterable[Path | str] = (),
    cell_format: CellFormat | None = None,
    pseudonymizer: Pseudonymizer | None = None,
    clock: Clock = utc_now,
    on_progress: Progress | None = None,
) -> list[BatchReport]:
    """Load one file into the store, and return one report for each table of rows in it.

    The table is detected from the columns; `as_kind` (a table's name) overrides this. `mappings` are custom
    mapping files. `cell_format` sets the zone of times without one, and the order of day and month. A
    `pseudonymizer` replaces names and e-mail addresses before anything is stored. `on_progress` is called with
    the source's name and the number of rows read.

    Every row ends in its table, or in `rejected_row` with all reasons. Each batch is one transaction. Raises an
    IngestError, with a next step, if no row can be read from the file.
    """
    path = Path(path)
    if not path.is_file():
        raise SourceMissing(str(path))
    custom_mappings = [read_mapping(Path(each)) for each in mappings]
    examined = inspect_file(path)
    with _writable(store) as connection:
        loader = _Loader(connection, as_kind, custom_mappings, cell_format, pseudonymizer, clock, on_progress)
        reports = [
            loader.load_source(source, examined.content_hash) for source in open_source(path, examined)
        ]
        if touches_config(reports):
            reports += record_config_changes(connection, clock=clock)
        return reports


def load_all(
    paths: Iterable[Path | str],
    store: DuckDBPyConnection | Path | str,
    *,
    as_kind: str | None = None,
    mappings: Iterable[Path | str] = (),
    cell_format: CellFormat | None = None,
    pseudonymizer: Pseudonymizer | None = None,
    clock: Clock = utc_now,
    on_progress: Progress | None = None,
) -> list[BatchReport]:
    """Load several files as `load` does: archives in the order of their stop time, each part once."""
    options: dict[str, Any] = {
        "as_kind": as_kind,
        "mappings": list(mappings),
        "cell_format": cell_format,
        "pseudonymizer": pseudonymizer,
    }
    reports: list[BatchReport] = []
    with _writable(store) as connection:
        for path in sort_archives(map(Path, paths)):
            reports += load(path, connection, clock=clock, on_progress=on_progress, **options)
    return reports


def sort_archives(paths: Iterable[Path]) -> list[Path]:
    """Sort archives by stop time, full ones first, with one part for each archive; other files follow."""
    archives: dict[Path, ArchiveName] = {}
    others = []
    for path in paths:
        if name := ArchiveName.parse(path):
            archives[archive_parts(path)[0]] = name
        else:
            others.append(path)
    return [
        *sorted(archives, key=lambda path: (archives[path].stop_time, archives[path].extract_type)),
        *others,
    ]


@dataclass(frozen=True, slots=True)
class _Loader:
    store: DuckDBPyConnection
    as_kind: str | None
    custom_mappings: list[ColumnMapping]
    cell_format: CellFormat | None
    pseudonymizer: Pseudonymizer | None
    clock: Clock
    on_progress: Progress | None

    def load_source(self, opened: RowSource, content_hash: str) -> BatchReport:
        if self.pseudonymizer:
            opened = pseudonymize(opened, self.pseudonymizer)
        if opened.header == [NO_ROWS]:
            return self._record_empty_batch(opened, content_hash, "the export has no rows")
        if opened.deletes_of:
            return self._load_deletions(opened, content_hash)
        try:
            source, mapping = self._choose_mapping(opened)
        except (UnknownKind, MissingColumns) as error:
            if "#" not in opened.name or self.as_kind:
                raise
            return self._record_empty_batch(opened, content_hash, f"not loaded: {error}")
        batch = self._batch(source, mapping.contract.table, content_hash)
        report = load_source(
            self.store,
            source,
            mapping,
            batch,
            cell_format=self.cell_format,
            clock=self.clock,
            on_progress=self.on_progress,
        )
        notes = column_notes(source.header, mapping, self.custom_mappings)
        if source.expected_rows is not None and source.expected_rows != report.rows_in:
            notes.append(f"expected {source.expected_rows} rows, received {report.rows_in}")
        return replace(report, notes=(*report.notes, *notes))

    def _choose_mapping(self, opened: RowSource) -> tuple[RowSource, ColumnMapping]:
        source = opened if self.as_kind or self.custom_mappings else reshape(opened)
        try:
            return source, choose_mapping(
                source.header, source.name, as_kind=self.as_kind, custom_mappings=self.custom_mappings
            )
        except (UnknownKind, MissingColumns):
            lower = opened.reopen_below_title
            while lower and (below := lower()):
                with suppress(UnknownKind, MissingColumns):
                    return self._choose_mapping(
                        replace(
                            pseudonymize(below, self.pseudonymizer) if self.pseudonymizer else below,
                            reopen_below_title=None,
                        )
                    )
                lower = below.reopen_below_title
            raise

    def _load_deletions(self, source: RowSource, content_hash: str) -> BatchReport:
        contract = deletion_contract(source.deletes_of or "")
        if contract is None:
            return self._record_empty_batch(
                source, content_hash, f"deletions of {source.deletes_of} are not tracked"
            )
        batch = self._batch(source, contract.table, content_hash)
        return load_deletions(self.store, source, contract, batch, self.clock)

    def _record_empty_batch(self, source: RowSource, content_hash: str, note: str) -> BatchReport:
        batch = self._batch(source, "nothing", content_hash)
        with transaction(self.store):
            counts = (0, 0, 0, 0)
            return batch.close(self.store, rows_in=0, counts=counts, finished_at=self.clock(), notes=(note,))

    def _batch(self, source: RowSource, kind: str, content_hash: str) -> Batch:
        return Batch.open(
            self.store, source=source.name, kind=kind, content_hash=content_hash, started_at=self.clock()
        )


@contextmanager
def _writable(store: DuckDBPyConnection | Path | str) -> Iterator[DuckDBPyConnection]:
    if isinstance(store, DuckDBPyConnection):
        yield store
    else:
        with open_store(store, read_only=False) as connection:
            yield connection


def load_source(
    store: DuckDBPyConnection,
    source: RowSource,
    mapping: ColumnMapping,
    batch: Batch,
    *,
    cell_format: CellFormat | None = None,
    clock: Clock = utc_now,
    on_progress: Progress | None = None,
    within_transaction: Callable[[], None] | None = None,
) -> BatchReport:
    """Load all rows of one source as one batch; `within_transaction` runs in the batch's transaction."""
    if source.defaults:
        mapping = replace(mapping, constants={**source.defaults, **mapping.constants})
    contract, count = mapping.contract, 0
    cell_format = cell_format or mapping.cell_format
    assigned = mapping.assign(source.header)
    if not (source.bulk and _stage_whole_file(store, source.bulk, mapping, cell_format)):
        create_staging_table(store, contract)
        while chunk := list(islice(source.rows, _CHUNK_ROWS)):
            stage_rows(store, mapping, assigned, cell_format, chunk)
            count += len(chunk)
            if on_progress:
                on_progress(source.name, count)
    with transaction(store):
        if within_transaction:
            within_transaction()
        return merge(store, contract, batch, clock, rows_in=count or None, notes=tuple(source.notes))


def load_deletions(
    store: DuckDBPyConnection, source: RowSource, contract: Contract, batch: Batch, clock: Clock
) -> BatchReport:
    """Load a list of deletions as one batch."""
    notes = stage_deletions(store, source, contract)
    with transaction(store):
        return apply_deletions(store, contract, batch, clock, notes=(*source.notes, *notes))


def _stage_whole_file(
    store: DuckDBPyConnection, table: BulkTable, mapping: ColumnMapping, cell_format: CellFormat
) -> bool:
    # Staging runs outside the transaction: the table is temporary, and DuckDB 2.0.0 does not find rows again
    # that it read from a file within one.
    create_staging_table(store, mapping.contract)
    try:
        stage_bulk(store, table, mapping, cell_format)
        if table.by_line:
            assigned = mapping.assign(table.header)
            for rows in pop_set_aside_rows(store):
                stage_rows(store, mapping, assigned, cell_format, rows)
    except NotBulkLoadable:
        return False
    return True
