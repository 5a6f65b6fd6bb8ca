"""`synclens load` and `synclens rejected`: files into the store, and what would not go in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

import analysis
import ingest
from synclens import narrate
from synclens.clock import now
from synclens.settings import DEFAULT_STORE, JsonOption, StoreOption


def load(
    files: Annotated[list[Path], typer.Argument(help="Files in any order; what they are is recognised.")],
    store: StoreOption = DEFAULT_STORE,
    as_kind: Annotated[
        str | None, typer.Option("--as", help="What the files are, where recognition errs.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Load exports into the store and report every row: new, updated, unchanged or rejected.

    Loading the same file again changes nothing. Rejected rows are kept with their reasons: see
    `synclens rejected`. Exit code 1 says that some rows were rejected.

    Example: synclens load sync_tracking__v.csv errors.jsonl --store my.duckdb
    """
    reports = load_files(store, files, as_kind)
    if as_json:
        narrate.emit([report.to_dict() for report in reports])
    else:
        narrate.show(_table(reports))
        for report in reports:
            for reason, count in report.reasons.items():
                narrate.say(f"  {report.source}: {count} × {reason}")
    if any(report.rows_rejected for report in reports):
        narrate.say("The rejected rows are kept; look at them with `synclens rejected`.")
        raise typer.Exit(narrate.FOUND_SOMETHING)


def load_files(path: Path, files: list[Path], as_kind: str | None = None) -> list[ingest.BatchReport]:
    """Load the files one by one, then conclude on all errors in the store at `path`."""
    reports: list[ingest.BatchReport] = []
    with narrate.progress("Loading", len(files)) as advance:
        for file in files:
            reports += ingest.load(file, path, as_kind=as_kind, clock=now)
            advance()
    with ingest.open_store(path, read_only=False) as store:
        analysis.conclude(store)
    return reports


def rejected(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """List the rows that could not be taken, with where they came from and every reason."""
    with ingest.open_store(store) as opened:
        rows = ingest.rejected_rows(opened)
    if as_json:
        narrate.emit_frame(rows)
        return
    table = Table("source", "row", "reasons", "raw", title=f"{len(rows)} rejected rows")
    for row in narrate.records(rows.head(200)):
        table.add_row(
            Text(row["source"]), str(row["row_number"]), Text("; ".join(row["reasons"])), Text(row["raw"] or "")
        )
    narrate.show(table)


def _table(reports: list[ingest.BatchReport]) -> Table:
    table = Table("source", "kind", title="Loaded")
    for name in ("in", "new", "updated", "unchanged", "rejected"):
        table.add_column(name, justify="right")
    for report in reports:
        counts = (
            report.rows_in,
            report.rows_new,
            report.rows_updated,
            report.rows_unchanged,
            report.rows_rejected,
        )
        table.add_row(Text(Path(report.source).name), report.kind, *(f"{count:,}" for count in counts))
    return table
