"""Known pending records of the devices that a recovery action applies to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.base.text import pluralize
from analysis.query.filters import Filters
from analysis.query.runner import run_query

RecordKey = tuple[str, str]  # device id and record id

_DEVICES = """
WITH seen AS (
    SELECT device_id, user_id FROM pending_record
    UNION SELECT device_id, user_id FROM current_device
    UNION SELECT device_id, user_id FROM sync_error
    UNION SELECT device_id, user_id FROM sync_detail
)
SELECT DISTINCT device_id, user_id FROM seen
WHERE device_id IS NOT NULL AND (list_contains($devices, device_id) OR list_contains($users, user_id))
ORDER BY ALL
"""
_PENDING_RECORDS = """
SELECT device_id, user_id, object, record_id, operation, edited_at, parent_record_id, in_error
FROM pending_now
WHERE list_contains($devices, device_id)
ORDER BY edited_at, device_id, object, record_id
"""
# Devices with loaded pending records, or whose last sync left none and that had no record refused since.
_REPORTING_DEVICES = """
WITH last_sync AS (
    SELECT device_id, max(started_at) AS started_at, max_by(sync_id, started_at) AS sync_id,
        max_by(coalesce(pending_uploads, 1), started_at) AS pending_uploads
    FROM detailed_sync WHERE list_contains($devices, device_id) GROUP BY device_id
)
SELECT DISTINCT device_id FROM pending_record WHERE list_contains($devices, device_id)
UNION
SELECT device_id FROM last_sync
WHERE pending_uploads = 0 AND NOT EXISTS (
    FROM sync_error AS e
    WHERE e.device_id = last_sync.device_id AND e.record_id IS NOT NULL AND e.occurred_at > last_sync.started_at
        AND e.sync_id IS DISTINCT FROM last_sync.sync_id
)
"""
_ISSUE_DEVICES = """
SELECT DISTINCT device_id FROM issue_event WHERE issue_id = ? AND device_id IS NOT NULL ORDER BY 1
"""
# Devices that cannot send anything: shut out, stopped until someone acts with records pending, or with uploads that
# were refused in their last finished sync and are still pending. An error may name only the user.
_UNABLE_TO_SEND = """
WITH finished AS (
    SELECT device_id, max_by(outcome, started_at) AS outcome,
        max_by(coalesce(pending_uploads, 1), started_at) AS pending_uploads
    FROM detailed_sync
    WHERE list_contains($devices, device_id) AND outcome NOT IN ('canceled', 'unfinished')
    GROUP BY device_id
),
owner AS (
    SELECT device_id, user_id FROM current_device UNION SELECT device_id, user_id FROM pending_now
)
SELECT s.device AS device_id FROM stopped_device AS s WHERE s.shut_out
UNION SELECT o.device_id FROM stopped_device AS s JOIN owner AS o ON o.user_id = s.device WHERE s.shut_out
UNION SELECT s.device FROM stopped_device AS s JOIN pending_now AS p ON p.device_id = s.device WHERE s.lasting
UNION SELECT device_id FROM finished WHERE outcome = 'succeeded_with_upload_errors' AND pending_uploads > 0
"""
_ISSUE_RECORDS = "SELECT device_id, record_id FROM pending_blocker WHERE refusal_issue_id = $issue_id"
_FAILURES = """
SELECT (SELECT count(*) FROM sync_error WHERE list_contains($devices, coalesce(device_id, user_id)))
     + (SELECT count(*) FROM detailed_sync
        WHERE list_contains($devices, coalesce(device_id, user_id)) AND outcome LIKE 'failed%')
