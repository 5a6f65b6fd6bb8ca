"""`synclens explain-error`: explain one error event."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

import analysis
import ingest
from synclens import console
from synclens.options import DEFAULT_STORE, JsonOption, StoreOption


def explain_error(
    event_id: Annotated[str, typer.Argument(help="The event_id of one error event.")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Say what is wrong with one error, why we think so, and what to do about it.

    Example: synclens explain-error e-660a804a5c643519
    """
    with ingest.open_store(store) as opened:
        row = console.frame_to_records(analysis.get_error_event(opened, event_id))[0]
        suggestion = analysis.suggest_fix(opened, row["issue_id"])
    if as_json:
        console.print_json({"event": row, "fix": analysis.fix_to_dict(suggestion)})
        return
    _show_explained(row, suggestion)


def _show_explained(event: dict[str, Any], suggestion: analysis.Suggestion) -> None:
    lines = [
        ("message", event["message"] or "(none)"),
        ("where", " · ".join(str(event[k]) for k in ("object", "field", "operation", "phase") if event[k])),
        ("cause", f"{event['cause']} ({event['confidence']:.0%}), by rule {event['rule']}"),
        ("also possible", ", ".join(event["also"] or []) or "–"),
        ("issue", event["issue_id"]),
    ]
    table = Table.grid(padding=(0, 2))
    for name, value in lines:
        table.add_row(Text(name, style="bold"), Text(value))
    for sentence in event["evidence"] or []:
        table.add_row(Text("evidence", style="bold"), Text(sentence))
    console.print_output(table)
    console.print_output(Text(f"\n{analysis.render_fix(suggestion)}"))
