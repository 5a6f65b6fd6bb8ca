"""`synclens issues` and `synclens issue`: list the issues, and show one in full."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

import analysis
import ingest
from analysis.issues.listing import list_issue_summaries
from analysis.issues.loaded_data import describe_loaded_data, read_loaded_data
from synclens import console
from synclens.issue_id_prefix import resolve_issue_id
from synclens.options import DEFAULT_STORE, JsonOption, LimitOption, StoreOption
from synclens.tables import frame_table

_ISSUE_FRAMES = ("variants", "users", "devices", "records", "events")
_SYNC_COLUMNS = ["sync_id", "occurred_at", "user_id", "sync_type", "app_version"]
_EVENT_COLUMNS = ["event_id", "occurred_at", "user_id", "message"]


def issues(
    query: Annotated[
        str,
        typer.Argument(
            help="Search query: words, field:value, -field:value, or comparisons such as users>=2."
        ),
    ] = "",
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    limit: LimitOption = 30,
) -> None:
    """List issues, the most affected users first.

    Example: synclens issues 'cause:field-permission users>=2'
    """
    with ingest.open_store(store) as opened:
        rows = [summary.to_dict() for summary in list_issue_summaries(opened, query=query)]
        loaded = read_loaded_data(opened)
    if as_json:
        console.print_json(rows)
        return
    if rows:
        console.print_output(_issues_table(rows[:limit], len(rows)))
    elif query:
        console.print_output("No issue matches this query.")
    for line in describe_loaded_data(loaded, has_issues=bool(rows or query)):
        console.print_output(Text(line, style="dim"))


def issue(
    issue_id: Annotated[str, typer.Argument(help="Issue id from `synclens issues`, or its first letters.")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Show an issue in full: affected users, sample events, and the suggested fix with evidence.

    Example: synclens issue 3f1c0a9b2d7e
    """
    with ingest.open_store(store) as opened:
        full_id = resolve_issue_id(opened, issue_id)
        details = analysis.get_issue(opened, full_id)
        assessment = analysis.assess_sync_failure(opened, full_id)
        suggestion = analysis.suggest_fix(opened, full_id)
    if as_json:
        frames = {name: console.frame_to_records(getattr(details, name)) for name in _ISSUE_FRAMES}
        console.print_json(
            {
                "summary": details.summary.to_dict(),
                **frames,
                "fix": analysis.fix_to_dict(suggestion),
                "sync_failure": None if assessment is None else assessment.to_dict(),
            }
        )
        return
    console.print_output(Text(f"{details.summary.title}\n", style="bold"))
    if assessment is not None:
        from analysis.fixes.assessment_text import render_assessment  # noqa: PLC0415 - imports the catalogue

        console.print_output(Text(f"{render_assessment(assessment)}\n"))
        console.print_output(frame_table(details.events[_SYNC_COLUMNS], title="Newest syncs", limit=5))
        return
    console.print_output(Text(f"{analysis.render_fix(suggestion)}\n"))
    console.print_output(frame_table(details.events[_EVENT_COLUMNS], title="Newest events", limit=5))


def _issues_table(rows: list[dict[str, Any]], total: int) -> Table:
    table = Table(title=f"{total} issues", title_justify="left", box=None, expand=True)
    for column in ("issue", "cause", "since (UTC)"):
        table.add_column(column, no_wrap=True)
    for column in ("users", "events"):
        table.add_column(column, justify="right")
    table.add_column("title", ratio=1, no_wrap=True, overflow="ellipsis")
    for row in rows:
        since = row["first_seen"][5:16].replace("T", " ")
        counts = (str(row["users"]), str(row["events"]))
        table.add_row(
            row["issue_id"], row["failure_kind"] or row["cause"], since, *counts, Text(row["title"])
        )
    return table
