"""`synclens lint`: check the configuration for known sync problems."""

from __future__ import annotations

import typer
from rich.table import Table
from rich.text import Text

import analysis
import ingest
from synclens import console
from synclens.options import DEFAULT_STORE, JsonOption, StoreOption


def lint(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Check the configuration for what is known to break sync, before it hurts; exit 1 if it is there.

    Example: synclens lint --store my.duckdb
    """
    with ingest.open_store(store) as opened:
        found, gaps = analysis.lint(opened), analysis.lint_gaps(opened)
    if as_json:
        console.print_json(
            {"findings": console.frame_to_records(found), "not_checked": console.frame_to_records(gaps)}
        )
    elif found.empty:
        checked = len(analysis.LINT_RULES) - len(gaps)
        console.print_output(f"Nothing found by {checked} of {len(analysis.LINT_RULES)} rules.")
    else:
        table = Table("severity", "where", "what", "how to fix", title=f"{len(found)} findings")
        for row in console.frame_to_records(found):
            table.add_row(row["severity"], Text(str(row["where"])), Text(row["title"]), Text(row["fix"]))
        console.print_output(table)
    if not as_json:
        for row in console.frame_to_records(gaps):
            console.info(f"not checked: {' · '.join(str(value) for value in row.values())}")
    if len(found):
        raise typer.Exit(console.EXIT_PROBLEM_FOUND)
