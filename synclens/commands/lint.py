"""`synclens lint`: check the configuration for known sync problems."""

from __future__ import annotations

from typing import Any

import typer
from rich.table import Table
from rich.text import Text

import analysis
import ingest
from synclens import console
from synclens.options import DEFAULT_STORE, JsonOption, StoreOption


def lint(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Check the configuration for settings that break sync. Exits 1 if there are findings.

    Example: synclens lint --store my.duckdb
    """
    with ingest.open_store(store) as opened:
        findings = console.frame_to_records(analysis.lint(opened))
        gaps = console.frame_to_records(analysis.lint_gaps(opened))
    if as_json:
        console.print_json({"findings": findings, "not_checked": gaps})
    else:
        _print_findings(findings, gaps)
    if findings:
        raise typer.Exit(console.EXIT_PROBLEM_FOUND)


def _print_findings(findings: list[dict[str, Any]], gaps: list[dict[str, Any]]) -> None:
    if findings:
        table = Table("severity", "where", "problem", "how to fix", title=f"{len(findings)} findings")
        for row in findings:
            table.add_row(row["severity"], Text(str(row["where"])), Text(row["title"]), Text(row["fix"]))
        console.print_output(table)
    else:
        checked = len(analysis.LINT_RULES) - len(gaps)
        console.print_output(f"No findings. {checked} of {len(analysis.LINT_RULES)} rules were checked.")
    for row in gaps:
        console.info(f"not checked: {' · '.join(str(value) for value in row.values())}")
