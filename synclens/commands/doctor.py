"""`synclens doctor`: check the installation."""

from __future__ import annotations

import os

import typer
from rich.table import Table
from rich.text import Text

from synclens import console
from synclens.doctor import run_checks
from synclens.options import DEFAULT_STORE, StoreOption


def doctor(store: StoreOption = DEFAULT_STORE) -> None:
    """Check the installation. Exits 1 and suggests a fix for each failed check.

    Example: synclens doctor --store my.duckdb
    """
    checks = list(run_checks(store, environment=os.environ))
    table = Table("", "check", "result", "how to fix")
    for check in checks:
        mark = Text("ok", style="green") if check.ok else Text("FAIL", style="bold red")
        table.add_row(mark, check.name, Text(check.result), Text(check.next_step))
    console.print_output(table)
    if not all(check.ok for check in checks):
        raise typer.Exit(console.EXIT_PROBLEM_FOUND)
