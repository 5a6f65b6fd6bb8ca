"""Load what users have: open it, recognize its tables, check the rows, and merge them into the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from duckdb import DuckDBPyConnection

from ingest.config_diff import record_config_changes, touches_config
from ingest.contracts.cell_format import CellFormat
from ingest.contracts.tables import Contract
from ingest.errors import ArchiveUnsafe, IngestError, MissingColumns, NotErrors, SourceUnreadable, UnknownKind
from ingest.mapping.header_search import recognize_below_titles
from ingest.mapping.mapping import ColumnMapping, read_mapping
from ingest.mapping.recognition import Recognition, recognize
from ingest.protection.protection import Layout, Protection
from ingest.protection.pseudonyms import Pseudonymizer
from ingest.protection.staged import find_rows_to_protect
from ingest.readers.detect import open_sources
from ingest.readers.folders import group_inputs
from ingest.readers.rows import BulkTable, RowSource, SkippedPart
from ingest.readers.wrapper_files import Wrapper, read_wrapper
from ingest.staging.bulk import NotBulkLoadable, stage_bulk
from ingest.staging.deletions import stage_deletions
from ingest.staging.lines import pop_set_aside_rows
from ingest.staging.remarks import describe_remarks
from ingest.staging.rows import protect_rows, stage_rows
from ingest.staging.unusual import read_unusual_cells
from ingest.store.batches import Batch, BatchReport, Clock, Outcome, utc_now
from ingest.store.deletions import deletion_contract
from ingest.store.merge import STAGED, apply_deletions, create_staging_table, merge
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
    wrappers: Iterable[Path | str] = (),
    cell_format: CellFormat | None = None,
    at: datetime | None = None,
    pseudonymizer: Pseudonymizer | None = None,
    encoding: str | None = None,
    clock: Clock = utc_now,
    on_progress: Progress | None = None,
) -> list[BatchReport]:
    """Load a file, a folder or standard input (`-`), and return one report for each part of it.

    The table is detected from the columns; `as_kind` (a table's name) overrides this. `mappings` are custom
    mapping files, `wrappers` custom JSON wrapper files. `cell_format` sets the zone of times without one, and the
    order of day and month. `at` is the time of rows that have none; without it they get the time of the
    document or of the file. A `pseudonymizer` replaces names and e-mail addresses before anything is stored.
    `encoding` overrides the detected encoding of text. `on_progress` is called with the source's name and the
    number of rows read.

    Every row ends in its table, or in `rejected_row` with all reasons. Each batch is one transaction. Raises an
    IngestError, with a next step, if no part can be read; a part beside others then has the outcome "refused".
    """
    options = _LoadOptions(
        as_kind=as_kind,
        custom_mappings=[read_mapping(Path(each)) for each in mappings],
        wrappers=[read_wrapper(Path(each)) for each in wrappers],
        cell_format=cell_format,
        at=at,
        pseudonymizer=pseudonymizer,
        encoding=encoding,
        clock=clock,
        on_progress=on_progress,
    )
    with _writable(store) as connection:
        loader = _Loader(connection, options)
        reports = loader.load_paths([path])
    if loader.errors and not any(report.rows_in for report in reports):
        raise next((error for error in loader.errors if isinstance(error, ArchiveUnsafe)), loader.errors[0])
    return reports


def load_all(
    paths: Iterable[Path | str],
    store: DuckDBPyConnection | Path | str,
    *,
    as_kind: str | None = None,
    mappings: Iterable[Path | str] = (),
    wrappers: Iterable[Path | str] = (),
    cell_format: CellFormat | None = None,
    at: datetime | None = None,
    pseudonymizer: Pseudonymizer | None = None,
    encoding: str | None = None,
    clock: Clock = utc_now,
    on_progress: Progress | None = None,
) -> list[BatchReport]:
    """Load several files and folders, each as `load` does, and return one report for each part of them.

    Archives come first, in the order of their stop time. A path that cannot be read does not end the load: its
    report has the outcome "refused", with the reason and the next step.
    """
    options = _LoadOptions(
        as_kind=as_kind,
        custom_mappings=[read_mapping(Path(each)) for each in mappings],
        wrappers=[read_wrapper(Path(each)) for each in wrappers],
        cell_format=cell_format,
        at=at,
        pseudonymizer=pseudonymizer,
        encoding=encoding,
        clock=clock,
        on_progress=on_progress,
    )
    with _writable(store) as connection:
        return _Loader(connection, options).load_paths(paths)


@dataclass(frozen=True, slots=True, kw_only=True)
class _LoadOptions:
    """The options of `load`, with its mapping files read."""

    as_kind: str | None
    custom_mappings: list[ColumnMapping]
    wrappers: list[Wrapper]
    cell_format: CellFormat | None
    at: datetime | None
    pseudonymizer: Pseudonymizer | None
    encoding: str | None
    clock: Clock
    on_progress: Progress | None


@dataclass(frozen=True, slots=True)
class _Loader:
    store: DuckDBPyConnection
    options: _LoadOptions
    errors: list[IngestError] = field(default_factory=list)

    def load_paths(self, paths: Iterable[Path | str]) -> list[BatchReport]:
        reports = [
            replace(report, path=str(path))
            for path, names in group_inputs(map(Path, paths))
            for report in self._load_path(path, names)
        ]
        if touches_config(reports):
            reports += record_config_changes(self.store, clock=self.options.clock)
        return reports

    def _load_path(self, path: Path, names: frozenset[str] | None) -> Iterator[BatchReport]:
        try:
            for part in open_sources(
                path, encoding=self.options.encoding, names=names, wrappers=self.options.wrappers
            ):
                if isinstance(part, SkippedPart):
                    yield self._report_skipped(part)
                else:
                    part.file_time = part.file_time or _file_time(path, part.name)
                    yield self._load_part(part)
        except IngestError as error:
            yield self._report_refused(path.name or str(path), error)

    def _load_part(self, source: RowSource) -> BatchReport:
        try:
            report = self._load_source(source)
        except (UnknownKind, MissingColumns) as error:
            if not source.may_be_unknown:
                return self._report_refused(source.name, error)
            return self._report_without_rows(source.name, "skipped", str(error), error.next_step)
        except IngestError as error:
            return self._report_refused(source.name, error)
        if not report.rows_in and not source.may_be_empty and report.outcome == "loaded":
            return replace(report, outcome="empty", reason="the table has no rows")
        return report

    def _report_refused(self, name: str, error: IngestError) -> BatchReport:
        error.args = (Protection(self.store, self.options.pseudonymizer).text(str(error)),)
        self.errors.append(error)
        return self._report_without_rows(name, "refused", str(error), error.next_step)

    def _report_skipped(self, part: SkippedPart) -> BatchReport:
        if not part.expected:
            reason = _without_name(part.reason, part.name)
            self.errors.append(SourceUnreadable(part.name, reason, part.next_step))
        outcome: Outcome = "skipped" if part.expected else "refused"
        return self._report_without_rows(part.name, outcome, part.reason, part.next_step or None)

    def _report_without_rows(
        self, name: str, outcome: Outcome, reason: str, next_step: str | None = None
    ) -> BatchReport:
        protection = Protection(self.store, self.options.pseudonymizer)
        return BatchReport.without_rows(
            protection.text(name),
            self.options.clock(),
            outcome=outcome,
            reason=protection.text(_without_name(reason, name)),
            next_step=next_step,
        )

    def _load_source(self, opened: RowSource) -> BatchReport:
        if opened.refusal:
            raise NotErrors(opened.name, opened.refusal)
        if opened.header == [NO_ROWS]:
            return self._report_without_rows(opened.name, "empty", "the export has no rows")
        if opened.deletes_of:
            return self._load_deletions(opened)
        recognition = self._recognize(opened)
        source, mapping = recognition.source, recognition.mapping
        report = load_source(
            self.store,
            source,
            mapping,
            self._open_batch(source, mapping.contract),
            cell_format=self.options.cell_format,
            clock=self.options.clock,
            on_progress=self.options.on_progress,
        )
        return replace(report, notes=(*report.notes, *_count_notes(source, report)))

    def _recognize(self, opened: RowSource) -> Recognition:
        options = self.options

        def recognize_one(source: RowSource) -> Recognition:
            source.file_time = opened.file_time
            return recognize(
                source, as_kind=options.as_kind, custom_mappings=options.custom_mappings, at=options.at
            )

        return recognize_below_titles(opened, recognize_one)

    def _load_deletions(self, source: RowSource) -> BatchReport:
        contract = deletion_contract(source.deletes_of or "")
        if contract is None:
            reason = f"deletions of {source.deletes_of} are not tracked"
            return self._report_without_rows(source.name, "skipped", reason)
        batch = self._open_batch(source, contract)
        report = load_deletions(self.store, source, contract, batch, self.options.clock)
        return replace(report, notes=(*report.notes, *_count_notes(source, report)))

    def _open_batch(self, source: RowSource, contract: Contract) -> Batch:
        return Batch.open(
            self.store,
            source=source.name,
            kind=contract.table,
            content_hash=source.content_hash,
            started_at=self.options.clock(),
            pseudonymizer=self.options.pseudonymizer,
        )


def _without_name(reason: str, name: str) -> str:
    """Return the text of an error without the name of its source, which a report shows beside it."""
    starts = ("cannot be read: ", "was not unpacked: ", "has no errors: ")
    for start in (*(f"{name} {words}" for words in starts), f"{name}: "):
        if reason.startswith(start):
            return reason[len(start) :]
    return reason


def _file_time(path: Path, part: str) -> datetime | None:
    """Return when the file of a part was changed; None for standard input."""
    inside = path.resolve().parent / part.partition("#")[0]
    file = inside if inside.is_file() else path
    return datetime.fromtimestamp(file.stat().st_mtime, UTC) if file.is_file() else None


def _count_notes(source: RowSource, report: BatchReport) -> list[str]:
    if source.expected_rows in (None, report.rows_in):
        return []
    return [f"expected {source.expected_rows} rows, received {report.rows_in}"]


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
    if cell_format.time_zone is None:
        cell_format = replace(cell_format, time_zone=source.time_zone)
    assigned = mapping.assign(source.header)
    layout = Layout(contract.table, source.headings, assigned)
    if not (source.bulk and _stage_whole_file(store, source.bulk, mapping, cell_format, batch.protection)):
        create_staging_table(store, contract)
        while chunk := list(islice(source.rows, _CHUNK_ROWS)):
            stage_rows(store, mapping, assigned, cell_format, protect_rows(chunk, batch.protection, layout))
            count += len(chunk)
            if on_progress:
                on_progress(source.name, count)
    notes = read_unusual_cells(store, contract, cell_format, source_decimal=source.decimal)
    notes += describe_remarks(store, contract, cell_format)
    with transaction(store):
        if within_transaction:
            within_transaction()
        return merge(
            store,
            contract,
            batch,
            clock,
            layout=layout,
            rows_in=count or None,
            notes=(*source.notes, *map(batch.protection.text, notes)),
        )


def load_deletions(
    store: DuckDBPyConnection, source: RowSource, contract: Contract, batch: Batch, clock: Clock
) -> BatchReport:
    """Load a list of deletions as one batch."""
    notes = stage_deletions(store, source, contract)
    with transaction(store):
        layout = Layout(contract.table, source.headings)
        return apply_deletions(store, contract, batch, clock, layout=layout, notes=(*source.notes, *notes))


def _stage_whole_file(
    store: DuckDBPyConnection,
    table: BulkTable,
    mapping: ColumnMapping,
    cell_format: CellFormat,
    protection: Protection,
) -> bool:
    if protection.pseudonymizer:
        return False  # nearly every row changes
    assigned = mapping.assign(table.header)
    layout = Layout(mapping.contract.table, table.header, assigned)
    # Staging runs outside the transaction: the table is temporary, and DuckDB 2.0.0 does not find rows again
    # that it read from a file within one.
    create_staging_table(store, mapping.contract)
    try:
        stage_bulk(store, table, mapping, cell_format)
        if table.by_line:
            for rows in pop_set_aside_rows(store):
                stage_rows(store, mapping, assigned, cell_format, protect_rows(rows, protection, layout))
    except NotBulkLoadable:
        return False
    # An id made from the content must be made from the protected content, as when rows are read one by one.
    is_derived = mapping.contract.derived_key and mapping.contract.key[0] not in assigned
    return not (is_derived and find_rows_to_protect(store, STAGED, protection, layout))
