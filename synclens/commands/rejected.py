"""`synclens rejected`: list or dismiss the rejected rows."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

import ingest
from synclens import console
from synclens.clock import now
from synclens.options import DEFAULT_STORE, JsonOption, StoreOption


def rejected(
    store: StoreOption = DEFAULT_STORE,
    most: Annotated[int | None, typer.Option(help="How many rows to list; all unless told.")] = None,
    source: Annotated[str | None, typer.Option(help="Only the rows of this file.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also rows that came in later or were dismissed.")
    ] = False,
    dismiss: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="Wait no longer for the rows of this file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the rows that could not be taken, with where they came from and every reason.

    A row leaves the list when a corrected row with its id is loaded. One that gave no id stays until you say
    --dismiss with the file's name; nothing is deleted, --all still shows it. Row 1 is the first below the header.

    Example: synclens rejected --most 20
    """
    if dismiss is not None:
        _dismiss(store, dismiss)
        return
    with ingest.open_store(store) as opened:
        ever = ingest.list_rejected(opened, source=source, settled=True)
    rows = ever if everything else [row for row in ever if row.settled is None]
    elsewhere, rows = len(ever) - len(rows), rows[:most]
    if as_json:
        console.print_json([asdict(row) for row in rows])
        return
    title = f"{len(rows)} {'rows ever rejected' if everything else 'rows rejected at present'}"
    table = Table(
        "source", "row", "reasons", "as it came", *(["what became of it"] * everything), title=title
    )
    for row in rows:
        table.add_row(
            Text(Path(row.source).name),
            str(row.row_number),
            Text("; ".join(row.reasons)),
            Text(_readable(row.raw)),
            *([Text(row.settled or "")] * everything),
        )
    console.print_output(table)
    if elsewhere:
        console.info(f"{elsewhere} more came in later or were dismissed; --all lists them.")


def _dismiss(path: Path, source: str) -> None:
    with ingest.open_store(path, read_only=False) as store:
        count = ingest.dismiss_rejected(store, source, clock=now)
        known = sorted({row.source for row in ingest.list_rejected(store)})
    if not count:
        raise typer.BadParameter(
            f"no row of {source!r} is rejected at present. Files with such rows: {', '.join(known) or 'none'}.",
            param_hint="--dismiss",
        )
    console.info(f"{count} rows of {source} dismissed; `synclens rejected --all` still lists them.")


def _readable(raw: str | None) -> str:
    """Write a kept row for reading: its cells by name, the empty ones left out; a broken line as it came."""
    try:
        cells = json.loads(raw or "")
    except ValueError:
        return raw or ""
    if isinstance(cells, list):
        return " | ".join(map(str, cells))
    if not isinstance(cells, dict):
        return raw or ""
    return ", ".join(f"{name}: {cell}" for name, cell in cells.items() if cell)
