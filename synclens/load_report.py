"""Print the result of a load: a table of row counts, then what was not loaded, with reasons and next steps."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.table import Table
from rich.text import Text

import ingest
from synclens import console

_MOST_NAMED = 5
"""Skipped parts that one line names; the others are counted."""


def print_load_reports(reports: Sequence[ingest.BatchReport]) -> None:
    """Print the row counts of each batch on stdout, and all reasons, notes and next steps on stderr."""
    if batches := [report for report in reports if report.batch_id]:
        console.print_output(_counts_table(batches))
    for report in reports:
        _print_details(report)
    _print_skipped(reports)
    if any(report.rows_rejected for report in reports):
        console.info(
            "Rejected rows are kept; list them with `synclens rejected`. "
            "Fix them in the file and load it again: rows that are already loaded do not change."
        )
    if reports and exit_code(reports) == console.EXIT_COULD_NOT_RUN:
        console.info("Nothing was loaded.")


def exit_code(reports: Sequence[ingest.BatchReport]) -> int:
    """Return the exit code of a load: 0 if every path has stored rows, 1 if only some have, 2 if nothing was stored.

    Rejected rows count as stored, but never as success. Skipped parts never have rows and are no failure.
    """
    outcomes = {report.outcome for report in reports}
    if reports and not outcomes & {"loaded", "rejected"}:
        return console.EXIT_COULD_NOT_RUN
    loaded = {report.path for report in reports if report.outcome == "loaded"}
    empty = {report.path for report in reports if report.outcome == "empty"} - loaded
    if empty or "refused" in outcomes or any(report.rows_rejected for report in reports):
        return console.EXIT_PROBLEM_FOUND
    return 0


def check_encoding(name: str) -> str:
    """Return the name of an encoding as Python writes it. Raises BadParameter if there is no such encoding."""
    try:
        encoding = codecs.lookup(name).name
        "".encode(encoding)
    except LookupError as error:
        raise typer.BadParameter(
            f"{name!r} is not a text encoding. Examples: utf-8, utf-16, cp1252, cp1251, shift_jis, gb18030, euc_kr.",
            param_hint="--encoding",
        ) from error
    return encoding


def _print_details(report: ingest.BatchReport) -> None:
    if report.outcome == "refused":
        console.error(
            f"{report.source} was not loaded: {report.reason}", report.next_step or "Check the file."
        )
    elif report.outcome == "empty":
        console.info(f"  {report.source}: nothing was loaded: {report.reason}")
    for reason, count in report.reasons.items():
        console.info(f"  {report.source}: {count} × {reason}")
    if report.first_rejected:
        more = " …" if report.rows_rejected > len(report.first_rejected) else ""
        numbers = ", ".join(map(str, report.first_rejected))
        console.info(f"  {report.source}: rejected rows (row 1 is the first data row): {numbers}{more}")
    for note in report.notes:
        console.info(f"  {report.source}: {note}")


def _print_skipped(reports: Sequence[ingest.BatchReport]) -> None:
    """Print each reason for which parts were skipped, with their names: many archives have the same ones."""
    by_reason: dict[str, list[str]] = {}
    for report in reports:
        if report.outcome == "skipped":
            by_reason.setdefault(report.reason or "", []).append(report.source)
    for reason, names in by_reason.items():
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        console.info(f"  skipped: {', '.join(names[:_MOST_NAMED])}{more}: {reason}")


def _counts_table(reports: Sequence[ingest.BatchReport]) -> Table:
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
