"""The rows that a sync engine reports: the schema shared with the rest of SyncLens.

Each class is one row of the corresponding table in the store. Fields that Vault documents keep Vault's
spelling (`sync_duration__v`); other fields have names without `__v`. Times are aware
datetimes in UTC. `None` means that the value is unknown, never that something failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncTracking:
    """One `sync_tracking__v` record: Vault's own record of one sync. Autosync creates none.

    The fourteen documented fields keep their documented meaning: `sync_duration__v` is seconds of wall
    time and includes background and pause; `sync_completed_datetime__v` may be empty when a non-blocking
    sync was restarted. Picklists contain API names and are never a closed set.
    """

    id: str
    name__v: str | None = None
    status__v: str | None = None
    created_by__v: str | None = None
    created_date__v: datetime | None = None
    modified_by__v: str | None = None
    modified_date__v: datetime | None = None
    mobile_id__v: str | None = None
    sync_type__v: str | None = None
    refresh_mode__v: str | None = None
    sync_start_datetime__v: datetime
    sync_completed_datetime__v: datetime | None = None
    sync_duration__v: float | None = None
    successful_sync__v: bool | None = None
    sync_canceled__v: bool | None = None
    upload_processed__v: bool | None = None
    download_processed__v: bool | None = None
    number_of_uploads__v: int | None = None
    number_of_upload_errors__v: int | None = None
    number_of_retries__v: int | None = None
    number_of_vtrans__v: int | None = None
    version__v: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncError:
    """One error on one record, or on one phase, of one sync; `sync_id` is None for autosync."""

    event_id: str
    sync_id: str | None = None
    occurred_at: datetime
    user_id: str | None = None
    device_id: str | None = None
    platform: str | None = None
    app_version: str | None = None
    sync_type: str | None = None
    phase: str | None = None  # connect, upload, download, apply, media
    operation: str | None = None  # create, update, delete, query, sign_in
    object: str | None = None
    record_id: str | None = None
    field: str | None = None
    http_status: int | None = None
    error_type: str | None = None
    message: str | None = None
    payload: str | None = None  # JSON text of the uploaded fields, if the engine or export knows them


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncDetail:
    """Details of one sync that Vault does not record. Durations are in seconds, sizes in bytes."""

    sync_id: str
    user_id: str | None = None
    device_id: str | None = None
    trigger: str | None = None  # manual, daily, forced, undelete, account_added
    network_type: str | None = None
    active_seconds: float | None = None
    paused_seconds: float | None = None
    records_downloaded: int | None = None
    records_deleted: int | None = None
    bytes_uploaded: int | None = None
    bytes_downloaded: int | None = None
    pending_uploads: int | None = None  # records still pending when the sync ended
    records_created: int | None = None  # records that the user created or edited since the last tracked sync
    configuration_version: str | None = None
    last_phase: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigChange:
    """One configuration change that could explain errors."""

    change_id: str
    changed_at: datetime
    changed_by: str | None = None
    kind: str  # permission_set, vmoc, territory, app_version, object, field, validation_rule, setting, user
    target: str  # the changed item: a permission set, an object, a rule, a version
    object: str | None = None
    field: str | None = None
    scope: str | None = None  # affected users: `profile=...`, `territory=...`; None is everyone
    before: str | None = None
    after: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncUser:
    """One user, as of a time."""

    user_id: str
    as_of: datetime
    name: str | None = None
    email: str | None = None
    active: bool | None = None
    permission_sets: str | None = None  # comma-separated API names
    security_profile: str | None = None
    application_profile: str | None = None
    territory: str | None = None
    country: str | None = None
    time_zone: str | None = None  # IANA name
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInfo:
    """One device, as of a time."""

    device_id: str
    as_of: datetime
    user_id: str | None = None
    platform: str | None = None  # iPad, iPhone, Windows
    model: str | None = None
    os_version: str | None = None
    app_version: str | None = None
    storage_free_mb: float | None = None
    accounts: int | None = None
    last_seen_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRecord:
    """One pending record on a device, as of the end of a sync or autosync."""

    device_id: str
    as_of: datetime
    object: str
    record_id: str
    user_id: str | None = None
    operation: str | None = None
    parent_record_id: str | None = None  # call -> sample -> signature
    edited_at: datetime | None = None
    in_error: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The injected fault behind one event. Only simulated data has it."""

    event_id: str
    cause: str
    injected_by: str  # name of the fault or misconfiguration
    change_id: str | None = None  # the configuration change that caused it, if any


Telemetry = (
    SyncTracking | SyncError | SyncDetail | ConfigChange | SyncUser | DeviceInfo | PendingRecord | Truth
)
