"""`synclens load`: load exports into the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

import ingest
from analysis.base.text import did_you_mean
from analysis.findings import update_findings
from synclens import console
from synclens.clock import now
from synclens.load_report import check_encoding, exit_code, print_load_reports
from synclens.mapping_suggestion import print_suggested_mapping
from synclens.options import (
    DEFAULT_STORE,
    AsOption,
    EncodingOption,
    JsonOption,
    MappingOption,
    StoreOption,
    WrapperOption,
)
from synclens.pseudonyms import store_pseudonymizer
from synclens.triage_file import existing_triage


def load(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Files and folders to load, in any order, or - for stdin. Formats are detected."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_kind: AsOption = None,
    mapping: MappingOption = None,
    at: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
            help="Time (UTC) of rows without one (default: of the document, or of the file).",
        ),
    ] = None,
    suggest_mapping: Annotated[
        Path | None,
        typer.Option("--suggest-mapping", help="File for a suggested mapping (.toml); - only prints it."),
    ] = None,
    wrapper: WrapperOption = None,
    encoding: EncodingOption = None,
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
    """Load exports into the store: CSV, JSON, Excel and Parquet files, folders, archives and compressed files.

    Each file has its own outcome, and each row is reported as new, updated, unchanged or rejected. Loading a file
    twice changes nothing. Rejected rows are kept with their reasons: see `synclens rejected`. Exits 0 if every file
    was loaded, 1 if something beside it was rejected or refused, and 2 if nothing was loaded.

    A mapping is a small TOML file that assigns the columns of a file to the columns of a table: kind = "sync_error",
    and a table named columns with lines such as message = ["Error text", "Details"]. docs/ingest.md has an example.

    Example: synclens load sync_tracking__v.csv errors.jsonl --store my.duckdb
    """
    if not files and not retry_rejected:
        raise typer.BadParameter("pass at least one file, or --retry-rejected")
    if as_kind is not None and as_kind not in ingest.CONTRACTS:
        raise typer.BadParameter(_unknown_table_message(as_kind), param_hint="--as")
    if encoding is not None:
        encoding = check_encoding(encoding)
    if suggest_mapping:
        if len(files or []) != 1:
            raise typer.BadParameter("pass one file", param_hint="--suggest-mapping")
        print_suggested_mapping((files or [])[0], suggest_mapping, as_kind=as_kind, encoding=encoding)
        return
    reports = load_files(
        store,
        files or [],
        as_kind=as_kind,
        mappings=mapping or [],
        at=at.replace(tzinfo=UTC) if at else None,
        wrappers=wrapper or [],
        encoding=encoding,
        pseudonymize=pseudonymize,
        retry=retry_rejected,
    )
    if as_json:
        console.print_json([report.to_dict() for report in reports])
    else:
        print_load_reports(reports)
    if code := exit_code(reports):
        raise typer.Exit(code)


def load_files(
    path: Path,
    files: list[Path],
    *,
    as_kind: str | None = None,
    mappings: list[Path] | None = None,
    at: datetime | None = None,
    wrappers: list[Path] | None = None,
    encoding: str | None = None,
    pseudonymize: bool = False,
    retry: bool = False,
) -> list[ingest.BatchReport]:
    """Load the files, oldest archive first, then update the findings of the store at `path`.

    A store that the load created, and in which nothing was stored, is removed again.
    """
    pseudonymizer = store_pseudonymizer(path) if pseudonymize else None
    reports: list[ingest.BatchReport] = []
    with (
        _remove_new_empty_store(path, reports),
        ingest.open_store(path, read_only=False) as store,
        console.progress("Loading", None) as advance,
    ):
        if retry:
            reports += ingest.retry_rejected(
                store, mappings=mappings or [], pseudonymizer=pseudonymizer, clock=now
            )
        reports += ingest.load_all(
            files,
            store,
            as_kind=as_kind,
            mappings=mappings or [],
            at=at,
            wrappers=wrappers or [],
            pseudonymizer=pseudonymizer,
            encoding=encoding,
            clock=now,
            on_progress=lambda *_: advance(),
        )
        update_findings(store, existing_triage(path), at=now())
    return reports


def _unknown_table_message(name: str) -> str:
    tables = sorted(ingest.CONTRACTS)
    return f"{name!r} is not a table. {did_you_mean(name, tables)}Tables: {', '.join(tables)}."


@contextmanager
def _remove_new_empty_store(path: Path, reports: list[ingest.BatchReport]) -> Iterator[None]:
    """Remove the store again if the load created it and, by its reports, stored nothing.

    An empty store would answer every query with "no errors" although nothing was loaded.
    """
    existed = path.exists()
    try:
        yield
    finally:
        if not existed and not any(report.outcome in ("loaded", "rejected") for report in reports):
            path.unlink(missing_ok=True)
