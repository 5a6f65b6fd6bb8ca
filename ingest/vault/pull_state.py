"""The store's side of a pull: short openings, how far each target was read, and pages taken in as batches.

While a process writes a DuckDB file nobody else can read it, and a call to a Vault may take half an hour. So
the store is opened for each step and never while a call is under way.
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
from ingest.mapping.reshape import reshape
from ingest.readers.rows import RawRow, RowSource, cell_text
from ingest.store.batches import Batch, BatchReport, Clock, to_naive_utc
from ingest.store.open import open_store
from ingest.store.transaction import transaction

_NOWHERE = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands in the watermark of a target whose rows carry no time: nothing is reached, yet a page may be pending."""


@dataclass(frozen=True, slots=True)
class PullState:
    """What is written of one Vault, at `host`, into a store: a file, or a connection that is open already."""

    store: DuckDBPyConnection | Path | str
    host: str
    clock: Clock

    def open_store(self) -> AbstractContextManager[DuckDBPyConnection]:
        """Open the store for one step."""
        if isinstance(self.store, DuckDBPyConnection):
            return nullcontext(self.store)
        return open_store(self.store, read_only=False)

    def watermark(self, target: str) -> tuple[datetime | None, str | None]:
        """Say up to when a target was read, and the address of a page that is still to come."""
        with self.open_store() as store:
            row = store.execute(
                "SELECT reached_at, pending FROM watermark WHERE source = ? AND target = ?",
                [self.host, target],
            ).fetchone()
        if row is None:
            return None, None
        reached = row[0].replace(tzinfo=UTC)
        return (None if reached == _NOWHERE else reached), row[1]

    def set_watermark(self, target: str, reached: datetime | None, pending: str | None = None) -> None:
        """Move a watermark by itself, for a step that brought no rows."""
        with self.open_store() as store, transaction(store):
            self._move(store, target, reached, pending)

    def store_page(
        self,
        target: str,
        rows: Iterable[Mapping[str, object]],
        *,
        notes: Iterable[str] = (),
        reached: datetime | None = None,
        pending: str | None = None,
    ) -> BatchReport:
        """Take in a page of JSON rows as one batch; the watermark moves in the same transaction."""
        source = source_from_rows(self.source_name(target), rows, notes)
        with self.open_store() as store:
            if not source.header:
                with transaction(store):
                    self._move(store, target, reached, pending)
                return self._nothing(store, target, tuple(source.notes))
            return self._settle(store, reshape(source), lambda: self._move(store, target, reached, pending))

    def store_rows(self, source: RowSource) -> BatchReport:
        """Take in rows that have our columns, or those of a known shape, as one batch."""
        with self.open_store() as store:
            return self._settle(store, source, None)

    def store_deletions(self, target: str, kind: str, rows: Iterable[Mapping[str, object]]) -> BatchReport:
        """Take in a page of deletions of `kind` as one batch."""
        source = source_from_rows(self.source_name(target), rows)
        with self.open_store() as store:
            batch = self._batch(store, source.name, kind)
            return load_deletions(store, source, CONTRACTS[kind], batch, self.clock)

    def record_empty_batch(self, target: str, *notes: str) -> BatchReport:
        """Keep a batch without rows, for what is to be known of a target."""
        with self.open_store() as store:
            return self._nothing(store, target, notes)

    def source_name(self, target: str) -> str:
        """The name that rows of a target carry as their source."""
        return f"{self.host}/{target}"

    def _settle(
        self, store: DuckDBPyConnection, source: RowSource, also: Callable[[], None] | None
    ) -> BatchReport:
        mapping = choose_mapping(source.header, source.name)
        batch = self._batch(store, source.name, mapping.contract.table)
        return load_source(store, source, mapping, batch, clock=self.clock, also=also)

    def _nothing(self, store: DuckDBPyConnection, target: str, notes: tuple[str, ...]) -> BatchReport:
        kind = target if target in CONTRACTS else "nothing"
        batch = self._batch(store, self.source_name(target), kind)
        with transaction(store):
            return batch.close(store, rows_in=0, counts=(0, 0, 0, 0), finished_at=self.clock(), notes=notes)

    def _batch(self, store: DuckDBPyConnection, source: str, kind: str) -> Batch:
        return Batch.open(store, source=source, kind=kind, content_hash=None, started_at=self.clock())

    def _move(
        self, store: DuckDBPyConnection, target: str, reached: datetime | None, pending: str | None
    ) -> None:
        place = [self.host, target]
        store.execute("DELETE FROM watermark WHERE source = ? AND target = ?", place)
        if reached or pending:
            store.execute(
                "INSERT INTO watermark VALUES (?, ?, ?, ?)",
                [*place, to_naive_utc(reached or _NOWHERE), pending],
            )


def source_from_rows(name: str, rows: Iterable[Mapping[str, object]], notes: Iterable[str] = ()) -> RowSource:
    """Turn JSON rows into a source; its header is every key that any row has."""
    raw = [
        RawRow(number, {column: cell_text(each) for column, each in row.items()})
        for number, row in enumerate(rows, start=1)
    ]
    header = dict.fromkeys(column for row in raw for column in row.cells)
    return RowSource(name, list(header), iter(raw), notes=list(notes))
