"""One sync: its tracking record, its counters, and its report at the end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sync_engine.device.client import Device
from sync_engine.device.edits import count_pending_edits, list_pending_edits
from sync_engine.hashing import short_hash
from sync_engine.json_docs import JsonDict, from_json, to_json
from sync_engine.telemetry import PendingRecord, SyncDetail, SyncError
from sync_engine.vault.tracking import tracking_id

SYNC_TYPES = {
    "incremental": "incremental__v",
    "non_blocking": "non_blocking__v",
    "database_refresh": "database_refresh__v",
    "mini": "mini_sync__v",
    "autosync": "autosync__v",
}
"""Names of `sync_type__v`. Veeva's public pages do not list them; see docs/engine-assumptions.md."""


@dataclass(slots=True, kw_only=True)
class SyncRun:
    """A sync in progress. Autosync has no `mobile_id`, because it is not tracked."""

    kind: str
    trigger: str
    started_at: float
    mobile_id: str | None
    phase: str = "connect"
    uploads: int = 0
    upload_errors: int = 0
    retries: int = 0
    vtrans: int = 0
    records_downloaded: int = 0
    records_deleted: int = 0
    bytes_uploaded: int = 0
    bytes_downloaded: int = 0
    paused_seconds: float = 0.0
    upload_done: bool = False
    download_done: bool = False
    records_created: int = 0
    media_done: bool = True

    @property
    def sync_id(self) -> str | None:
        """Return the id of the tracking record, None for autosync."""
        return None if self.mobile_id is None else tracking_id(self.mobile_id)


def begin_sync(device: Device, kind: str, trigger: str) -> SyncRun:
    """Start a sync. A tracked sync stores its record first, so that a kill leaves it unfinished."""
    now = device.env.now()
    mobile_id = None
    if kind != "autosync":
        mobile_id = f"s-{device.env.random_stream('ids').getrandbits(80):020x}"
    run = SyncRun(kind=kind, trigger=trigger, started_at=now, mobile_id=mobile_id)
    run.records_created = int(device.get("saved_since_sync", 0))
    if mobile_id is not None:
        device.journal.execute(
            "INSERT INTO tracking (mobile_id, doc) VALUES (?, ?)",
            (mobile_id, to_json(_tracking_record(device, run))),
        )
    device.busy = True
    return run


def enter_phase(device: Device, run: SyncRun, phase: str) -> None:
    """Set the phase of the sync."""
    run.phase = phase
    device.env.fault_point(f"{run.kind}.{phase}")


def finish_sync(device: Device, run: SyncRun, *, successful: bool, canceled: bool = False) -> None:
    """End the sync: close its tracking record and report the details that Vault does not record."""
    device.busy = False
    if run.mobile_id is None:
        return
    ended = device.env.now()
    row = _tracking_record(device, run) | {
        "sync_completed_datetime__v": ended,
        "sync_duration__v": round(ended - run.started_at, 1),
        "successful_sync__v": successful,
        "sync_canceled__v": canceled,
        "upload_processed__v": run.upload_done and run.upload_errors == 0,
        "download_processed__v": run.download_done,
    }
    _close_tracking_record(device, run, row)
    device.env.emit(_sync_detail(device, run, ended))
    device.put("saved_since_sync", 0)
    if successful:
        device.put("last_sync", ended)
    _report_pending_records(device, ended)


def abandon_sync(device: Device, run: SyncRun) -> None:
    """Stop the sync without a completion time, as for a restarted non-blocking sync."""
    device.busy = False
    _close_tracking_record(device, run, _tracking_record(device, run))
    device.env.emit(_sync_detail(device, run, device.env.now()))


def close_interrupted_syncs(device: Device) -> None:
    """Close the records of syncs that a kill interrupted, without a completion time."""
    device.journal.execute("UPDATE tracking SET open = 0, sent = 0 WHERE open")


def unsent_tracking_records(device: Device) -> list[JsonDict]:
    """Return tracking records that the Vault does not have in their current form."""
    rows = device.journal.execute("SELECT doc FROM tracking WHERE NOT sent AND NOT open ORDER BY mobile_id")
    return [from_json(row[0]) for row in rows]


