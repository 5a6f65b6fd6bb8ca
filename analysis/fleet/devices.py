"""List devices with their problems, and the records that are pending on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.base.errors import AnalysisError
from analysis.base.text import pluralize
from analysis.base.versions import is_newer_version
from analysis.fleet.pending_records import list_records_at_risk
from analysis.metrics.registry import find_metric
from analysis.query.filters import Filters
from analysis.query.runner import reference_time_for, run_query

STALE_DAYS = 7
LOW_STORAGE_MB = 1_000.0
# Documented defaults of max_accounts_ipad__v and max_accounts__v (Vault CRM Help, settings).
ACCOUNT_LIMITS = {"iPad": 15_000, "iPhone": 15_000, "Windows": 50_000}
# Problems of a device, the most severe first; a device can have several.
STATUSES = (
    "shut out", "stuck", "silent", "work refused", "stale", "too many accounts", "low storage", "old version",
    "unknown",
)  # fmt: skip
FLEET_COLUMNS = (
    "device", "user_id", "status", "problems", "why", "platform", "model", "os_version", "app_version",
    "territory", "country", "syncs", "failures", "last_attempt", "last_success", "last_outcome", "errors",
    "errors_since_success", "pending", "pending_in_error", "pending_blocked", "oldest_edit", "stopped_since",
    "stopped_by", "accounts", "storage_free_mb",
)  # fmt: skip

# The state at the reference time, which the start of a period does not change.
_STATE = """
WITH synced AS (
    SELECT coalesce(device_id, user_id) AS device, max(user_id) AS user_id, count(*) AS loaded_syncs,
        max(started_at) AS last_sync,
        max(CASE WHEN outcome IN ('succeeded', 'succeeded_with_upload_errors') THEN started_at END)
            AS last_success,
        max_by(outcome = 'succeeded_with_upload_errors' AND coalesce(pending_uploads, 1) > 0, started_at)
            FILTER (WHERE outcome NOT IN ('canceled', 'unfinished')) AS refuses_uploads,
        max_by(outcome, started_at) AS last_outcome,
        max_by(app_version, started_at) AS synced_version
    FROM sync
    WHERE coalesce(device_id, user_id) IS NOT NULL
    GROUP BY coalesce(device_id, user_id)
),
failed AS (
    SELECT coalesce(e.device_id, e.user_id) AS device, max(e.user_id) AS user_id, max(e.occurred_at) AS last_error,
        count(*) FILTER (WHERE s.last_success IS NULL OR e.occurred_at > s.last_success) AS errors_since_success
    FROM error AS e
    LEFT JOIN synced AS s ON s.device = coalesce(e.device_id, e.user_id)
    WHERE coalesce(e.device_id, e.user_id) IS NOT NULL
    GROUP BY coalesce(e.device_id, e.user_id)
),
pending AS (
    SELECT device_id AS device, max(user_id) AS user_id, count(*) AS pending,
        count(*) FILTER (WHERE in_error) AS pending_in_error,
        count(*) FILTER (WHERE in_error OR stopped) AS pending_blocked,
        min(edited_at) AS oldest_edit
    FROM pending_blocker
    GROUP BY device_id
),
listed AS (SELECT device_id AS device, user_id FROM current_device),
all_devices AS (
    SELECT device FROM synced UNION SELECT device FROM failed UNION SELECT device FROM pending
    UNION SELECT device FROM listed
)
SELECT
    a.device,
    coalesce(l.user_id, s.user_id, f.user_id, p.user_id) AS user_id,
    d.platform, d.model, d.os_version, coalesce(s.synced_version, d.app_version) AS app_version,
    u.territory, u.country,
    coalesce(s.loaded_syncs, 0) AS loaded_syncs,
    coalesce(greatest(s.last_sync, f.last_error), s.last_sync, f.last_error) AS last_attempt,
    s.last_success, s.last_outcome, coalesce(s.refuses_uploads, false) AS refuses_uploads,
    coalesce(f.errors_since_success, 0) AS errors_since_success, coalesce(p.pending, 0) AS pending,
    coalesce(p.pending_in_error, 0) AS pending_in_error, coalesce(p.pending_blocked, 0) AS pending_blocked,
    p.oldest_edit, x.stopped_since, x.issue_id AS stopped_by, x.cause AS stop_cause, x.shut_out_since,
    x.shut_out_attempts, coalesce(x.shut_out, false) AS shut_out,
    d.accounts, d.storage_free_mb