"""


@dataclass(frozen=True, slots=True)
class DeviceScope:
    """The requested devices, and all devices of their users."""

    requested: list[str]
    of_same_users: list[str]  # the requested devices and the other devices of their users


def find_devices(
    connection: DuckDBPyConnection, device_id: str | None, user_id: str | None, issue_id: str | None
) -> DeviceScope:
    """Find the devices of one device id, one user or one issue."""
    devices, users = [device_id] if device_id else [], [user_id] if user_id else []
    if issue_id is not None:
        devices = [row[0] for row in connection.execute(_ISSUE_DEVICES, [issue_id]).fetchall()]
    pairs = connection.execute(_DEVICES, {"devices": devices, "users": users}).fetchall()
    owners = sorted({user for device, user in pairs if user and (users or device in devices)} | set(users))
    owned = connection.execute(_DEVICES, {"devices": devices, "users": owners}).fetchall()
    requested = devices or sorted({device for device, _ in pairs})
    return DeviceScope(requested, sorted({device for device, _ in owned} | set(requested)))


def load_keys(connection: DuckDBPyConnection, query: str, issue_id: str) -> set[RecordKey]:
    """Run a query that returns device_id and record_id for an issue."""
    rows = run_query(connection, query, Filters.of(), {"issue_id": issue_id})
    return set(zip(rows["device_id"], rows["record_id"], strict=True))


@dataclass(frozen=True, slots=True)
class PendingState:
    """The known pending records of some devices."""

    devices: list[str]
    pending: pd.DataFrame  # LOST_COLUMNS and in_error
    unreported: list[str]  # devices whose pending records are unknown
    unable_to_send: set[str]  # devices that cannot upload their records now
    failures: int  # errors and failed syncs
    limit: set[RecordKey] | None  # the records to consider; None for all

    @classmethod
    def load(
        cls, connection: DuckDBPyConnection, devices: Sequence[str], issue_id: str | None
    ) -> PendingState:
        """Load the state of some devices, for one issue only if it is given."""
        parameters = {"devices": list(devices)}
        pending = run_query(connection, _PENDING_RECORDS, Filters.of(), parameters)
        reporting = {row[0] for row in connection.execute(_REPORTING_DEVICES, parameters).fetchall()}
        (failures,) = connection.execute(_FAILURES, parameters).fetchone() or (0,)
        unable = run_query(connection, _UNABLE_TO_SEND, Filters.of(), parameters)["device_id"]
        limit = None if issue_id is None else load_keys(connection, _ISSUE_RECORDS, issue_id)
        unreported = [device for device in devices if device not in reporting]
        return cls(list(devices), pending, unreported, set(unable), failures, limit)

    def limited_to(self, records: set[RecordKey]) -> PendingState:
        """Return the same state, with only these records to consider."""
        return replace(self, limit=records)

    @property
    def in_error(self) -> pd.DataFrame:
        """Return the pending records in error."""
        return self.pending[self.pending["in_error"].astype(bool)]

    @property
    def considered(self) -> pd.DataFrame:
        """Return the records in error within the limit."""
        if self.limit is None:
            return self.in_error
        within = [key in self.limit for key in _record_keys(self.in_error)]
        return self.in_error[pd.Series(within, self.in_error.index, dtype=bool)]

    def revertible(self, operation: str) -> pd.DataFrame:
        """Return records in error with this operation and no other pending upload, as Undo requires."""
        other_uploads = set(_record_keys(self.pending[~self.pending["in_error"].astype(bool)]))
        records = self.considered[self.considered["operation"] == operation]
        without = [key not in other_uploads for key in _record_keys(records)]
        return records[pd.Series(without, records.index, dtype=bool)]

    def with_children(self, records: pd.DataFrame) -> pd.DataFrame:
        """Add the child records in error: a call and its children are one transaction."""
        parents = set(_record_keys(records))
        parent_keys = zip(self.in_error["device_id"], self.in_error["parent_record_id"], strict=True)
        are_children = pd.Series([key in parents for key in parent_keys], self.in_error.index, dtype=bool)
        return self.in_error[self.in_error.index.isin(records.index) | are_children]

    @property
    def is_unknown(self) -> bool:
        """Return whether the pending records of none of the devices are known."""
        return len(self.unreported) == len(self.devices)

    def unknown_note(self) -> str:
        """Return which pending records are unknown; empty if all are known."""
        if not self.devices:
            return "No device is known, so pending records are unknown."
        if not self.unreported:
            return ""
        if len(self.unreported) < len(self.devices):
            return f"Pending records on {pluralize(len(self.unreported), 'other device')} are unknown."
        devices = "this device" if len(self.devices) == 1 else f"these {len(self.devices)} devices"
        return f"Pending records on {devices} are unknown."


def flag_owners(records: pd.DataFrame) -> pd.Series[Any]:
    """Return the user whose flag applies to each record, or the device if the user is unknown."""
    return records["user_id"].fillna(records["device_id"])


def _record_keys(records: pd.DataFrame) -> list[RecordKey]:
    return list(zip(records["device_id"], records["record_id"], strict=True))
