"""What a store can answer about failures: which syncs and errors are loaded, and what that leaves unknown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from analysis.base.text import pluralize

_COUNTS = """
SELECT
    (SELECT count(*) FROM sync_tracking__v) AS syncs,
    (SELECT count(*) FROM sync_error) AS errors,
    (SELECT count(*) FROM sync_finding WHERE issue_id IS NULL) AS failed_without_issue,
    (SELECT count(*) FROM tracked_sync WHERE outcome IN ('failed', 'failed_upload', 'failed_download')) AS failed
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedData:
    """How many syncs and errors are loaded, and how many failed syncs fit no issue."""

    syncs: int
    errors: int
    failed_without_issue: int
    failed: int


def read_loaded_data(connection: DuckDBPyConnection) -> LoadedData:
    """Count the syncs and errors of the store."""
    syncs, errors, failed_without_issue, failed = connection.execute(_COUNTS).fetchall()[0]
    return LoadedData(syncs=syncs, errors=errors, failed_without_issue=failed_without_issue, failed=failed)


def describe_loaded_data(loaded: LoadedData, *, has_issues: bool) -> Iterator[str]:
    """Yield sentences that keep a short or empty list of issues from being read as "all is well"."""
    if not loaded.syncs and not loaded.errors:
        yield "This store has no syncs and no errors. Load data with `synclens load FILES`."
        return
    if not (has_issues or loaded.failed or loaded.errors):
        yield f"No issues: none of {pluralize(loaded.syncs, 'tracked sync')} failed, and no errors are loaded."
    elif loaded.failed_without_issue:
        yield (
            f"{pluralize(loaded.failed_without_issue, 'failed sync')} without an error text fit no issue: too few or "
            "too scattered to show a pattern. `synclens fleet` lists the devices."
        )
    if not loaded.errors:
        yield "No error events are loaded, so causes and errors of Autosync, which is not tracked, are unknown."
    if not loaded.syncs:
        yield "No syncs are loaded, so it is unknown which devices work now."
