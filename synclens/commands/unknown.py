"""`synclens unknown`: list the issues without a known cause."""

from __future__ import annotations

import analysis
import ingest
from synclens import console
from synclens.options import DEFAULT_STORE, JsonOption, StoreOption
from synclens.tables import frame_table

_COLUMNS = ["issue_id", "title", "users", "events", "first_seen", "last_seen"]


def unknown(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """List the issues without a known cause, the most affected users first.

    To name such a cause, write a rule (see CONTRIBUTING.md) and test it with `synclens rules check`.

    Example: synclens unknown --store my.duckdb
    """
    with ingest.open_store(store) as opened:
        frame = analysis.list_issues(opened, query="cause:unknown")
    if as_json:
        console.print_json_frame(frame)
    else:
        console.print_output(frame_table(frame[_COLUMNS], title=f"{len(frame)} issues without a known cause"))
