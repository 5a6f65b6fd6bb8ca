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

MappingOption = Annotated[
    list[Path] | None,
    typer.Option("--mapping", help="A column mapping of your own (.toml), as often as you like."),
]


def load(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files in any order; what they are is recognised.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_kind: Annotated[
        str | None, typer.Option("--as", help="The table the rows are for, where recognition errs.")
    ] = None,
    mapping: MappingOption = None,
    mask_people: Annotated[
        bool, typer.Option(help="Keep stable pseudonyms in place of names and e-mail addresses.")
    ] = False,
    retry_rejected: Annotated[
        bool, typer.Option("--retry-rejected", help="Take the rejected rows again, e.g. with a --mapping.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Load exports into the store and report every row: new, updated, unchanged or rejected.

    Loading the same file again changes nothing. Rejected rows are kept with their reasons: see
    `synclens rejected`. Exit code 1 says that some rows were rejected.

    A mapping is a small TOML file of your own that says which column is which: kind = "sync_error", and in its
    table columns lines such as message = ["What it said", "Error text"]. docs/ingest.md has a whole one.

    Example: synclens load sync_tracking__v.csv errors.jsonl --store my.duckdb
    """
    if not files and not retry_rejected:
        raise typer.BadParameter("name at least one file, or say --retry-rejected")
    for file in files or []:
        _refuse_folder(file)
    if as_kind is not None and as_kind not in ingest.CONTRACTS:
        raise typer.BadParameter(_no_table(as_kind), param_hint="--as")
    reports = load_files(
        store,
        files or [],
        as_kind=as_kind,
        mappings=mapping or [],
        mask_people=mask_people,
        retry=retry_rejected,
    )
    if as_json:
        console.print_json([report.to_dict() for report in reports])
    else:
        print_load_reports(reports)
    if any(report.rows_rejected for report in reports):
        console.info(
            "The rejected rows are kept; look at them with `synclens rejected`. "
            "Correct them in the file and load it again: what is in already stays as it is."
        )
        raise typer.Exit(console.EXIT_PROBLEM_FOUND)


def _refuse_folder(file: Path) -> None:
    if file.is_dir():
        inside = sorted(one.name for one in file.iterdir() if one.is_file())
        seen = f"with {len(inside)} files" if inside else "with no file in it"
        raise ingest.IngestError(
            f"{file} is a folder {seen}",
            next_step=f"Name the files: synclens load {file / '*'}"
            if inside
            else "Look where the files are.",
        )


def _no_table(name: str) -> str:
    tables = sorted(ingest.CONTRACTS)
    return f"{name!r} is no table. {did_you_mean(name, tables)}Tables: {', '.join(tables)}."


def load_files(
    path: Path,
    files: list[Path],
    *,
    as_kind: str | None = None,
    mappings: list[Path] | None = None,
    mask_people: bool = False,
    retry: bool = False,
) -> list[ingest.BatchReport]:
    """Load the files, oldest archive first, then update the findings of the store at `path`."""
    pseudonymizer = (
        ingest.Pseudonymizer(ingest.read_or_create_key(path.with_suffix(".key"))) if mask_people else None
    )
    own = mappings or []
    reports: list[ingest.BatchReport] = []
    with (
        _no_store_for_nothing(path),
        ingest.open_store(path, read_only=False) as store,
        console.progress("Loading", None) as advance,
    ):
        if retry:
            reports += ingest.retry_rejected(store, mappings=own, clock=now)
        reports += ingest.load_all(
            files,
            store,
            as_kind=as_kind,
            mappings=own,
            pseudonymizer=pseudonymizer,
            clock=now,
            on_progress=lambda *_: advance(),
        )
        update_findings(store, existing_triage(path), at=now())
    return reports


@contextmanager
def _no_store_for_nothing(path: Path) -> Iterator[None]:
    """Take a store that was made for this load away again if nothing came into it.

    Left behind, it would answer every question with "no errors" where the truth is that nothing was loaded.
    """
    was_there = path.exists()
    try:
        yield
    except ingest.IngestError:
        if not was_there and path.exists() and _is_bare(path):
            path.unlink()
        raise


def _is_bare(path: Path) -> bool:
    with ingest.open_store(path) as store:
        return not store.table("ingest_batch").limit(1).fetchall()