FROM all_devices AS a
LEFT JOIN synced AS s ON s.device = a.device
LEFT JOIN failed AS f ON f.device = a.device
LEFT JOIN pending AS p ON p.device = a.device
LEFT JOIN listed AS l ON l.device = a.device
LEFT JOIN stopped_device AS x ON x.device = a.device
LEFT JOIN current_device AS d ON d.device_id = a.device
LEFT JOIN current_user_info AS u ON u.user_id = coalesce(l.user_id, s.user_id, f.user_id, p.user_id)
ORDER BY a.device
"""
# What happened in the period.
_COUNTS = """
WITH event AS (
    SELECT coalesce(device_id, user_id) AS device, 1 AS syncs, 0 AS errors,
        CASE WHEN outcome IN ('failed', 'failed_upload', 'failed_download') THEN 1 ELSE 0 END AS failures
    FROM sync
    UNION ALL
    SELECT coalesce(device_id, user_id), 0, 1, 0 FROM error
)
SELECT device, cast(sum(syncs) AS BIGINT) AS syncs, cast(sum(failures) AS BIGINT) AS failures,
    cast(sum(errors) AS BIGINT) AS errors
FROM event
WHERE device IS NOT NULL
GROUP BY device
"""
# One line per thing that happened to a device; what a configuration change reaches is left to the reader.
_TIMELINE = """
SELECT started_at AS happened_at, 'sync' AS kind, sync_type AS what, outcome AS how, sync_id AS id,
    CASE WHEN upload_errors > 0
        THEN concat(upload_errors, CASE WHEN upload_errors = 1 THEN ' record refused' ELSE ' records refused' END)
    END AS detail, duration_seconds
FROM sync
UNION ALL
SELECT occurred_at, 'error', object, cause, event_id, message, NULL FROM error
ORDER BY happened_at DESC, kind, id
LIMIT $limit
"""


class UnknownDevice(AnalysisError):
    """The store has no such device."""

    def __init__(self, device: str) -> None:
        super().__init__(
            f"the store has no device {device!r}",
            next_step="Choose one from `synclens fleet --all`. If syncs name no device, use the id of the user.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device: its row of the device list, its events, and its pending records."""

    device: str
    summary: dict[str, Any]
    timeline: pd.DataFrame
    pending: pd.DataFrame


def list_devices(connection: DuckDBPyConnection, **filters: object) -> pd.DataFrame:
    """List every device with FLEET_COLUMNS, the most severe status first.

    `status` is the worst of STATUSES or "ok"; `problems` lists all, `why` describes each. Shut out means that all
    syncs are refused until someone acts, work refused that syncs complete but Vault refuses records, stale that the
    last success is more than 7 days old, unknown that no syncs of the device are loaded. If syncs name no device, the
    user counts as the device. `syncs`, `failures` and `errors` count the period; all else is as of the reference
    time, and the start of a period does not apply to it. `stopped_by` is the issue that stops the device,
    `pending_blocked` the number of its pending records that an issue blocks.
    """
    checked = Filters.of(**filters)
    now = checked.without_start()
    state = run_query(connection, _STATE, now)
    as_of = reference_time_for(connection, checked)
    frame = state.merge(run_query(connection, _COUNTS, checked), on="device", how="left")
    counts = ["syncs", "failures", "errors"]
    frame[counts] = frame[counts].fillna(0).astype("int64")
    stuck = run_query(connection, find_metric("stuck_devices").sql, now).set_index("device")
    silent = run_query(connection, find_metric("silent_devices").sql, now).set_index("device")
    # Over the whole fleet: the filtered devices may be those that have not updated.
    fleet = Filters(until=checked.until)
    old = _old_versions(run_query(connection, find_metric("version_adoption").sql, fleet))
    problems = [dict(_problems(row, stuck, silent, old, as_of)) for row in frame.to_dict("records")]
    frame["problems"] = pd.Series([list(row) for row in problems], index=frame.index, dtype=object)
    frame["why"] = pd.Series(["; ".join(row.values()) for row in problems], index=frame.index, dtype="str")
    frame["status"] = pd.Series([next(iter(row), "ok") for row in problems], index=frame.index, dtype="str")
    rank = [(STATUSES.index(status) if status in STATUSES else len(STATUSES)) for status in frame["status"]]
    order = np.lexsort((frame["device"].to_numpy(), -frame["pending_blocked"].to_numpy(), np.array(rank)))
    return frame.iloc[order][list(FLEET_COLUMNS)].reset_index(drop=True)


