"""`synclens rejected`: list or dismiss the rejected rows."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

import ingest
from synclens import console
from synclens.clock import now
from synclens.options import DEFAULT_STORE, JsonOption, StoreOption

if TYPE_CHECKING:
    from ingest.rejected import RejectedRow


def rejected(
    store: StoreOption = DEFAULT_STORE,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Maximum number of rows to list (default: all).")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Only rows from this file.")] = None,
    include_resolved: Annotated[
        bool, typer.Option("--all", help="Include rows that were loaded later or dismissed.")
    ] = False,
    dismiss: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="Dismiss rejected rows from this file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List rejected rows with their source and the reasons.

    A row is removed once a corrected row with the same id is loaded. Rows without an id stay until you dismiss them
    with --dismiss; --all still lists dismissed rows. Row 1 is the first row below the header.

    Example: synclens rejected --limit 20
    """
    if dismiss is not None:
        _dismiss(store, dismiss)
        return
    with ingest.open_store(store) as opened:
        all_rows = ingest.list_rejected(opened, source=source, include_resolved=True)
    selected = all_rows if include_resolved else [row for row in all_rows if row.resolution is None]
    rows = selected[:limit]
    if as_json:
        console.print_json([asdict(row) for row in rows])
        return
    console.print_output(_rejected_table(rows, include_resolved=include_resolved))
    if hidden := len(all_rows) - len(selected):
        console.info(f"{hidden} more were loaded later or dismissed; --all lists them.")


def _rejected_table(rows: list[RejectedRow], *, include_resolved: bool) -> Table:
    title = f"{len(rows)} rejected rows"
    table = Table("source", "row", "reasons", "content", *(["resolution"] * include_resolved), title=title)
    for row in rows:
        table.add_row(
            Text(Path(row.source).name),
            str(row.row_number),
            Text("; ".join(row.reasons)),
            Text(_format_content(row.raw)),
            *([Text(row.resolution or "")] * include_resolved),
        )
    return table


def _dismiss(path: Path, source: str) -> None:
    with ingest.open_store(path, read_only=False) as store:
        count = ingest.dismiss_rejected(store, source, clock=now)
        sources = sorted({row.source for row in ingest.list_rejected(store)})
    if not count:
        raise typer.BadParameter(
            f"no rows from {source!r} are rejected. Files with rejected rows: {', '.join(sources) or 'none'}.",
            param_hint="--dismiss",
        )
    console.info(f"Dismissed {count} rows from {source}; `synclens rejected --all` still lists them.")


def _format_content(raw: str | None) -> str:
    """Format a row's non-empty cells by name; a row that could not be parsed is shown unchanged."""
    try:
        cells = json.loads(raw or "")
    except ValueError:
        return raw or ""
    if isinstance(cells, list):
        return " | ".join(map(str, cells))
    if not isinstance(cells, dict):
        return raw or ""
    return ", ".join(f"{name}: {cell}" for name, cell in cells.items() if cell)
