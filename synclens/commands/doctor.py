"""`synclens doctor`: check the installation."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

import ingest
from synclens import console
from synclens.doctor import run_checks
from synclens.options import DEFAULT_STORE, StoreOption


def doctor(
    store: StoreOption = DEFAULT_STORE,
    remove_secrets: Annotated[
        bool,
        typer.Option(
            "--remove-secrets",
            help="Replace secrets that an older version stored by fingerprints, and write the store's file again.",
        ),
    ] = False,
) -> None:
    """Check the installation. Exits 1 and suggests a fix for each failed check.

    Example: synclens doctor --store my.duckdb
    """
    if remove_secrets:
        _remove_secrets(store)
    checks = list(run_checks(store, environment=os.environ))
    table = Table("", "check", "result", "how to fix")
    for check in checks:
        mark = Text("ok", style="green") if check.ok else Text("FAIL", style="bold red")
        table.add_row(mark, check.name, Text(check.result), Text(check.next_step))
    console.print_output(table)
    if not all(check.ok for check in checks):
        raise typer.Exit(console.EXIT_PROBLEM_FOUND)


def _remove_secrets(path: Path) -> None:
    replaced = ingest.remove_stored_secrets(path)
    if not replaced:
        console.info("The store has no secrets.")
        return
    console.info(
        f"Replaced {sum(each.count for each in replaced):,} values with secrets. Backups and exports made before "
        "still have them: delete them, change the passwords, and end the sessions."
    )
