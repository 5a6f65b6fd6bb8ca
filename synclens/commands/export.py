"""`synclens export`: export the store to Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import ingest
from synclens import console
from synclens.options import DEFAULT_STORE, StoreOption


def export(
    lake: Annotated[Path, typer.Option(help="Target directory: new, empty, or from an earlier export.")],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Export the store to Parquet, partitioned by day. Later runs only rewrite changed days.

    Example: synclens export --lake ./lake
    """
    # DuckDB writes files only from a writable connection. The store itself does not change.
    if not store.exists():
        raise ingest.StoreMissing(str(store))
    with ingest.open_store(store, read_only=False) as opened:
        row_counts = ingest.export_lake(opened, lake)
    summary = ", ".join(f"{name} {count:,}" for name, count in row_counts.items() if count)
    console.info(f"Exported to {lake}: {summary or 'no rows'}.")
