"""`synclens export`: the store as files that other engines read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import ingest
from synclens import console
from synclens.options import DEFAULT_STORE, StoreOption


def export(
    lake: Annotated[
        Path, typer.Option(help="The directory to write: a new one, an empty one or a lake of ours.")
    ],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Write the store as Parquet, cut by day, for Spark and others; a second time only days that changed.

    Example: synclens export --lake ./lake
    """
    # Writing files needs a connection that readers do not get; the store itself is not changed.
    if not store.exists():
        raise ingest.StoreMissing(str(store))
    with ingest.open_store(store, read_only=False) as opened:
        rows = ingest.export_lake(opened, lake)
    told = ", ".join(f"{name} {count:,}" for name, count in rows.items() if count)
    console.info(f"The lake is at {lake}: {told or 'no rows yet'}.")
