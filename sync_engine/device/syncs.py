"""The sync types. Each function returns whether the sync succeeded; problems are reported, not raised.

Every sync needs a network, a session and the app in the foreground. One sync runs at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable

from sync_engine.device import errors_tab, media
from sync_engine.device.client import Device, read_state, write_state
from sync_engine.device.download import (
    apply_staged,
    delete_answered_edits,
    download_changes,
    mismatched_objects,
    report_configuration_errors,
    reset_object,
)
from sync_engine.device.request import SyncCanceled, request_binary, send_request
from sync_engine.device.sync_run import (
    SyncRun,
    abandon_sync,
    begin_sync,
    close_interrupted_syncs,
    delete_sent_tracking_records,
    enter_phase,
    finish_sync,
    report_error,
    unsent_tracking_records,
)
from sync_engine.device.upload import upload, use_lane
from sync_engine.json_docs import JsonDict
from sync_engine.protocol import DeviceError, TransportError, VaultError

RESUME_SECONDS = 12 * 3600.0
"""A non-blocking sync that was paused longer than this starts over."""

SyncProblem = TransportError | DeviceError | VaultError | sqlite3.Error
SYNC_PROBLEMS = (TransportError, DeviceError, VaultError, sqlite3.Error)
"""Exceptions that a sync reports; any other exception is a defect of the engine."""


async def sign_in(device: Device) -> bool:
    """Open a session; a refusal is reported as an error of the phase `connect`."""
    run = SyncRun(kind="autosync", trigger="sign_in", started_at=device.env.now(), mobile_id=None)
    try:
        reply = await send_request(
            device, run, {"verb": "sign_in", "user": device.user_id, "password": device.password}
        )
    except (TransportError, VaultError) as problem:
        _report(device, run, problem, "sign_in")
        return False
    device.session = reply["session"]
    device.put("session", device.session)
    return True


async def autosync(device: Device) -> bool:
    """Upload saved edits in the background. It leaves no tracking record, but reports errors."""
    if device.busy or device.session is None or not device.env.is_online() or not device.foreground:
        return False
    run = begin_sync(device, "autosync", "save")
    try:
        enter_phase(device, run, "connect")
        if device.get("lane") is None:
            use_lane(device, await send_request(device, run, {"verb": "open", "kind": "autosync"}))
        await upload(device, run)
    except SYNC_PROBLEMS as problem:
        _report(device, run, problem)
        return False
    finally:
        device.busy = False
    return True


async def incremental(device: Device, trigger: str = "manual") -> bool:
    """Upload pending edits, then download and apply all changes while the user waits."""
    return await _run_tracked(device, "incremental", trigger, _run_incremental)


async def database_refresh(device: Device, trigger: str = "manual") -> bool:
    """Upload, then replace the whole data database. Returns False while the Errors tab has entries."""
    if errors_tab.entries(device):
        return False
    return await _run_tracked(device, "database_refresh", trigger, _run_database_refresh)


async def mini(device: Device) -> bool:
    """Download an account that was added through search, with its related records."""
    return await _run_tracked(device, "mini", "account_added", _run_mini)


async def non_blocking(device: Device, trigger: str = "daily") -> bool:
    """Upload and stage changes while the user works; `apply_update` applies them later."""
    return await _run_tracked(device, "non_blocking", trigger, _run_non_blocking)


async def _run_tracked(
    device: Device, kind: str, trigger: str, body: Callable[[Device, SyncRun], Awaitable[bool]]
) -> bool:
    if device.busy or not device.foreground:
        return False
    close_interrupted_syncs(device)
    run = begin_sync(device, kind, trigger)
    try:
        successful = await body(device, run)
    except RestartRequired:
        abandon_sync(device, run)
        return await _run_tracked(device, kind, trigger, body)
    except SyncCanceled:
        finish_sync(device, run, successful=False, canceled=True)
        return False
    except SYNC_PROBLEMS as problem:
        _report(device, run, problem)
        successful = False
    device.cancel_at = None
    finish_sync(device, run, successful=successful)
    if device.session is not None:
        await _send_tracking(device, run)
    return successful


class RestartRequired(Exception):
    """A non-blocking sync was paused for too long; its record has no completion time."""


async def _open_sync(device: Device, run: SyncRun) -> JsonDict:
    enter_phase(device, run, "connect")
    reply = await send_request(device, run, {"verb": "open", "kind": run.kind})
    use_lane(device, reply)
    if device.get("configuration_version") != reply["version"]:
        device.put("settings", reply["settings"])
        device.put("configuration_version", reply["version"])
    if device.get("profile") not in (None, reply["profile"]) and not reply["enhanced_settings"]:
        device.put("refresh_wanted", "profile")
    if device.get("profile") != reply["profile"]:
        device.put("profile", reply["profile"])
    if device.get("has_files", False) != reply["files"]:
        device.put("has_files", reply["files"])
    flags = reply["flags"]
    if flags["clear_client_sync_errors__v"]:
        device.put("clear_wanted", True)
    if flags["upload_vtrans__v"]:
        run.vtrans += 1
    if flags["force_full_refresh__v"]:
        device.put("refresh_wanted", "forced")
    return reply


async def _upload_and_clear(device: Device, run: SyncRun) -> None:
    """Upload. If clearing was requested, delete refused edits and upload the edits they blocked."""
    await upload(device, run)
    if device.get("clear_wanted"):
        errors_tab.clear(device)
        device.put("clear_wanted", False)
        await upload(device, run)


async def _run_incremental(device: Device, run: SyncRun) -> bool:
    reply = await _open_sync(device, run)
    await _upload_and_clear(device, run)
    refresh_reason = device.get("refresh_wanted")
    if refresh_reason and not errors_tab.entries(device):
        successful = await _replace_database(device, run)
    else:
        successful = await _download(device, run, reply["epoch"])
    return await _sync_media(device, run) and successful


async def _sync_media(device: Device, run: SyncRun) -> bool:
    """Run the media phase if the Vault has files. Applied data stay, even if it fails."""
    return not device.get("has_files") or await media.fetch_files(device, run)


async def _download(device: Device, run: SyncRun, epoch: str) -> bool:
    final = await download_changes(device, run, epoch)
    mismatches = apply_staged(device, run, final)
    if mismatches:
        await _repair(device, run, epoch, mismatches, final)
    run.download_done = not report_configuration_errors(device, run, final)
    _warn_of_too_many_accounts(device, run)
    return run.download_done


def _warn_of_too_many_accounts(device: Device, run: SyncRun) -> None:
    """Report too many accounts. The app still works above the limit, with poor performance."""
    name = "max_accounts__v" if device.platform == "Windows" else "max_accounts_ipad__v"
    row = device.data.execute("SELECT count(*) FROM record WHERE object = 'account__v'").fetchone()
    limit = device.setting(name)
    if limit is None or row[0] <= limit:
        return
    message = f"TOO_MANY_ACCOUNTS: [{row[0]}] accounts sync to this device; the maximum is [{limit}]"
    error = {"type": "TOO_MANY_ACCOUNTS", "message": message}
    subject = f"sync-configuration|setting/{name}//"
    report_error(device, run, error, subject=subject, operation="query", object_name="account__v")


async def _repair(device: Device, run: SyncRun, epoch: str, mismatches: list[str], final: JsonDict) -> None:
    """Report objects that differ from the Vault and download them in full, once."""
    for name in mismatches:
        message = (
            f"Records of [{name}] on the device do not match Vault: expected count {final['digest'][name][0]}"
        )
        error = {"type": "LOCAL_DIGEST_MISMATCH", "message": message}
        subject = f"local-state-mismatch|digest/{device.device_id}"
        report_error(device, run, error, subject=subject, operation="query", object_name=name)
        reset_object(device, name)
    reply = await download_changes(device, run, epoch)
    apply_staged(device, run, reply)


async def _run_database_refresh(device: Device, run: SyncRun) -> bool:
    await _open_sync(device, run)
    await _upload_and_clear(device, run)
    if errors_tab.entries(device):
        return False
    successful = await _replace_database(device, run)
    return await _sync_media(device, run) and successful


async def _replace_database(device: Device, run: SyncRun) -> bool:
    """Download a new database and replace the old one if the new one is complete."""
    enter_phase(device, run, "download")
    head, body = await request_binary(device, run, {"verb": "snapshot"})
    if len(body) != head["size"]:
        message = f"The new database came incomplete: {len(body)} of {head['size']} bytes"
        raise TransportError("INVALID_RESPONSE", message, transient=False)
    device.env.fault_point("refresh.downloaded")
    new_data = device.env.open_store("fresh", body)
    del body
    enter_phase(device, run, "apply")
    old_data, device.data = device.data, new_data
    try:
        if mismatched_objects(device, head["digest"]):
            raise DeviceError("LOCAL_DIGEST_MISMATCH", "The new database is incomplete; the old one is kept")
        _write_cursor(device, head)
        device.env.fault_point("refresh.swap")
    except BaseException:
        device.data = old_data
        new_data.close()
        raise
    device.env.replace_store("data", new_data)
    device.data = device.env.open_store("data")
    delete_answered_edits(device, head["seq"])
    device.put("refresh_wanted", None)
    row = device.data.execute("SELECT count(*) FROM record").fetchone()
    run.records_downloaded += int(row[0])
    run.download_done = not report_configuration_errors(
        device, run, {"broken": head["broken"], "unreadable": []}
    )
    return run.download_done


def _write_cursor(device: Device, head: JsonDict) -> None:
    device.data.isolation_level = None
    write_state(device.data, "cursor", {"epoch": head["epoch"], "seq": head["seq"]})
    write_state(device.data, "rules", head["rules"])


async def _run_mini(device: Device, run: SyncRun) -> bool:
    reply = await _open_sync(device, run)
    run.upload_done = True
    return await _download(device, run, reply["epoch"])


async def _run_non_blocking(device: Device, run: SyncRun) -> bool:
    reply = await _open_sync(device, run)
    await _upload_and_clear(device, run)
    await _wait_for_foreground(device, run)
    final = await download_changes(device, run, reply["epoch"])
    await _wait_for_foreground(device, run)
    device.put("update_ready", {"final": final, "since": device.env.now()})
    device.put("waiting_run", run.mobile_id)
    run.download_done = not report_configuration_errors(device, run, final)
    return run.download_done


async def _wait_for_foreground(device: Device, run: SyncRun) -> None:
    """Wait while the app is in the background. Raises RestartRequired after RESUME_SECONDS."""
    paused_at = device.env.now()
    while not device.foreground:
        await device.env.sleep(60.0)
    seconds = device.env.now() - paused_at
    run.paused_seconds += seconds
    if seconds > RESUME_SECONDS:
        raise RestartRequired


def apply_update(device: Device) -> bool:
    """Apply staged updates, as the Apply button does. False if there are none."""
    update = device.get("update_ready")
    if not update or device.busy:
        return False
    progress = read_state(device.data, "progress") or {"cursor": None}
    if progress["cursor"] != {"epoch": update["final"]["epoch"], "seq": update["final"]["seq"]}:
        device.put("update_ready", None)  # another sync has applied the update or continued from it
        return False
    run = SyncRun(
        kind="non_blocking", trigger="apply", started_at=device.env.now(), mobile_id=device.get("waiting_run")
    )
    device.put("update_ready", None)
    try:
        mismatches = apply_staged(device, run, update["final"])
    except DeviceError as problem:
        device.put("update_ready", update)
        _report(device, run, problem)
        return False
    for name in mismatches:
        reset_object(device, name)
    return True


async def sync_media_after_apply(device: Device) -> bool:
    """Download new versions of media on the device, and attachments, after Apply."""
    return await _sync_only_media(device, "apply", media.AFTER_APPLY)


async def download_all_media(device: Device) -> bool:
    """Download all media, as the *Download All Media* button does."""
    return await _sync_only_media(device, "manual", media.ALL_MEDIA)


async def _sync_only_media(device: Device, trigger: str, selection: media.FileSelection) -> bool:
    """Download files outside of a tracked sync. Errors are reported for the last applied sync."""
    if device.busy or device.session is None or not device.foreground or not device.env.is_online():
        return False
    if not device.get("has_files"):
        return True
    mobile_id = device.get("waiting_run")
    run = SyncRun(kind="non_blocking", trigger=trigger, started_at=device.env.now(), mobile_id=mobile_id)
    device.busy = True
    try:
        return await media.fetch_files(device, run, selection)
    except SYNC_PROBLEMS as problem:
        _report(device, run, problem)
        return False
    finally:
        device.busy = False


async def _send_tracking(device: Device, run: SyncRun) -> None:
    """Upload tracking records. The next sync sends them again if this fails."""
    rows = unsent_tracking_records(device)
    try:
        reply = await send_request(device, run, {"verb": "track", "rows": rows})
    except (TransportError, VaultError):
        return
    delete_sent_tracking_records(device, reply["kept"])


def _report(device: Device, run: SyncRun, problem: SyncProblem, operation: str | None = None) -> None:
    error = _describe_problem(problem)
    status = problem.http_status if isinstance(problem, TransportError) else None
    if isinstance(problem, VaultError):
        error |= {k: v for k, v in (("object", problem.object), ("field", problem.field)) if v}
        if problem.type == "INVALID_SESSION_ID":
            device.session = None
            device.put("session", None)
    report_error(device, run, error, operation=operation, http_status=status)


def _describe_problem(problem: SyncProblem) -> JsonDict:
    if isinstance(problem, sqlite3.Error):
        return {"type": problem.sqlite_errorname or "SQLITE_ERROR", "message": str(problem)}
    error_type = problem.type if isinstance(problem, VaultError) else problem.error_type
    return {"type": error_type, "message": problem.message}
