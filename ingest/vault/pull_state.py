"""Write what a pull reads into the store, and keep how far each target was read.

While a process writes a DuckDB file no other process can read it, and a call to a Vault may last half an hour.
The store is therefore opened for each step, and never during a call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from duckdb import DuckDBPyConnection

from ingest.contracts.tables import CONTRACTS
from ingest.loader import load_deletions, load_source
from ingest.mapping.mapping import choose_mapping
from ingest.mapping.reshape import reshape, reshape_as
from ingest.mapping.shapes import SHAPES
from ingest.protection.pseudonyms import Pseudonymizer
from ingest.readers.rows import RawRow, RowSource, cell_text
from ingest.store.batches import Batch, BatchReport, Clock, to_naive_utc
from ingest.store.deletions import TABLE_OF
from ingest.store.open import open_store
from ingest.store.transaction import transaction

_OBJECT_SHAPES = {
    name: shape
    for name, table in TABLE_OF.items()
    for shape in SHAPES
    if shape.table == table and shape.name.endswith(" object")
}
"""The shape of each Vault object whose rows are converted to those of another table."""
_NOT_REACHED = datetime(1970, 1, 1, tzinfo=UTC)
"""The watermark of a target whose rows have no time, while a page is pending."""


@dataclass(frozen=True, slots=True)
class PullState:
    """The state of pulls from the Vault at `host`, in a store: a path, or an open connection.

    A `pseudonymizer` replaces the names in what is stored.
    """

    store: DuckDBPyConnection | Path | str
    host: str
    clock: Clock
    pseudonymizer: Pseudonymizer | None = None

    def open_store(self) -> AbstractContextManager[DuckDBPyConnection]:
        """Open the store for one step."""
        if isinstance(self.store, DuckDBPyConnection):
            return nullcontext(self.store)
        return open_store(self.store, read_only=False)

    def watermark(self, target: str) -> tuple[datetime | None, str | None]:
        """Return up to when a target was read, and the address of the next page, if one is pending."""
        with self.open_store() as store:
            row = store.execute(
                "SELECT reached_at, pending FROM watermark WHERE source = ? AND target = ?",
                [self.host, target],
            ).fetchone()
        if row is None:
            return None, None
        reached = row[0].replace(tzinfo=UTC)
        return (None if reached == _NOT_REACHED else reached), row[1]

    def set_watermark(self, target: str, reached: datetime | None, pending: str | None = None) -> None:
        """Set a watermark without storing rows."""
        with self.open_store() as store, transaction(store):
            self._set_watermark(store, target, reached, pending)

    def store_page(
        self,
        target: str,
        rows: Iterable[Mapping[str, object]],
        *,
        notes: Iterable[str] = (),
        reached: datetime | None = None,
        pending: str | None = None,
    ) -> BatchReport:
        """Load a page of JSON rows as one batch, and set the watermark in the same transaction."""
        source = source_from_rows(self.source_name(target), rows, notes)
        with self.open_store() as store:
            if not source.header:
                with transaction(store):
                    self._set_watermark(store, target, reached, pending)
                return self._record_empty_batch(store, target, tuple(source.notes))
            # The object is known, so its rows are recognized even if a field that identifies it was refused.
            shape = _OBJECT_SHAPES.get(target)
            rows_of_table = reshape_as(source, shape) if shape else reshape(source)
            return self._load(
                store, rows_of_table, lambda: self._set_watermark(store, target, reached, pending)
            )

    def store_rows(self, source: RowSource) -> BatchReport:
        """Load rows with the columns of a table, or of a known shape, as one batch."""
        with self.open_store() as store:
            return self._load(store, source, None)

    def store_deletions(self, target: str, kind: str, rows: Iterable[Mapping[str, object]]) -> BatchReport:
        """Load a page of deletions from the table `kind` as one batch."""
        source = source_from_rows(self.source_name(target), rows)
        with self.open_store() as store:
            batch = self._batch(store, source.name, kind)
            return load_deletions(store, source, CONTRACTS[kind], batch, self.clock)

    def record_empty_batch(self, target: str, *notes: str) -> BatchReport:
        """Record a batch without rows, to keep notes on a target."""
        with self.open_store() as store:
            return self._record_empty_batch(store, target, notes)

    def source_name(self, target: str) -> str:
        """Return the source name of a target's rows."""
        return f"{self.host}/{target}"

    def _load(
        self, store: DuckDBPyConnection, source: RowSource, within_transaction: Callable[[], None] | None
    ) -> BatchReport:
        mapping = choose_mapping(source.header, source.name)
        batch = self._batch(store, source.name, mapping.contract.table)
        return load_source(
            store, source, mapping, batch, clock=self.clock, within_transaction=within_transaction
        )

    def _record_empty_batch(
        self, store: DuckDBPyConnection, target: str, notes: tuple[str, ...]
    ) -> BatchReport:
        kind = target if target in CONTRACTS else "nothing"
        batch = self._batch(store, self.source_name(target), kind)
        with transaction(store):
            return batch.close(store, rows_in=0, counts=(0, 0, 0, 0), finished_at=self.clock(), notes=notes)

    def _batch(self, store: DuckDBPyConnection, source: str, kind: str) -> Batch:
        return Batch.open(
            store,
            source=source,
            kind=kind,
            content_hash=None,
            started_at=self.clock(),
            pseudonymizer=self.pseudonymizer,
        )

    def _set_watermark(
        self, store: DuckDBPyConnection, target: str, reached: datetime | None, pending: str | None
    ) -> None:
        key = [self.host, target]
        store.execute("DELETE FROM watermark WHERE source = ? AND target = ?", key)
        if reached or pending:
            store.execute(
                "INSERT INTO watermark VALUES (?, ?, ?, ?)",
                [*key, to_naive_utc(reached or _NOT_REACHED), pending],
            )


def source_from_rows(name: str, rows: Iterable[Mapping[str, object]], notes: Iterable[str] = ()) -> RowSource:
    """Return JSON rows as a source whose header has the keys of all rows."""
    raw = [
        RawRow(number, {column: cell_text(each) for column, each in row.items()})
        for number, row in enumerate(rows, start=1)
    ]
    header = dict.fromkeys(column for row in raw for column in row.cells)
    return RowSource(name, list(header), iter(raw), notes=list(notes), decimal=".", time_zone="UTC")
