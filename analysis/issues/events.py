"""Single error events, as the view `error` shows them."""

from __future__ import annotations

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.base.errors import AnalysisError


def get_error_event(connection: DuckDBPyConnection, event_id: str) -> pd.DataFrame:
    """One error event with its finding and who it happened to: a frame of one row.

    Raises AnalysisError when the store has no such event.
    """
    found = connection.execute("SELECT * FROM error WHERE event_id = ?", [event_id]).df()
    if found.empty:
        raise AnalysisError(
            f"there is no error event {event_id!r} in this store",
            next_step="Take an event_id from an issue: `synclens issue ISSUE_ID`.",
        )
    return found
