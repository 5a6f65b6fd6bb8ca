"""Look up single error events."""

from __future__ import annotations

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.base.errors import AnalysisError


def get_error_event(connection: DuckDBPyConnection, event_id: str) -> pd.DataFrame:
    """Return one error event with its cause, user and device, as a frame of one row.

    A failed sync in an issue counts as an event with the id of the sync. The columns are those of the view
    `issue_event`. Raises AnalysisError if the store has no such event.
    """
    event = connection.execute("SELECT * FROM issue_event WHERE event_id = ?", [event_id]).df()
    if event.empty:
        raise AnalysisError(
            f"there is no error event {event_id!r} in this store",
            next_step="Use an event_id from an issue: `synclens issue ISSUE_ID`.",
        )
    return event
