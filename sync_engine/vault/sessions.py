"""Sign-in, sessions, and access policies."""

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
        error_message = "Authentication failed for user: " + str(message["user"])
        raise VaultError("USERNAME_OR_PASSWORD_INCORRECT", error_message, cause="sign-in-failed", blame=blame)
    if not user["active"]:
        error_message = f"The user [{user['name']}] is inactive"
        raise VaultError("INACTIVE_USER", error_message, cause="sign-in-failed", blame=blame)
    if user["locked"]:
        error_message = f"The user [{user['name']}] is locked"
        raise VaultError("USER_LOCKED_OUT", error_message, cause="sign-in-failed", blame=blame)
    if user["password_expired"]:
        error_message = f"The password of user [{user['name']}] has expired and must be changed"
        raise VaultError("PASSWORD_CHANGE_REQUIRED", error_message, cause="password-expired", blame=blame)
    token = short_hash(vault.next_value("session"), message["device"], now)
    vault.db.execute(
        "INSERT INTO session VALUES (?, ?, ?, ?, ?)", (token, user["id"], message["device"], now, now)
    )
    return {"session": token}


def require_session_user(vault: Vault, message: JsonDict, now: float) -> JsonDict:
    """Return the user of the message's session.

    Raises VaultError if the session has expired or a policy refuses access.
    """
    row = vault.db.execute(
        "SELECT user, created, used FROM session WHERE token = ?", (message.get("session"),)
    ).fetchone()
    idle_limit = vault.setting("session_inactivity_hours") * HOUR
    age_limit = vault.setting("session_maximum_hours") * HOUR
    if row is None or now - row[2] > idle_limit or now - row[1] > age_limit:
        error_message = "Invalid or expired session ID"
        raise VaultError("INVALID_SESSION_ID", error_message, cause="session-expired", blame="session")
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
        error_message = "Non-Admins cannot access a Vault in Configuration Mode."
        raise VaultError(
            "CONFIGURATION_MODE_ENABLED",
            error_message,
            cause="access-policy",
            blame="setting/configuration_mode//",
        )
    permission_set = permissions.user_permission_set(vault, user)
    if not permission_set["api"]:
        error_message = f"User [{user['id']}] not licensed for permission [VaultActions_API_Access]."
        blame = f"permission_set/{user['permission_set']}//"
        raise VaultError("INSUFFICIENT_ACCESS", error_message, cause="access-policy", blame=blame)
    minimum_version = vault.setting("minimum_app_version")
    if minimum_version and version_key(message["version"]) < version_key(minimum_version):
        error_message = (
            f"Version [{message['version']}] of the app is no longer supported; "
            f"update to [{minimum_version}] or later"
        )
        blame = "setting/minimum_app_version//"
        raise VaultError("OPERATION_NOT_ALLOWED", error_message, cause="app-outdated", blame=blame)


def reject_metadata_api_access(vault: Vault, user: JsonDict, platform: str) -> None:
    """Raise VaultError if an iPad or iPhone user has Metadata API access.

    Documented: this access causes sync errors for end users. The message text is ours.
    """
    if permissions.user_permission_set(vault, user)["metadata_api"] and platform in ("iPad", "iPhone"):
        raise VaultError(
            "OPERATION_NOT_ALLOWED",
            f"Sync configuration could not be read: user [{user['id']}] is granted Metadata API access",
            cause="access-policy",
            blame=f"permission_set/{user['permission_set']}//metadata_api",
        )


def version_key(version: str) -> tuple[int, ...]:
    """Return the numbers of a version such as `243.1.12`, so that versions sort by release."""
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))
