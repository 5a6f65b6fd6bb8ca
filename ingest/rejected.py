"""List, dismiss and retry rejected rows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from duckdb import DuckDBPyConnection

from ingest.contracts.cell_format import CellFormat
from ingest.errors import MissingColumns, UnknownKind
from ingest.loader import load_source
from ingest.mapping.mapping import read_mapping
from ingest.mapping.recognition import recognize
from ingest.protection.pseudonyms import Pseudonymizer
from ingest.readers.rows import RawRow, RowSource
from ingest.store.batches import Batch, BatchReport, Clock, utc_now
from ingest.store.transaction import transaction


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """One rejected row, with its source, its original text and every reason.

    `row_number` counts rows of data from 1; in most CSV files it is the line number minus one. `resolution` is
    how the row was resolved: corrected by a later load, or dismissed. None if the row is still rejected.
    """

    source: str
    kind: str
    row_number: int
    raw: str | None
    reasons: tuple[str, ...]
    resolution: str | None = None


def list_rejected(
    store: DuckDBPyConnection,
    *,
    kind: str | None = None,
    source: str | None = None,
    limit: int | None = None,
    include_resolved: bool = False,
) -> list[RejectedRow]:
    """List rejected rows, by source and row number.

    A row is resolved once a later load has a valid row with its id, or once it is dismissed; set
    `include_resolved` to list those rows too. `source` is a source's name as listed, or the end of it.
    """
    rows = store.execute(
        "SELECT source, kind, row_number, raw, reasons, settled FROM rejected_row "
        f"WHERE kind = coalesce($kind, kind) AND {_FROM_SOURCE} AND ($include_resolved OR settled IS NULL) "
        "ORDER BY source, kind, row_number, raw LIMIT coalesce($limit, 9223372036854775807)",
        {"kind": kind, "source": source, "limit": limit, "include_resolved": include_resolved},
    ).fetchall()
    return [
        RejectedRow(source, row_kind, number, raw, tuple(reasons), resolution)
        for source, row_kind, number, raw, reasons, resolution in rows
    ]


_FROM_SOURCE = "($source IS NULL OR source = $source OR ends_with(source, '/' || $source))"


def dismiss_rejected(store: DuckDBPyConnection, source: str, *, clock: Clock = utc_now) -> int:
    """Dismiss the rejected rows of one source, and return their number.

    Dismissed rows stay in the store with their reasons; `list_rejected` lists them on request.
    """
    with transaction(store):
        updated = store.execute(
            f"UPDATE rejected_row SET settled = $resolution WHERE settled IS NULL AND {_FROM_SOURCE}",
            {"source": source, "resolution": f"dismissed {clock():%Y-%m-%d %H:%M} UTC"},
        ).fetchone()
    return int(updated[0]) if updated else 0


def retry_rejected(
    store: DuckDBPyConnection,
    *,
    kind: str | None = None,
    mappings: Iterable[Path | str] = (),
    cell_format: CellFormat | None = None,
    pseudonymizer: Pseudonymizer | None = None,
    clock: Clock = utc_now,
) -> list[BatchReport]:
    """Check the rejected rows again, with custom mappings or another cell format.

    Valid rows move to their table; the others stay, with their new reasons. Rows that could not be split
    into cells are left as they are. Each source is one batch and one transaction. A `pseudonymizer` replaces the
    names in the rows; names that were replaced when the rows were rejected keep their pseudonyms.
    """
    custom = [read_mapping(Path(each)) for each in mappings]
    by_source: dict[tuple[str, str], list[RejectedRow]] = {}
    for row in list_rejected(store, kind=kind):
        by_source.setdefault((row.source, row.kind), []).append(row)
    reports = []
    for (name, row_kind), rows in by_source.items():
        source = _source(name, rows)
        retried = [row.number for row in buffer_rows(source)]
        try:
            recognition = recognize(source, as_kind=row_kind, custom_mappings=custom)
        except (UnknownKind, MissingColumns):
            continue
        batch = Batch.open(
            store,
            source=name,
            kind=row_kind,
            content_hash=None,
            started_at=clock(),
            pseudonymizer=pseudonymizer,
        )

        def delete_retried(name: str = name, row_kind: str = row_kind, retried: list[int] = retried) -> None:
            store.execute(
                "DELETE FROM rejected_row WHERE source = $source AND kind = $kind "
                "AND settled IS NULL AND list_contains($retried, row_number) AND starts_with(raw, '{')",
                {"source": name, "kind": row_kind, "retried": retried},
            )

        reports.append(
            load_source(
                store,
                recognition.source,
                recognition.mapping,
                batch,
                cell_format=cell_format,
                clock=clock,
                within_transaction=delete_retried,
            )
        )
    return reports


def buffer_rows(source: RowSource) -> list[RawRow]:
    """Return the rows of a source, which can still be read from it."""
    rows = list(source.rows)
    source.rows = iter(rows)
    return rows


def _source(name: str, rejected_rows: list[RejectedRow]) -> RowSource:
    rows = [RawRow(row.row_number, cells) for row in rejected_rows if (cells := _cells(row.raw)) is not None]
    header = dict.fromkeys(column for row in rows for column in row.cells)
    return RowSource(name, list(header), iter(rows))


def _cells(raw: str | None) -> dict[str, str | None] | None:
    try:
        cells = json.loads(raw or "")
    except ValueError:
        return None
    return cells if isinstance(cells, dict) else None
