"""`synclens unknown`: list the issues without a known cause."""

from __future__ import annotations

import analysis
import ingest
from synclens import console
from synclens.options import DEFAULT_STORE, JsonOption, StoreOption
from synclens.tables import frame_table


def unknown(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """List the issues whose cause nobody knows yet, largest first: the queue for new rules.

    Example: synclens unknown, then write a rule (CONTRIBUTING.md) and look with `synclens rules`.
    """
    with ingest.open_store(store) as opened:
        frame = analysis.list_issues(opened, query="cause:unknown")
    if as_json:
        console.print_json_frame(frame)
    else:
        columns = ["issue_id", "title", "users", "events", "first_seen", "last_seen"]
        console.print_output(frame_table(frame[columns], title=f"{len(frame)} issues without a cause"))