def get_device(connection: DuckDBPyConnection, name: str, *, limit: int = 500, **filters: object) -> Device:
    """Return one device with its newest `limit` events. Raises UnknownDevice."""
    device_filters: dict[str, Any] = {**filters, "device_id": name}
    rows = list_devices(connection, **device_filters)
    rows = rows[rows["device"] == name]
    if rows.empty:
        device_filters = {**filters, "user_id": name}
        rows = list_devices(connection, **device_filters)
        rows = rows[rows["device"] == name]
    if rows.empty:
        raise UnknownDevice(name)
    pending = list_records_at_risk(connection, only_blocked=False, **device_filters)
    return Device(
        device=name,
        summary={str(key): value for key, value in rows.iloc[0].to_dict().items()},
        timeline=run_query(connection, _TIMELINE, Filters.of(**device_filters), {"limit": limit}),
        pending=pending[pending["device_id"] == name].reset_index(drop=True),
    )


def _old_versions(adoption: pd.DataFrame) -> set[str]:
    """Return the versions older than one that at least a tenth of the last day's syncs use."""
    adopted = [str(version) for version in adoption.loc[adoption["stage"] == "adopted", "app_version"]]
    existing = [str(version) for version in adoption["app_version"] if version != "unknown"]
    return {
        one
        for one in existing
        if one not in adopted and any(is_newer_version(other, one) for other in adopted)
    }


def _problems(
    row: dict[Any, Any], stuck: pd.DataFrame, silent: pd.DataFrame, old: set[str], as_of: datetime | None
) -> Iterator[tuple[str, str]]:
    """Yield the problems of a device in the order of STATUSES, each with its reason."""
    name = row["device"]
    if row["shut_out"]:
        tries = pluralize(int(row["shut_out_attempts"]), "attempt")
        since = f"{row['shut_out_since']:%Y-%m-%d %H:%M}"
        yield "shut out", f"all syncs refused since {since} UTC: {row['stop_cause']}, {tries}{_unsent(row)}"
    if name in stuck.index:
        hours, attempts = stuck.loc[name, ["hours_stuck", "attempts_since"]]
        yield "stuck", f"no success in {attempts:.0f} attempts over {hours:.0f} hours"
    if name in silent.index:
        hours, usual = silent.loc[name, ["hours_silent", "usual_pause_hours"]]
        yield "silent", f"no attempt for {hours:.0f} hours, usually every {usual:.0f}"
    if row["pending_in_error"]:
        yield "work refused", f"{pluralize(int(row['pending_in_error']), 'unsent record')} in error"
    elif row["refuses_uploads"]:
        yield "work refused", "Vault refused records in its last finished sync"
    stale_before = None if as_of is None else as_of - timedelta(days=STALE_DAYS)
    if row["loaded_syncs"] and stale_before is not None and _is_before(row["last_success"], stale_before):
        yield "stale", f"no success in the last {STALE_DAYS} days"
    yield from _limit_problems(row)
    if row["app_version"] in old:
        yield "old version", f"{row['app_version']} while newer versions are adopted"
    if not row["loaded_syncs"]:
        yield "unknown", "no syncs are loaded to show whether it works"


def _limit_problems(row: dict[Any, Any]) -> Iterator[tuple[str, str]]:
    limit = ACCOUNT_LIMITS.get(str(row["platform"]))
    if limit and pd.notna(row["accounts"]) and row["accounts"] > limit:
        yield "too many accounts", f"{row['accounts']:.0f} accounts, the default limit is {limit}"
    if pd.notna(row["storage_free_mb"]) and row["storage_free_mb"] < LOW_STORAGE_MB:
        yield "low storage", f"{row['storage_free_mb']:.0f} MB free"


def _unsent(row: dict[Any, Any]) -> str:
    return f", {pluralize(int(row['pending']), 'unsent record')}" if row["pending"] else ""


def _is_before(time: Any, than: datetime) -> bool:  # noqa: ANN401 - a cell of a frame
    return bool(pd.isna(time) or time < than)