def delete_sent_tracking_records(device: Device, mobile_ids: list[str]) -> None:
    """Delete the tracking records that the Vault has stored."""
    device.journal.executemany(
        "DELETE FROM tracking WHERE mobile_id = ?", [(mobile_id,) for mobile_id in mobile_ids]
    )


def _close_tracking_record(device: Device, run: SyncRun, row: JsonDict) -> None:
    device.journal.execute(
        "UPDATE tracking SET doc = ?, open = 0, sent = 0 WHERE mobile_id = ?",
        (to_json(row), run.mobile_id),
    )


def _tracking_record(device: Device, run: SyncRun) -> JsonDict:
    return {
        "name__v": f"ST-{short_hash(run.mobile_id, size=4)}",
        "mobile_id__v": run.mobile_id,
        "sync_type__v": SYNC_TYPES[run.kind],
        "refresh_mode__v": device.get("refresh_mode"),
        "sync_start_datetime__v": run.started_at,
        "sync_completed_datetime__v": None,
        "sync_duration__v": None,
        "successful_sync__v": None,
        "sync_canceled__v": None,
        "upload_processed__v": None,
        "download_processed__v": None,
        "number_of_uploads__v": run.uploads,
        "number_of_upload_errors__v": run.upload_errors,
        "number_of_retries__v": run.retries,
        "number_of_vtrans__v": run.vtrans,
        "version__v": device.version,
    }


def _sync_detail(device: Device, run: SyncRun, ended: float) -> SyncDetail:
    return SyncDetail(
        sync_id=str(run.sync_id),
        user_id=device.user_id,
        device_id=device.device_id,
        trigger=run.trigger,
        network_type=device.env.network_type(),
        active_seconds=round(ended - run.started_at - run.paused_seconds, 1),
        paused_seconds=round(run.paused_seconds, 1),
        records_downloaded=run.records_downloaded,
        records_deleted=run.records_deleted,
        bytes_uploaded=run.bytes_uploaded,
        bytes_downloaded=run.bytes_downloaded,
        pending_uploads=count_pending_edits(device),
        records_created=run.records_created,
        configuration_version=str(device.get("configuration_version", "")) or None,
        last_phase=run.phase,
    )


def report_error(
    device: Device,
    run: SyncRun,
    error: JsonDict,
    *,
    subject: str | None = None,
    operation: str | None = None,
    object_name: str | None = None,
    record_id: str | None = None,
    payload: JsonDict | None = None,
    http_status: int | None = None,
) -> str:
    """Report one error of a record or of a phase. Reporting it again uses the same event id."""
    now = device.env.now()
    # A staged sync may be applied in several attempts, which must not share event ids.
    run_key = f"{run.mobile_id or device.device_id}/{run.started_at}"
    event_id = f"e-{short_hash(run_key, run.phase, subject, object_name, record_id, error['type'], error['message'])}"
    event = SyncError(
        event_id=event_id,
        sync_id=run.sync_id,
        occurred_at=to_datetime(now),
        user_id=device.user_id,
        device_id=device.device_id,
        platform=device.platform,
        app_version=device.version,
        sync_type=SYNC_TYPES[run.kind],
        phase=run.phase,
        operation=operation,
        object=object_name or error.get("object"),
        record_id=record_id or error.get("record_id"),
        field=error.get("field"),
        http_status=http_status,
        error_type=error["type"],
        message=error["message"],
        payload=None if payload is None else to_json(payload)[:4000],
    )
    device.env.emit(event, subject)
    return event_id


def _report_pending_records(device: Device, now: float) -> None:
    failed = {row[0] for row in device.journal.execute("SELECT key FROM failure")}
    parents = {"call2_detail__v": "call2__v", "call2_sample__v": "call2__v"}
    first: dict[str, str] = {}
    for name, record_id, operation, edited_at, key in list_pending_edits(device):
        if name not in parents:
            first[key] = record_id
        device.env.emit(
            PendingRecord(
                device_id=device.device_id,
                as_of=to_datetime(now),
                object=name,
                record_id=record_id,
                user_id=device.user_id,
                operation=operation,
                parent_record_id=first.get(key) if name in parents else None,
                edited_at=to_datetime(edited_at),
                in_error=key in failed,
            )
        )


def to_datetime(seconds: float) -> datetime:
    """Convert seconds to an aware UTC datetime, rounded to milliseconds."""
    return datetime.fromtimestamp(round(seconds, 3), UTC)
