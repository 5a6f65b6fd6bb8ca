"""`synclens load`: load exports into the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

import ingest
from analysis.base.text import did_you_mean
from analysis.findings import update_findings
from synclens import console
from synclens.clock import now
from synclens.load_report import print_load_reports
from synclens.options import DEFAULT_STORE, JsonOption, StoreOption
from synclens.triage_file import existing_triage


def load(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Files to load, in any order. Their format is detected."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_kind: Annotated[
        str | None, typer.Option("--as", help="Target table, if automatic detection is wrong.")
    ] = None,
    mapping: Annotated[
        list[Path] | None, typer.Option("--mapping", help="Custom column mapping (.toml). Repeatable.")
    ] = None,
    pseudonymize: Annotated[
        bool,
        typer.Option("--pseudonymize", help="Replace names and e-mail addresses with stable pseudonyms."),
    ] = False,
    retry_rejected: Annotated[
        bool,
        typer.Option("--retry-rejected", help="Retry rejected rows, for example with a new --mapping."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Load exports into the store. Exits 1 if any rows were rejected.

    Reports each row as new, updated, unchanged or rejected. Loading a file twice changes nothing. Rejected rows are
    kept with their reasons: see `synclens rejected`.

    A mapping is a small TOML file that assigns the columns of a file to the columns of a table: kind = "sync_error",
    and a table named columns with lines such as message = ["Error text", "Details"]. docs/ingest.md has an example.

    Example: synclens load sync_tracking__v.csv errors.jsonl --store my.duckdb
    """
    if not files and not retry_rejected:
        raise typer.BadParameter("pass at least one file, or --retry-rejected")
    for file in files or []:
        _check_is_file(file)
    if as_kind is not None and as_kind not in ingest.CONTRACTS:
        raise typer.BadParameter(_unknown_table_message(as_kind), param_hint="--as")
    reports = load_files(
        store,
        files or [],
        as_kind=as_kind,
        mappings=mapping or [],
        pseudonymize=pseudonymize,
        retry=retry_rejected,
    )
    if as_json:
        console.print_json([report.to_dict() for report in reports])
    else:
        print_load_reports(reports)
    if any(report.rows_rejected for report in reports):
        console.info(
            "Rejected rows are kept; list them with `synclens rejected`. "
            "Fix them in the file and load it again: rows that are already loaded do not change."
        )
        raise typer.Exit(console.EXIT_PROBLEM_FOUND)


def load_files(
    path: Path,
    files: list[Path],
    *,
    as_kind: str | None = None,
    mappings: list[Path] | None = None,
    pseudonymize: bool = False,
    retry: bool = False,
) -> list[ingest.BatchReport]:
    """Load the files, oldest archive first, then update the findings of the store at `path`."""
    pseudonymizer = (
        ingest.Pseudonymizer(ingest.read_or_create_key(path.with_suffix(".key"))) if pseudonymize else None
    )
    reports: list[ingest.BatchReport] = []
    with (
        _remove_new_empty_store(path),
        ingest.open_store(path, read_only=False) as store,
        console.progress("Loading", None) as advance,
    ):
        if retry:
            reports += ingest.retry_rejected(store, mappings=mappings or [], clock=now)
        reports += ingest.load_all(
            files,
            store,
            as_kind=as_kind,
            mappings=mappings or [],
            pseudonymizer=pseudonymizer,
            clock=now,
            on_progress=lambda *_: advance(),
        )
        update_findings(store, existing_triage(path), at=now())
    return reports


def _check_is_file(path: Path) -> None:
    if not path.is_dir():
        return
    count = sum(1 for entry in path.iterdir() if entry.is_file())
    raise ingest.IngestError(
        f"{path} is a folder with {count} files" if count else f"{path} is a folder without files",
        next_step=f"Pass the files: synclens load {path / '*'}" if count else "Check the path.",
    )


def _unknown_table_message(name: str) -> str:
    tables = sorted(ingest.CONTRACTS)
    return f"{name!r} is not a table. {did_you_mean(name, tables)}Tables: {', '.join(tables)}."


@contextmanager
def _remove_new_empty_store(path: Path) -> Iterator[None]:
    """Remove the store again if the load created it and failed before loading anything.

    An empty store would answer every query with "no errors" although nothing was loaded.
    """
    existed = path.exists()
    try:
        yield
    except ingest.IngestError:
        if not existed and path.exists() and _is_empty(path):
            path.unlink()
        raise


def _is_empty(path: Path) -> bool:
    with ingest.open_store(path) as store:
        return not store.table("ingest_batch").limit(1).fetchall()
