"""The device server as one function from request bytes to reply bytes.

`handle_request` runs each request in one transaction. It does not depend on HTTP, so that routes, tests and
simulators can call it. Vault responds with HTTP 200 even for failures; the reply contains the status.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from sync_engine.json_docs import JsonDict, from_json, to_json
from sync_engine.protocol import VaultError, decode, encode
from sync_engine.vault import attachments, downloads, permissions, sessions, snapshots, tracking, uploads
from sync_engine.vault.scope import get_scope
from sync_engine.vault.settings import get_device_settings
from sync_engine.vault.state import Vault

__all__ = ["Vault", "handle_request"]


def handle_request(request: bytes, vault: Vault, now: float) -> bytes:
    """Handle one request and return the reply. Never raises because of a request.

    A message that cannot be parsed is refused with MALFORMED_URL.
    """
    try:
        message = decode(request)
        verb = HANDLERS[message["verb"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return _failure_reply(
            VaultError("MALFORMED_URL", "The request is not a message that this Vault understands")
        )
    limit = vault.setting("payload_limit_bytes")
    if len(request) > limit:
        error_message = f"The request of [{len(request)}] bytes exceeds the maximum of [{limit}] bytes"
        blame = "setting/payload_limit_bytes//"
        too_large = VaultError("EXCEEDS_FILE_MAX_SIZE", error_message, cause="payload-too-large", blame=blame)
        return _refusal_reply(vault, message, too_large, _single_transaction_key(message))
    try:
        with vault.transaction():
            reply = verb(vault, message, now)
    except VaultError as refusal:
        return _refusal_reply(vault, message, refusal)
    except _MALFORMED_ERRORS as error:
        error_message = (
            f"The request [{message.get('verb')}] lacks a part or has one of the wrong kind: {error!r}"
        )
        return _refusal_reply(
            vault, message, VaultError("INVALID_DATA", error_message, cause="schema-mismatch")
        )
    if isinstance(reply, bytes):
        return reply
    return encode({"responseStatus": "SUCCESS"} | reply)


# Errors caused by values of the wrong type. OperationalError is excluded, because the Vault itself causes it.
_MALFORMED_ERRORS = (
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    ValueError,
    OverflowError,
    RecursionError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
)


def _refusal_reply(vault: Vault, message: JsonDict, refusal: VaultError, key: str | None = None) -> bytes:
    if vault.on_refusal:
        vault.on_refusal(str(message.get("device")), key, refusal.cause, refusal.blame)
    return _failure_reply(refusal)


def _single_transaction_key(message: JsonDict) -> str | None:
    """Return the key of a single-transaction upload, which causes the size of the request."""
    transactions = message.get("transactions")
    if message["verb"] != "upload" or not isinstance(transactions, list) or len(transactions) != 1:
        return None
    transaction = transactions[0]
    return str(transaction["key"]) if isinstance(transaction, dict) and "key" in transaction else None


def _failure_reply(refusal: VaultError) -> bytes:
    return encode({"responseStatus": "FAILURE", "errors": [refusal.to_dict()]})


def _sign_in(vault: Vault, message: JsonDict, now: float) -> JsonDict:
    return sessions.sign_in(vault, message, now)


def _open_sync(vault: Vault, message: JsonDict, now: float) -> JsonDict:
    """Start a sync: return a new upload lane, recovery flags and published configuration."""
    user = sessions.require_session_user(vault, message, now)
    if message["kind"] != "autosync":
        sessions.reject_metadata_api_access(vault, user, message["platform"])
    reply: JsonDict = {"lane": uploads.open_lane(vault, message["device"]), "epoch": vault.epoch}
    if message["kind"] == "autosync":
        return reply
    settings = get_device_settings(vault, user, message["platform"])
    flags = {name: bool(user.get(name)) for name in USER_FLAGS}
    for name in USER_FLAGS:
        if user.get(name):
            vault.configure("user", user["id"], user | dict.fromkeys(USER_FLAGS, False))
    profile = {name: user[name] for name in ("security_profile", "application_profile")}
    settings_vmoc = vault.published["vmoc"].get("veeva_settings__v", {})
    return reply | {
        "settings": settings,
        "flags": flags,
        "profile": profile,
        "enhanced_settings": bool(settings_vmoc.get("enable_enhanced_sync__v")),
        "version": vault.version,
        "files": attachments.count_changes(vault) > 0,
    }


USER_FLAGS = ("force_full_refresh__v", "clear_client_sync_errors__v", "upload_vtrans__v")
"""Recovery flags on a user. Assumption: they are reset when a device reads them; Vault does not document it."""


def _upload(vault: Vault, message: JsonDict, now: float) -> JsonDict:
    user = sessions.require_session_user(vault, message, now)
    _check_quota(vault)
    return uploads.upload(vault, user, message["device"], message, now)


def _check_quota(vault: Vault) -> None:
    if vault.setting("storage_used_share") < 1:
        return
    error_message = "The storage of this Vault is used up: 100% of the purchased storage is in use"
    blame = "setting/storage_used_share//"
    raise VaultError("OPERATION_NOT_ALLOWED", error_message, cause="server-quota", blame=blame)


def _pull(vault: Vault, message: JsonDict, now: float) -> JsonDict:
    user = sessions.require_session_user(vault, message, now)
    permissions.require_vmoc_access(vault, user)
    return downloads.pull(vault, user, message["platform"], message)


def _snapshot(vault: Vault, message: JsonDict, now: float) -> bytes:
    user = sessions.require_session_user(vault, message, now)
    permissions.require_vmoc_access(vault, user)
    scope = get_scope(vault, user["id"], message["platform"])
    body = snapshots.build_snapshot(vault, scope)
    head = {
        "responseStatus": "SUCCESS",
        "size": len(body),
        "epoch": vault.epoch,
        "seq": vault.sequence(),
        "rules": {name: rule.fingerprint for name, rule in scope.rules.items()},
        "broken": [[name, *problem[:2]] for name, problem in scope.broken.items()],
        "digest": downloads.scope_digest(vault, scope),
    }
    return encode(head, body)


def _track(vault: Vault, message: JsonDict, now: float) -> JsonDict:
    user = sessions.require_session_user(vault, message, now)
    return tracking.store_tracking_records(vault, user["id"], message["rows"], now)


def _describe(vault: Vault, message: JsonDict, now: float) -> JsonDict:
    """Return the published object definitions, so that a device shows the right fields."""
    sessions.require_session_user(vault, message, now)
    return {"objects": from_json(to_json(vault.published["object"]))}


def _files(vault: Vault, message: JsonDict, now: float) -> JsonDict:
    user = sessions.require_session_user(vault, message, now)
    return {"files": attachments.list_files(vault, get_scope(vault, user["id"], message["platform"]))}


def _file(vault: Vault, message: JsonDict, now: float) -> bytes:
    user = sessions.require_session_user(vault, message, now)
    scope = get_scope(vault, user["id"], message["platform"])
    head, body = attachments.read_piece(vault, scope, message)
    return encode({"responseStatus": "SUCCESS"} | head, body)


HANDLERS: dict[str, Callable[[Vault, JsonDict, float], JsonDict | bytes]] = {
    "sign_in": _sign_in,
    "open": _open_sync,
    "upload": _upload,
    "pull": _pull,
    "snapshot": _snapshot,
    "track": _track,
    "describe": _describe,
    "files": _files,
    "file": _file,
}
