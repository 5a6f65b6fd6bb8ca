"""The health of the fleet: tracked syncs by outcome, and the errors in the same period."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from math import isnan
from typing import Any

from duckdb import DuckDBPyConnection

from analysis.base.intervals import wilson_interval
from analysis.query.filters import Filters
from analysis.query.runner import reference_time_for, run_query_rows

_SYNC_COUNTS = """
SELECT
    count(*) AS syncs,
    count(*) FILTER (WHERE outcome IN ('succeeded', 'succeeded_with_upload_errors')) AS good,
    count(*) FILTER (WHERE outcome = 'succeeded') AS clean,
    count(*) FILTER (WHERE outcome IN ('failed', 'failed_upload', 'failed_download')) AS bad,
    count(*) FILTER (WHERE outcome = 'canceled') AS canceled,
    count(*) FILTER (WHERE outcome = 'unfinished') AS unfinished,
    count(DISTINCT coalesce(device_id, user_id)) AS devices,
    count(DISTINCT CASE WHEN outcome IN ('failed', 'failed_upload', 'failed_download')
        THEN coalesce(device_id, user_id) END) AS devices_with_failure,
    count(DISTINCT user_id) AS users,
    count(DISTINCT CASE WHEN device_id IS NULL THEN user_id END) AS users_without_device
FROM sync
"""
_ERROR_COUNTS = """
SELECT
    count(*) AS errors,
    count(DISTINCT issue_id) AS issues,
    count(*) FILTER (WHERE cause <> 'unknown') AS errors_with_cause,
    count(*) FILTER (WHERE sync_id IS NULL) AS errors_outside_syncs
FROM error
"""
_TRACKING_ISSUES = """
SELECT
    count(DISTINCT f.issue_id) AS sync_failure_issues,
    count(*) FILTER (WHERE f.issue_id IS NULL) AS failed_without_issue
FROM sync_finding AS f JOIN sync AS s ON s.sync_id = f.sync_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The health of the fleet: tracked syncs by outcome, and the errors in the same period.

    `good` syncs completed, `clean` syncs completed and Vault refused none of their records. Canceled and unfinished
    syncs are not part of any rate. `clean_rate`, `success_rate` and their 95 % Wilson bounds are None if no sync
    succeeded or failed. `clean_rate` is the headline: a sync whose records were refused did
    not do its work. If a sync has no device id, its user counts as the device;
    `users_without_device` is the number of such users. `issues` consist of errors, `sync_failure_issues` of failed
    syncs without an error. `failed_without_issue` are failed syncs, or syncs with refused records, that have no error
    and fit no issue.
    """

    syncs: int
    good: int
    clean: int
    bad: int
    canceled: int
    unfinished: int
    clean_rate: float | None
    clean_low: float | None
    clean_high: float | None
    success_rate: float | None
    success_low: float | None
    success_high: float | None
    devices: int
    devices_with_failure: int
    users: int
    users_without_device: int
    errors: int
    issues: int
    errors_with_cause: int
    errors_outside_syncs: int
    sync_failure_issues: int
    failed_without_issue: int
    as_of: datetime | None

    @property
    def with_upload_errors(self) -> int:
        """Return the number of syncs that completed with refused records."""
        return self.good - self.clean

    @property
    def all_issues(self) -> int:
        """Return the number of issues, of errors and of failed syncs."""
        return self.issues + self.sync_failure_issues

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dict, with the number of syncs with refused records."""
        return asdict(self) | {"with_upload_errors": self.with_upload_errors}


def health(connection: DuckDBPyConnection, **filters: object) -> Health:
    """Compute the health of the fleet over the filtered part of the store."""
    checked = Filters.of(**filters)
    syncs = _read_counts(connection, _SYNC_COUNTS, checked)
    errors = _read_counts(connection, _ERROR_COUNTS, checked)
    finished = syncs["good"] + syncs["bad"]
    bounds = wilson_interval(syncs["good"], finished)
    clean_bounds = wilson_interval(syncs["clean"], finished)
    return Health(
        **syncs,
        **errors,
        **_read_counts(connection, _TRACKING_ISSUES, checked),
        clean_rate=syncs["clean"] / finished if finished else None,
        clean_low=None if isnan(clean_bounds.low) else clean_bounds.low,
        clean_high=None if isnan(clean_bounds.high) else clean_bounds.high,
        success_rate=syncs["good"] / finished if finished else None,
        success_low=None if isnan(bounds.low) else bounds.low,
        success_high=None if isnan(bounds.high) else bounds.high,
        as_of=reference_time_for(connection, checked),
    )


def _read_counts(connection: DuckDBPyConnection, sql: str, filters: Filters) -> dict[str, int]:
    (row,) = run_query_rows(connection, sql, filters)
    return {name: int(value) for name, value in row.items()}
