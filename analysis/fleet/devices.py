"""List devices with their problems, and the records that are pending on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.base.errors import AnalysisError
from analysis.base.versions import is_newer_version
from analysis.metrics.registry import find_metric
from analysis.query.filters import Filters
from analysis.query.runner import reference_time_for, run_query

STALE_DAYS = 7
LOW_STORAGE_MB = 1_000.0
# Documented defaults of max_accounts_ipad__v and max_accounts__v (Vault CRM Help, settings).
ACCOUNT_LIMITS = {"iPad": 15_000, "iPhone": 15_000, "Windows": 50_000}
# Problems of a device, the most severe first; a device can have several.
STATUSES = ("stuck", "silent", "stale", "too many accounts", "low storage", "old version", "unknown")
FLEET_COLUMNS = (
    "device", "user_id", "status", "problems", "why", "platform", "model", "os_version", "app_version",
    "territory", "country", "syncs", "failures", "last_attempt", "last_success", "errors", "pending",
    "pending_in_error", "oldest_edit", "accounts", "storage_free_mb",
)  # fmt: skip

_FLEET = """
WITH synced AS (
    SELECT coalesce(device_id, user_id) AS device, max(user_id) AS user_id, count(*) AS syncs,
        count(*) FILTER (WHERE outcome IN ('failed', 'failed_upload', 'failed_download')) AS failures,
        max(started_at) AS last_attempt,
        max(CASE WHEN outcome IN ('succeeded', 'succeeded_with_upload_errors') THEN started_at END)
            AS last_success,
        max_by(app_version, started_at) AS synced_version
    FROM sync
    WHERE coalesce(device_id, user_id) IS NOT NULL
    GROUP BY coalesce(device_id, user_id)
),
failed AS (
    SELECT coalesce(device_id, user_id) AS device, max(user_id) AS user_id, count(*) AS errors
    FROM error
    WHERE coalesce(device_id, user_id) IS NOT NULL
    GROUP BY coalesce(device_id, user_id)
),
pending AS (
    SELECT device_id AS device, max(user_id) AS user_id, count(DISTINCT (object, record_id)) AS pending,
        count(DISTINCT (object, record_id)) FILTER (WHERE in_error) AS pending_in_error, min(edited_at) AS oldest_edit
    FROM pending_now
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
    coalesce(s.syncs, 0) AS syncs, coalesce(s.failures, 0) AS failures, s.last_attempt, s.last_success,
    coalesce(f.errors, 0) AS errors, coalesce(p.pending, 0) AS pending,
    coalesce(p.pending_in_error, 0) AS pending_in_error, p.oldest_edit, d.accounts, d.storage_free_mb
FROM all_devices AS a
LEFT JOIN synced AS s ON s.device = a.device
LEFT JOIN failed AS f ON f.device = a.device
LEFT JOIN pending AS p ON p.device = a.device
LEFT JOIN listed AS l ON l.device = a.device
LEFT JOIN current_device AS d ON d.device_id = a.device
LEFT JOIN current_user_info AS u ON u.user_id = coalesce(l.user_id, s.user_id, f.user_id, p.user_id)
ORDER BY a.device
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
_AT_RISK = """
SELECT p.device_id, p.user_id, p.object, p.record_id, p.parent_record_id, p.operation, p.edited_at, p.in_error,
    b.cause, b.issue_id, b.message, date_diff('second', p.edited_at, r.as_of) / 3600.0 AS age_hours
FROM pending_now AS p
CROSS JOIN reference AS r
JOIN pending_blocker AS b ON b.device_id = p.device_id AND b.object = p.object AND b.record_id = p.record_id
ORDER BY p.device_id, p.record_id
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

    `status` is the worst of STATUSES or "ok"; `problems` lists all, `why` describes each. Stale means that the last
    success is more than 7 days old. Unknown means that no syncs are loaded at all. If syncs name no device, the user
    counts as the device. Counts respect filters.
    """
    checked = Filters.of(**filters)
    frame = run_query(connection, _FLEET, checked)
    as_of = reference_time_for(connection, checked)
    stuck = run_query(connection, find_metric("stuck_devices").sql, checked).set_index("device")
    silent = run_query(connection, find_metric("silent_devices").sql, checked).set_index("device")
    old = _old_versions(run_query(connection, find_metric("version_adoption").sql, checked))
    problems = [dict(_problems(row, stuck, silent, old, as_of)) for row in frame.to_dict("records")]
    if not frame["syncs"].sum():
        problems = [{**row, "unknown": "no syncs are loaded to show whether it works"} for row in problems]
    frame["problems"] = pd.Series([list(row) for row in problems], index=frame.index, dtype=object)
    frame["why"] = pd.Series(["; ".join(row.values()) for row in problems], index=frame.index, dtype="str")
    frame["status"] = pd.Series([next(iter(row), "ok") for row in problems], index=frame.index, dtype="str")
    rank = [(STATUSES.index(status) if status in STATUSES else len(STATUSES)) for status in frame["status"]]
    order = np.lexsort((frame["device"].to_numpy(), -frame["pending_in_error"].to_numpy(), np.array(rank)))
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
    pending = list_records_at_risk(connection, only_in_error=False, **device_filters)
    return Device(
        device=name,
        summary={str(key): value for key, value in rows.iloc[0].to_dict().items()},
        timeline=run_query(connection, _TIMELINE, Filters.of(**device_filters), {"limit": limit}),
        pending=pending[pending["device_id"] == name].reset_index(drop=True),
    )


def list_records_at_risk(
    connection: DuckDBPyConnection, *, only_in_error: bool = True, **filters: object
) -> pd.DataFrame:
    """List pending records with their errors and the records that depend on them.

    `dependents` has the ids of records that depend on this one (call, sample, signature, to any depth),
    `blocked_by` the nearest record in error above it, `order` its position when records are fixed parents first.
    Records that are saved together fail together: a record without an error has the cause of a record above,
    below or beside it. With `only_in_error`, the list has records in error only, else all pending records.
    Filters by cause or issue keep records with that cause or issue.
    """
    by_error = {name: filters.pop(name, None) for name in ("cause", "issue_id")}
    frame = run_query(connection, _AT_RISK, Filters.of(**filters))
    keys = [
        (str(name), str(record)) for name, record in frame[["device_id", "record_id"]].itertuples(index=False)
    ]
    parents = {
        key: parent
        for key, parent in zip(keys, frame["parent_record_id"], strict=True)
        if isinstance(parent, str)
    }
    failing = {key for key, in_error in zip(keys, frame["in_error"], strict=True) if in_error}
    above = {key: _ancestors(parents, *key) for key in keys}
    below: dict[tuple[str, str], list[str]] = {}
    for (name, record), ancestors in above.items():
        for parent in ancestors:
            below.setdefault((name, parent), []).append(record)
    frame["dependents"] = pd.Series(
        [sorted(below.get(key, [])) for key in keys], index=frame.index, dtype=object
    )
    frame["blocked_by"] = pd.Series(
        [next((parent for parent in above[key] if (key[0], parent) in failing), None) for key in keys],
        index=frame.index, dtype=object,
    )  # fmt: skip
    frame["order"] = [len(above[key]) for key in keys]
    for name in ("cause", "issue_id", "message"):
        frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
    for name, value in Filters.of(**by_error).values.items():
        frame = frame[frame[name].isin(value)]
    if only_in_error:
        frame = frame[frame["in_error"]]
    return frame.sort_values(["device_id", "order", "record_id"], kind="stable").reset_index(drop=True)


def _ancestors(parents: dict[tuple[str, str], str], name: str, record: str) -> list[str]:
    """Return the records above this one, the nearest first; a cycle in bad data ends the list."""
    ancestors: list[str] = []
    current = record
    while (parent := parents.get((name, current))) and parent not in ancestors and parent != record:
        ancestors.append(parent)
        current = parent
    return ancestors


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
) -> Sequence[tuple[str, str]]:
    name, problems = row["device"], []
    if name in stuck.index:
        hours, tries = stuck.loc[name, ["hours_stuck", "attempts_since"]]
        problems.append(("stuck", f"no success in {tries:.0f} attempts over {hours:.0f} hours"))
    if name in silent.index:
        hours, usual = silent.loc[name, ["hours_silent", "usual_pause_hours"]]
        problems.append(("silent", f"no attempt for {hours:.0f} hours, usually every {usual:.0f}"))
    if (
        as_of is not None
        and row["syncs"]
        and _is_before(row["last_success"], as_of - timedelta(days=STALE_DAYS))
    ):
        problems.append(("stale", f"no success in the last {STALE_DAYS} days"))
    limit = ACCOUNT_LIMITS.get(str(row["platform"]))
    if limit and pd.notna(row["accounts"]) and row["accounts"] > limit:
        problems.append(
            ("too many accounts", f"{row['accounts']:.0f} accounts, the default limit is {limit}")
        )
    if pd.notna(row["storage_free_mb"]) and row["storage_free_mb"] < LOW_STORAGE_MB:
        problems.append(("low storage", f"{row['storage_free_mb']:.0f} MB free"))
    if row["app_version"] in old:
        problems.append(("old version", f"{row['app_version']} while newer versions are adopted"))
    return problems


def _is_before(time: Any, than: datetime) -> bool:  # noqa: ANN401 - a cell of a frame
    return bool(pd.isna(time) or time < than)
