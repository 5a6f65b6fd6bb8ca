"""Print the result of a pull: one line for each target, then what is missing and what to do."""

from __future__ import annotations

from collections import Counter

from rich.table import Table
from rich.text import Text

import ingest
from synclens import console

_COLUMNS = {
    "in": "rows_in",
    "new": "rows_new",
    "updated": "rows_updated",
    "unchanged": "rows_unchanged",
    "rejected": "rows_rejected",
}


def print_pull_report(report: ingest.PullReport) -> None:
    """Print the outcome and the row counts of each target on stdout, and the details on stderr."""
    console.print_output(_table(report))
    for note in report.notes:
        console.info(f"  {note}")
    for target in report.targets:
        for note in target.notes:
            console.info(f"  {target.target}: {note}")
        reasons = sum((Counter(batch.reasons) for batch in target.batches), Counter[str]())
        for reason, count in reasons.most_common():
            console.info(f"  {target.target}: {count} × {reason}")
    for next_step, omissions in _by_next_step(report).items():
        for omission in omissions:
            console.info(f"  {omission}")
        console.info(f"    Next: {next_step}")


def _by_next_step(report: ingest.PullReport) -> dict[str, list[ingest.Omission]]:
    grouped: dict[str, list[ingest.Omission]] = {}
    for omission in report.omissions:
        grouped.setdefault(omission.next_step, []).append(omission)
    return grouped


def _table(report: ingest.PullReport) -> Table:
    table = Table("target", "outcome", title="Pulled")
    for name in _COLUMNS:
        table.add_column(name, justify="right")
    for target in report.targets:
        counts = target.counts()
        numbers = (f"{counts[name]:,}" for name in _COLUMNS.values())
        table.add_row(Text(target.target), target.outcome.value, *numbers)
    return table
