"""Print the result of a load: a table of row counts, then reasons and notes."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table
from rich.text import Text

import ingest
from synclens import console


def print_load_reports(reports: list[ingest.BatchReport]) -> None:
    """Print the row counts of each batch on stdout, and reject reasons and notes on stderr."""
    console.print_output(_counts_table(reports))
    for report in reports:
        for reason, count in report.reasons.items():
            console.info(f"  {report.source}: {count} × {reason}")
        if report.first_rejected:
            more = " …" if report.rows_rejected > len(report.first_rejected) else ""
            numbers = ", ".join(map(str, report.first_rejected))
            console.info(f"  {report.source}: rejected rows (row 1 is the first data row): {numbers}{more}")
        for note in report.notes:
            console.info(f"  {report.source}: {note}")


def _counts_table(reports: list[ingest.BatchReport]) -> Table:
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
