"""`synclens explain-error`: explain one error event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

import analysis
import ingest
from synclens import console
from synclens.options import DEFAULT_STORE, JsonOption, StoreOption

if TYPE_CHECKING:
    from analysis.fixes.suggestion import Suggestion


def explain_error(
    event_id: Annotated[str, typer.Argument(help="Event id of the error.")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Explain an error: its cause, the evidence for it, and the suggested fix.

    Example: synclens explain-error e-660a804a5c643519
    """
    with ingest.open_store(store) as opened:
        event = console.frame_to_records(analysis.get_error_event(opened, event_id))[0]
        suggestion = analysis.suggest_fix(opened, event["issue_id"])
    if as_json:
        console.print_json({"event": event, "fix": analysis.fix_to_dict(suggestion)})
    else:
        _print_explanation(event, suggestion)


def _print_explanation(event: dict[str, Any], suggestion: Suggestion) -> None:
    location = (str(event[name]) for name in ("object", "field", "operation", "phase") if event[name])
    lines = [
        ("message", event["message"] or "(none)"),
        ("where", " · ".join(location)),
        ("cause", f"{event['cause']} ({event['confidence']:.0%}), by rule {event['rule']}"),
        ("also possible", ", ".join(event["also"] or []) or "–"),
        ("issue", event["issue_id"]),
        *(("evidence", sentence) for sentence in event["evidence"] or []),
    ]
    table = Table.grid(padding=(0, 2))
    for name, value in lines:
        table.add_row(Text(name, style="bold"), Text(value))
    console.print_output(table)
    console.print_output(Text(f"\n{analysis.render_fix(suggestion)}"))
