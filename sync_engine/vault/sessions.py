"""Signing in, sessions and their end, and the policies that keep a user out."""

from __future__ import annotations

from sync_engine.hashing import short_hash
from sync_engine.json_docs import JsonDict
from sync_engine.protocol import VaultError
from sync_engine.vault import permissions
from sync_engine.vault.state import Vault

HOUR = 3600.0


def sign_in(vault: Vault, message: JsonDict, now: float) -> JsonDict:
    """Open a session. Raises VaultError with Vault's authentication errors."""
    user = vault.find_user(message["user"])
    blame = f"user/{message['user']}//"
    if user is None or message["password"] != user["password"]:
        words = "Authentication failed for user: " + str(message["user"])
        raise VaultError("USERNAME_OR_PASSWORD_INCORRECT", words, cause="sign-in-failed", blame=blame)
    if not user["active"]:
        words = f"The user [{user['name']}] is inactive"
        raise VaultError("INACTIVE_USER", words, cause="sign-in-failed", blame=blame)
    if user["locked"]:
        words = f"The user [{user['name']}] is locked out of Vault"
        raise VaultError("USER_LOCKED_OUT", words, cause="sign-in-failed", blame=blame)
    if user["password_expired"]:
        words = f"The password of user [{user['name']}] has expired and must be changed"
        raise VaultError("PASSWORD_CHANGE_REQUIRED", words, cause="password-expired", blame=blame)
    token = short_hash(vault.next_value("session"), message["device"], now)
    vault.db.execute(
        "INSERT INTO session VALUES (?, ?, ?, ?, ?)", (token, user["id"], message["device"], now, now)
    )
    return {"session": token}


def require_session_user(vault: Vault, message: JsonDict, now: float) -> JsonDict:
    """The user whose session the message carries. Raises VaultError if it has ended or a policy refuses access."""
    row = vault.db.execute(
        "SELECT user, created, used FROM session WHERE token = ?", (message.get("session"),)
    ).fetchone()
    idle = vault.setting("session_inactivity_hours") * HOUR
    longest = vault.setting("session_maximum_hours") * HOUR
    if row is None or now - row[2] > idle or now - row[1] > longest:
        words = "Invalid or expired session ID"
        raise VaultError("INVALID_SESSION_ID", words, cause="session-expired", blame="session")
    user = vault.find_user(row[0])
    if user is None or not user["active"]:
        raise VaultError(
            "INACTIVE_USER",
            f"The user [{row[0]}] is inactive",
            cause="sign-in-failed",
            blame=f"user/{row[0]}//",
        )
    _check_policies(vault, user, message)
    vault.db.execute("UPDATE session SET used = ? WHERE token = ?", (now, message["session"]))
    return user


def _check_policies(vault: Vault, user: JsonDict, message: JsonDict) -> None:
    if vault.setting("configuration_mode"):
        words = "Non-Admins cannot access a Vault in Configuration Mode."
        raise VaultError(
            "CONFIGURATION_MODE_ENABLED", words, cause="access-policy", blame="setting/configuration_mode//"
        )
    allowed = permissions.user_permission_set(vault, user)
    if not allowed["api"]:
        words = f"User [{user['id']}] not licensed for permission [VaultActions_API_Access]."
        blame = f"permission_set/{user['permission_set']}//"
        raise VaultError("INSUFFICIENT_ACCESS", words, cause="access-policy", blame=blame)
    least = vault.setting("minimum_app_version")
    if least and version_key(message["version"]) < version_key(least):
        words = (
            f"Version [{message['version']}] of the app is no longer supported; update to [{least}] or later"
        )
        blame = "setting/minimum_app_version//"
        raise VaultError("OPERATION_NOT_ALLOWED", words, cause="app-outdated", blame=blame)


def reject_metadata_api_access(vault: Vault, user: JsonDict, platform: str) -> None:
    """Documented: Metadata API access for end users causes sync errors on iPad and iPhone; the text is
    ours.
    """
    if permissions.user_permission_set(vault, user)["metadata_api"] and platform in ("iPad", "iPhone"):
        raise VaultError(
            "OPERATION_NOT_ALLOWED",
            f"Sync configuration could not be read: user [{user['id']}] is granted Metadata API access",
            cause="access-policy",
            blame=f"permission_set/{user['permission_set']}//metadata_api",
        )


def version_key(version: str) -> tuple[int, ...]:
    """`243.1.12` as numbers, so that versions sort as releases do."""
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))
