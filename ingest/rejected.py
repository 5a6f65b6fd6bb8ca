"""Rows that were refused: shown with their reasons, and taken again once a mapping is put right."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from duckdb import DuckDBPyConnection

from ingest.contracts.cell_format import CellFormat
from ingest.errors import MissingColumns, UnknownKind
from ingest.loader import load_source
from ingest.mapping.mapping import choose_mapping, read_mapping
from ingest.mapping.reshape import reshape
from ingest.readers.rows import RawRow, RowSource
from ingest.store.batches import Batch, BatchReport, Clock, utc_now
from ingest.store.transaction import transaction


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """One refused row: where it came from, its number there, its text as it came, and every reason.

    `row_number` counts rows of data from 1, so in most CSV files it is the line less one. `settled` says
    what became of it, where it is not refused at present any more.
    """

    source: str
    kind: str
    row_number: int
    raw: str | None
    reasons: tuple[str, ...]
    settled: str | None = None


def list_rejected(
    store: DuckDBPyConnection,
    *,
    kind: str | None = None,
    source: str | None = None,
    limit: int | None = None,
    settled: bool = False,
) -> list[RejectedRow]:
    """List the rows that are refused at present, by source and row number.

    A row is refused no more once a later load brought a row with its id, or somebody dismissed it; with
    `settled` those are listed too, and say so. `source` is the name that the list itself shows, or its end.
    """
    found = store.execute(
        "SELECT source, kind, row_number, raw, reasons, settled FROM rejected_row "
        f"WHERE kind = coalesce($kind, kind) AND {_FROM_SOURCE} AND ($settled OR settled IS NULL) "
        "ORDER BY source, kind, row_number, raw LIMIT coalesce($limit, 9223372036854775807)",
        {"kind": kind, "source": source, "limit": limit, "settled": settled},
    ).fetchall()
    return [
        RejectedRow(source, of_kind, number, raw, tuple(reasons), became)
        for source, of_kind, number, raw, reasons, became in found
    ]


_FROM_SOURCE = "($source IS NULL OR source = $source OR ends_with(source, '/' || $source))"


def dismiss_rejected(store: DuckDBPyConnection, source: str, *, clock: Clock = utc_now) -> int:
    """Say of all rows of one source that are refused at present that nobody waits for them; give their number.

    They stay in the store with their reasons, and in the list of all that were ever refused.
    """
    told = {"source": source, "words": f"dismissed {clock():%Y-%m-%d %H:%M} UTC"}
    with transaction(store):
        found = store.execute(
            f"UPDATE rejected_row SET settled = $words WHERE settled IS NULL AND {_FROM_SOURCE}", told
        ).fetchone()
    return int(found[0]) if found else 0


def retry_rejected(
    store: DuckDBPyConnection,
    *,
    kind: str | None = None,
    mappings: Iterable[Path | str] = (),
    cell_format: CellFormat | None = None,
    clock: Clock = utc_now,
) -> list[BatchReport]:
    """Hold the refused rows against the contract again, with a customer's mappings or another cell_format.

    Rows that are fine now move to their table; the others stay, with today's reasons. A row whose line
    could not even be cut into cells stays untouched. One batch for each source, each one transaction.
    """
    own = [read_mapping(Path(each)) for each in mappings]
    by_source: dict[tuple[str, str], list[RejectedRow]] = {}
    for row in list_rejected(store, kind=kind):
        by_source.setdefault((row.source, row.kind), []).append(row)
    reports = []
    for (name, of_kind), rows in by_source.items():
        source = _source(name, rows)
        try:
            opened = source if own else reshape(source)
            mapping = choose_mapping(opened.header, name, as_kind=of_kind, more=own)
        except (UnknownKind, MissingColumns):
            continue
        taken = [row.number for row in rows_of(source)]
        batch = Batch.open(store, source=name, kind=of_kind, content_hash=None, started_at=clock())

        def forget(name: str = name, of_kind: str = of_kind, taken: list[int] = taken) -> None:
            store.execute(
                "DELETE FROM rejected_row WHERE source = $source AND kind = $kind "
                "AND settled IS NULL AND list_contains($taken, row_number) AND starts_with(raw, '{')",
                {"source": name, "kind": of_kind, "taken": taken},
            )

        reports.append(
            load_source(store, opened, mapping, batch, cell_format=cell_format, clock=clock, also=forget)
        )
    return reports


def rows_of(source: RowSource) -> list[RawRow]:
    """Look at the rows of a source without using them up."""
    rows = list(source.rows)
    source.rows = iter(rows)
    return rows


def _source(name: str, refused: list[RejectedRow]) -> RowSource:
    rows = [RawRow(row.row_number, cells) for row in refused if (cells := _cells(row.raw)) is not None]
    header = dict.fromkeys(column for row in rows for column in row.cells)
    return RowSource(name, list(header), iter(rows))


def _cells(raw: str | None) -> dict[str, str | None] | None:
    try:
        cells = json.loads(raw or "")
    except ValueError:
        return None
    return cells if isinstance(cells, dict) else None
