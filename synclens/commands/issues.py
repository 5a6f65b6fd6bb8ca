"""`synclens issues` and `synclens issue`: list the issues, and show one in full."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

import analysis
import ingest
from synclens import console
from synclens.issue_id_prefix import query_issue
from synclens.options import DEFAULT_STORE, JsonOption, StoreOption
from synclens.tables import frame_table


def issues(
    query: Annotated[
        str, typer.Argument(help="field:value, -field:value and comparisons, e.g. 'cause:network users>3'")
    ] = "",
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    most: Annotated[int, typer.Option(help="How many rows to show.")] = 30,
) -> None:
    """List the issues, those that stop most people first.

    Example: synclens issues 'cause:field-permission users>=2'
    """
    with ingest.open_store(store) as opened:
        frame = analysis.list_issues(opened, query=query)
    if as_json:
        console.print_json_frame(frame)
        return
    table = Table(title=f"{len(frame)} issues", title_justify="left", box=None, expand=True)
    for column in ("issue", "cause", "since (UTC)"):
        table.add_column(column, no_wrap=True)
    for column in ("people", "errors"):
        table.add_column(column, justify="right")
    table.add_column("what", ratio=1, no_wrap=True, overflow="ellipsis")
    for row in console.frame_to_records(frame.head(most)):
        since = row["first_seen"][5:16].replace("T", " ")
        counts = (str(row["users"]), str(row["events"]))
        table.add_row(row["issue_id"], row["cause"], since, *counts, Text(row["title"]))
    console.print_output(table)


def issue(
    issue_id: Annotated[str, typer.Argument(help="An issue id from `synclens issues`.")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Show one issue whole: who it hits, its sample events, and the fix with this case's evidence.

    Example: synclens issue 3f1c0a9b2d7e
    """
    with ingest.open_store(store) as opened:
        found = query_issue(opened, issue_id, lambda known: analysis.get_issue(opened, known))
        suggestion = analysis.suggest_fix(opened, found.issue_id)
    frames = ("variants", "users", "devices", "records", "events")
    if as_json:
        parts = {name: console.frame_to_records(getattr(found, name)) for name in frames}
        console.print_json(
            {"summary": found.summary.to_dict(), **parts, "fix": analysis.fix_to_dict(suggestion)}
        )
        return
    console.print_output(Text(f"{found.summary.title}\n", style="bold"))
    console.print_output(Text(f"{analysis.render_fix(suggestion)}\n"))
    sample = found.events[["event_id", "occurred_at", "user_id", "message"]]
    console.print_output(frame_table(sample, title="Newest events", most=5))
