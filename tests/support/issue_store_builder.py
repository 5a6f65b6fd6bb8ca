"""Build a store with one issue: its errors, their findings, and pending records on the devices."""

from __future__ import annotations

from duckdb import DuckDBPyConnection

ISSUE = "0123456789ab"
_ERROR = """
INSERT INTO sync_error (event_id, occurred_at, user_id, device_id, phase, operation, object, record_id, field,
    error_type, message, source, batch_id)
VALUES ($event, '2026-03-02 09:00', $user, $device, $phase, $operation, $object, $record, $field,
    $error_type, $message, 't', 't')
"""
_FINDING = """
INSERT INTO finding VALUES ($event, $issue, $cause, 1.0, 'test', [], [], $retryable, 'server', 't', 't')
"""
_PENDING = """
INSERT INTO pending_record (device_id, as_of, object, record_id, user_id, operation, parent_record_id,
    edited_at, in_error, source, batch_id)
VALUES ($device, '2026-03-02 10:00', $object, $record, $user, $operation, $parent,
    '2026-03-01'::TIMESTAMP + to_seconds($number), $in_error, 't', 't')
"""


class IssueStoreBuilder:
    """Writes one issue to a store, error by error."""

    def __init__(self, store: DuckDBPyConnection, cause: str, *, retryable: str = "no") -> None:
        self.store = store
        self.cause = cause
        self.retryable = retryable
        self.count = 0

    def add_error(
        self, device="ipad-1", record=None, *, user=None, operation=None, object=None, field=None,
        error_type="OPERATION_NOT_ALLOWED", message="No", phase="upload", issue=ISSUE, cause=None,
    ):  # fmt: skip
        """Add an error of the issue, or of another one, with its finding."""
        self.count += 1
        event = f"e{self.count}"
        self.store.execute(_ERROR, {
            "event": event, "user": user or f"user of {device}", "device": device, "phase": phase,
            "operation": operation, "object": object, "record": record, "field": field,
            "error_type": error_type, "message": message,
        })  # fmt: skip
        self.store.execute(_FINDING, {
            "event": event, "issue": issue, "cause": cause or self.cause, "retryable": self.retryable,
        })  # fmt: skip

    def add_pending(
        self,
        device,
        record,
        operation="update",
        object="account__v",
        *,
        parent=None,
        in_error=True,
        user=None,
    ):
        """Add a pending record on a device, in error or not."""
        self.count += 1
        self.store.execute(_PENDING, {
            "device": device, "object": object, "record": record, "user": user or f"user of {device}",
            "operation": operation, "parent": parent, "number": self.count, "in_error": in_error,
        })  # fmt: skip

    def add_stuck_record(self, device, record, operation, object, **attributes):
        """Add an error of the issue, and the pending record it blocks."""
        self.add_error(device, record, operation=operation, object=object, **attributes)
        self.add_pending(device, record, operation, object)
