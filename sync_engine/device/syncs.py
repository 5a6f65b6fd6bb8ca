"""The kinds of sync. Each returns whether it ended well; nothing that goes wrong in one raises.

Needed for all of them: a network, the app in the foreground, and a session. One sync runs at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable

from sync_engine.device import errors_tab, media
from sync_engine.device.client import Device, read_state, write_state
from sync_engine.device.download import (
    apply,
    differing,
    drop_answered,
    fetch,
    forget_object,
    report_configuration,
)
from sync_engine.device.request import Canceled, ask, request_binary
from sync_engine.device.sync_run import (
    Run,
    abandon,
    begin,
    close_interrupted,
    enter,
    finish,
    forget_sent,
    report_error,
    unsent,
)
from sync_engine.device.upload import take_lane, upload
from sync_engine.json_docs import JsonDict
from sync_engine.protocol import DeviceError, TransportError, VaultError

RESUME_SECONDS = 12 * 3600.0
"""A paused non-blocking sync goes on within this time, later it starts over."""

Problem = TransportError | DeviceError | VaultError | sqlite3.Error
TROUBLE = (TransportError, DeviceError, VaultError, sqlite3.Error)
"""What may go wrong in a sync without being a defect of the engine."""


async def sign_in(device: Device) -> bool:
    """Open a session; a refusal is reported as an error of the phase `connect`."""
    run = Run(kind="autosync", trigger="sign_in", started=device.env.now(), mobile_id=None)
    try:
        reply = await ask(
            device, run, {"verb": "sign_in", "user": device.user_id, "password": device.password}
        )
    except (TransportError, VaultError) as problem:
        _report(device, run, problem, "sign_in")
        return False
    device.session = reply["session"]
    device.put("session", device.session)
    return True


async def autosync(device: Device) -> bool:
    """Send what the user saved, at once and unseen. Vault keeps no record of it; errors still show."""
    if device.busy or device.session is None or not device.env.online() or not device.foreground:
        return False
    run = begin(device, "autosync", "save")
    try:
        enter(device, run, "connect")
        if device.get("lane") is None:
            take_lane(device, await ask(device, run, {"verb": "open", "kind": "autosync"}))
        await upload(device, run)
    except TROUBLE as problem:
        _report(device, run, problem)
        return False
    finally:
        device.busy = False
    return True


async def incremental(device: Device, trigger: str = "manual") -> bool:
    """Upload what is left, download and apply all changes. The user waits."""
    return await _tracked(device, "incremental", trigger, _incremental)


async def database_refresh(device: Device, trigger: str = "manual") -> bool:
    """Upload, then replace the whole data database. VaultError while the Errors tab has entries."""
    if errors_tab.entries(device):
        return False
    return await _tracked(device, "database_refresh", trigger, _refresh)


async def mini(device: Device) -> bool:
    """Bring down an account that was added through search, with what belongs to it."""
    return await _tracked(device, "mini", "account_added", _mini)


async def non_blocking(device: Device, trigger: str = "daily") -> bool:
    """Upload and stage while the user works; `apply_update` makes it visible when the user says so."""
    return await _tracked(device, "non_blocking", trigger, _non_blocking)


async def _tracked(
    device: Device, kind: str, trigger: str, body: Callable[[Device, Run], Awaitable[bool]]
) -> bool:
    if device.busy or not device.foreground:
        return False
    close_interrupted(device)
    run = begin(device, kind, trigger)
    try:
        done = await body(device, run)
    except Restarted:
        abandon(device, run)
        return await _tracked(device, kind, trigger, body)
    except Canceled:
        finish(device, run, successful=False, canceled=True)
        return False
    except TROUBLE as problem:
        _report(device, run, problem)
        done = False
    device.cancel_at = None
    finish(device, run, successful=done)
    if device.session is not None:
        await _send_tracking(device, run)
    return done


class Restarted(Exception):
    """A non-blocking sync was paused for too long; its record stays without a completion."""


async def _open(device: Device, run: Run) -> JsonDict:
    enter(device, run, "connect")
    opened = await ask(device, run, {"verb": "open", "kind": run.kind})
    take_lane(device, opened)
    if device.get("configuration_version") != opened["version"]:
        device.put("settings", opened["settings"])
        device.put("configuration_version", opened["version"])
    if device.get("profile") not in (None, opened["profile"]) and not opened["enhanced_settings"]:
        device.put("refresh_wanted", "profile")
    if device.get("profile") != opened["profile"]:
        device.put("profile", opened["profile"])
    if device.get("has_files", False) != opened["files"]:
        device.put("has_files", opened["files"])
    flags = opened["flags"]
    if flags["clear_client_sync_errors__v"]:
        device.put("clear_wanted", True)
    if flags["upload_vtrans__v"]:
        run.vtrans += 1
    if flags["force_full_refresh__v"]:
        device.put("refresh_wanted", "forced")
    return opened


async def _send_up(device: Device, run: Run) -> None:
    """Upload; if the admin wishes so, drop what is still refused then, and send what had waited behind it."""
    await upload(device, run)
    if device.get("clear_wanted"):
        errors_tab.clear(device)
        device.put("clear_wanted", False)
        await upload(device, run)


async def _incremental(device: Device, run: Run) -> bool:
    opened = await _open(device, run)
    await _send_up(device, run)
    wanted = device.get("refresh_wanted")
    if wanted and not errors_tab.entries(device):
        done = await _replace(device, run)
    else:
        done = await _download(device, run, opened["epoch"])
    return await _media(device, run) and done


async def _media(device: Device, run: Run) -> bool:
    """The last phase, while the user still waits: files of a Vault that has any. Data stay, whatever happens here."""
    return not device.get("has_files") or await media.fetch_files(device, run)


async def _download(device: Device, run: Run, epoch: str) -> bool:
    final = await fetch(device, run, epoch)
    wrong = apply(device, run, final)
    if wrong:
        await _repair(device, run, epoch, wrong, final)
    run.download_done = not report_configuration(device, run, final)
    _warn_of_too_many_accounts(device, run)
    return run.download_done


def _warn_of_too_many_accounts(device: Device, run: Run) -> None:
    """Above the limit the app still works, but badly; the message is the one that Vault CRM shows."""
    name = "max_accounts__v" if device.platform == "Windows" else "max_accounts_ipad__v"
    row = device.data.execute("SELECT count(*) FROM record WHERE object = 'account__v'").fetchone()
    limit = device.setting(name)
    if limit is None or row[0] <= limit:
        return
    message = f"TOO_MANY_ACCOUNTS: [{row[0]}] accounts sync to this device; the maximum is [{limit}]"
    error = {"type": "TOO_MANY_ACCOUNTS", "message": message}
    about = f"sync-configuration|setting/{name}//"
    report_error(device, run, error, about=about, operation="query", object_name="account__v")


async def _repair(device: Device, run: Run, epoch: str, wrong: list[str], final: JsonDict) -> None:
    """The device differs from the Vault although all went well: say so, and fetch those objects whole,
    once.
    """
    for name in wrong:
        message = (
            f"Records of [{name}] on the device do not match Vault: expected count {final['digest'][name][0]}"
        )
        error = {"type": "LOCAL_DIGEST_MISMATCH", "message": message}
        about = f"local-state-mismatch|digest/{device.device_id}"
        report_error(device, run, error, about=about, operation="query", object_name=name)
        forget_object(device, name)
    again = await fetch(device, run, epoch)
    apply(device, run, again)


async def _refresh(device: Device, run: Run) -> bool:
    await _open(device, run)
    await _send_up(device, run)
    if errors_tab.entries(device):
        return False
    done = await _replace(device, run)
    return await _media(device, run) and done


async def _replace(device: Device, run: Run) -> bool:
    """Build the new database beside the old one; only a complete one takes its place."""
    enter(device, run, "download")
    head, body = await request_binary(device, run, {"verb": "snapshot"})
    if len(body) != head["size"]:
        words = f"The new database came incomplete: {len(body)} of {head['size']} bytes"
        raise TransportError("INVALID_RESPONSE", words, transient=False)
    device.env.point("refresh.downloaded")
    fresh = device.env.open_store("fresh", body)
    del body
    enter(device, run, "apply")
    old, device.data = device.data, fresh
    try:
        if differing(device, head["digest"]):
            raise DeviceError("LOCAL_DIGEST_MISMATCH", "The new database is incomplete; the old one is kept")
        _stamp(device, head)
        device.env.point("refresh.swap")
    except BaseException:
        device.data = old
        fresh.close()
        raise
    device.env.keep_store("data", fresh)
    device.data = device.env.open_store("data")
    drop_answered(device, head["seq"])
    device.put("refresh_wanted", None)
    row = device.data.execute("SELECT count(*) FROM record").fetchone()
    run.downloaded += int(row[0])
    run.download_done = not report_configuration(device, run, {"broken": head["broken"], "unreadable": []})
    return run.download_done


def _stamp(device: Device, head: JsonDict) -> None:
    device.data.isolation_level = None
    write_state(device.data, "cursor", {"epoch": head["epoch"], "seq": head["seq"]})
    write_state(device.data, "rules", head["rules"])


async def _mini(device: Device, run: Run) -> bool:
    opened = await _open(device, run)
    run.upload_done = True
    return await _download(device, run, opened["epoch"])


async def _non_blocking(device: Device, run: Run) -> bool:
    opened = await _open(device, run)
    await _send_up(device, run)
    await _while_foreground(device, run)
    final = await fetch(device, run, opened["epoch"])
    await _while_foreground(device, run)
    device.put("update_ready", {"final": final, "since": device.env.now()})
    device.put("waiting_run", run.mobile_id)
    run.download_done = not report_configuration(device, run, final)
    return run.download_done


async def _while_foreground(device: Device, run: Run) -> None:
    """Hold still while the app is in the background. Raises Restarted after the resume time."""
    left = device.env.now()
    while not device.foreground:
        await device.env.sleep(60.0)
    away = device.env.now() - left
    run.paused += away
    if away > RESUME_SECONDS:
        raise Restarted


def apply_update(device: Device) -> bool:
    """The user presses Apply: staged updates become visible. False when there are none."""
    ready = device.get("update_ready")
    if not ready or device.busy:
        return False
    progress = read_state(device.data, "progress") or {"cursor": None}
    if progress["cursor"] != {"epoch": ready["final"]["epoch"], "seq": ready["final"]["seq"]}:
        device.put("update_ready", None)  # another sync has applied it, or gone on from it
        return False
    run = Run(
        kind="non_blocking", trigger="apply", started=device.env.now(), mobile_id=device.get("waiting_run")
    )
    device.put("update_ready", None)
    try:
        wrong = apply(device, run, ready["final"])
    except DeviceError as problem:
        device.put("update_ready", ready)
        _report(device, run, problem)
        return False
    for name in wrong:
        forget_object(device, name)
    return True


async def follow_apply(device: Device) -> bool:
    """After Apply, while the user works: new versions of the media that are there, and attachments."""
    return await _only_media(device, "apply", media.AFTER_APPLY)


async def download_all_media(device: Device) -> bool:
    """The user presses *Download All Media*."""
    return await _only_media(device, "manual", media.ALL_MEDIA)


async def _only_media(device: Device, trigger: str, wanted: media.Wanted) -> bool:
    """Fetch files outside of a tracked sync. What goes wrong is reported under the sync that was applied last."""
    if device.busy or device.session is None or not device.foreground or not device.env.online():
        return False
    if not device.get("has_files"):
        return True
    tracked = device.get("waiting_run")
    run = Run(kind="non_blocking", trigger=trigger, started=device.env.now(), mobile_id=tracked)
    device.busy = True
    try:
        return await media.fetch_files(device, run, wanted)
    except TROUBLE as problem:
        _report(device, run, problem)
        return False
    finally:
        device.busy = False


async def _send_tracking(device: Device, run: Run) -> None:
    """Hand over tracking records. What does not get through now goes with the next sync."""
    rows = unsent(device)
    try:
        reply = await ask(device, run, {"verb": "track", "rows": rows})
    except (TransportError, VaultError):
        return
    forget_sent(device, reply["kept"])


def _report(device: Device, run: Run, problem: Problem, operation: str | None = None) -> None:
    error = _error_of(problem)
    status = problem.http_status if isinstance(problem, TransportError) else None
    if isinstance(problem, VaultError):
        error |= {k: v for k, v in (("object", problem.object), ("field", problem.field)) if v}
        if problem.type == "INVALID_SESSION_ID":
            device.session = None
            device.put("session", None)
    report_error(device, run, error, operation=operation, http_status=status)


def _error_of(problem: Problem) -> JsonDict:
    if isinstance(problem, sqlite3.Error):
        return {"type": problem.sqlite_errorname or "SQLITE_ERROR", "message": str(problem)}
    error_type = problem.type if isinstance(problem, VaultError) else problem.error_type
    return {"type": error_type, "message": problem.message}
