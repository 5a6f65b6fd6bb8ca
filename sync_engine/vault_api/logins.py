"""Signing in over the REST API, sessions, and who is calling."""

from __future__ import annotations

from hashlib import blake2b

from sync_engine.json_docs import JsonDict
from sync_engine.protocol import VaultError
from sync_engine.vault import permissions, sessions
from sync_engine.vault_api.messages import Reply, Request, failure_reply, json_reply, success_reply
from sync_engine.vault_api.objects import VAULT_ID
from sync_engine.vault_api.server_state import ApiCall, ServerState, hash_token

HOUR = 3600.0
LOCK_AFTER = 5
"""Wrong passwords in a row that lock a user out; the real number is each Vault's own policy."""
AUTH_BURST = 20
"""Sign-ins per minute and user name; the published example."""
TOKEN_PREFIX = "veeva-vault-"  # noqa: S105 - the public prefix of every token
NOBODY: JsonDict = {"id": "0", "name": "nobody", "territories": [], "permission_set": None}


def sign_in(served: ServerState, request: Request, now: float) -> Reply:
    """`POST /auth`: user name and password for a session."""
    form = request.form()
    name = form.get("username", "")
    try:
        _check_sign_in_rate(served, name, now)
        if not form.get("password"):
            raise VaultError(
                "NO_PASSWORD_PROVIDED", "No password was provided for the login call", cause="authentication"
            )
        token, user = _open_session(served, name, form["password"], now)
    except VaultError as refused:
        log_sign_in(served, now, name, refused.type, request.client)
        return failure_reply(VaultError(refused.type, refused.message, cause="authentication"))
    log_sign_in(served, now, name, "Success", request.client)
    return _session_reply(served, request, token, user)


def sign_in_with_identity(served: ServerState, request: Request, now: float) -> Reply:
    """`POST /auth/oauth/session/{profile}`: a token of an identity provider for a session.

    The served Vault accepts its own API tokens as tokens of the provider.
    """
    user_id = _user_of_token(served, _bearer(request))
    user = served.vault.find_user(user_id) if user_id else None
    if user is None or not user["active"]:
        log_sign_in(served, now, "unknown", "INVALID_SESSION_ID", request.client)
        refused = VaultError("INVALID_SESSION_ID", "The access token is not valid", cause="authentication")
        return failure_reply(refused)
    log_sign_in(served, now, user["email"], "Success", request.client)
    return _session_reply(served, request, _insert_session(served, user["id"], now), user)


def discover_sign_in(served: ServerState, request: Request) -> Reply:
    """`POST /auth/discovery`: how a user signs in; here always with a password."""
    return success_reply({"data": {"auth_type": "password", "auth_profiles": []}})


def log_sign_in(served: ServerState, now: float, name: str, status: str, client: str) -> None:
    """Write one line of the login audit trail."""
    served.vault.db.execute(
        "INSERT INTO rest_login (at, user_name, status, client) VALUES (?, ?, ?, ?)",
        (now, name, status, client),
    )


def authenticate(served: ServerState, request: Request, now: float) -> tuple[JsonDict, str]:
    """The user behind a request, and the session or token it came with. Raises VaultError when there is none."""
    sent = _bearer(request)
    by_token = _user_of_token(served, sent) if sent.startswith(TOKEN_PREFIX) else None
    user_id = by_token or _user_of_session(served, sent, now)
    user = served.vault.find_user(user_id) if user_id else None
    if user is None or not user["active"]:
        raise VaultError("INVALID_SESSION_ID", "Invalid or expired session ID.")
    if served.vault.setting("configuration_mode") and not user.get("admin"):
        raise VaultError(
            "CONFIGURATION_MODE_ENABLED", "Non-Admins cannot access a Vault in Configuration Mode."
        )
    if not permissions.user_permission_set(served.vault, user)["api"]:
        words = f"User [{user['id']}] not licensed for permission [VaultActions_API_Access]."
        raise VaultError("INSUFFICIENT_ACCESS", words)
    return user, sent


def keep_alive(call: ApiCall) -> Reply:
    """`POST /keep-alive`: using the session is what keeps it."""
    return success_reply({})


def end_session(call: ApiCall) -> Reply:
    """`DELETE /session`."""
    call.vault.db.execute("DELETE FROM session WHERE token = ?", (call.session,))
    return success_reply({})


def _bearer(request: Request) -> str:
    return request.header("authorization").strip().removeprefix("Bearer ").strip()


def _user_of_token(served: ServerState, token: str) -> str | None:
    entry = served.vault.live.get("api_token", {}).get(hash_token(token))
    return None if entry is None else str(entry["user"])


def _user_of_session(served: ServerState, token: str, now: float) -> str | None:
    row = served.vault.db.execute(
        "SELECT user, created, used FROM session WHERE token = ?", (token,)
    ).fetchone()
    idle = served.vault.setting("session_inactivity_hours") * HOUR
    longest = served.vault.setting("session_maximum_hours") * HOUR
    if row is None or now - row[2] > idle or now - row[1] > longest:
        return None
    limit = served.faults.setting("expire")
    served.session_calls[token] = served.session_calls.get(token, 0) + 1
    if limit and served.session_calls[token] > limit:
        served.vault.db.execute("DELETE FROM session WHERE token = ?", (token,))
        served.faults.counts["expire"] += 1
        return None
    served.vault.db.execute("UPDATE session SET used = ? WHERE token = ?", (now, token))
    return str(row[0])


def _check_sign_in_rate(served: ServerState, name: str, now: float) -> None:
    row = served.vault.db.execute(
        "SELECT count(*) FROM rest_login WHERE user_name = ? AND at > ?", (name, now - 60)
    ).fetchone()
    if int(row[0]) >= AUTH_BURST:
        raise VaultError(
            "API_LIMIT_EXCEEDED", f"[{AUTH_BURST}] sign-ins per minute are allowed; wait a minute"
        )


def _open_session(served: ServerState, name: str, password: str, now: float) -> tuple[str, JsonDict]:
    vault = served.vault
    user_id = next(
        (
            key
            for key, one in vault.live.get("user", {}).items()
            if name.casefold() in (one["email"].casefold(), key)
        ),
        name,
    )
    try:
        with vault.transaction():
            message = {"user": user_id, "password": password, "device": "rest"}
            opened = sessions.sign_in(vault, message, now)
            vault.db.execute("DELETE FROM session WHERE token = ?", (opened["session"],))
            return _insert_session(served, user_id, now), vault.live["user"][user_id]
    except VaultError as refused:
        if refused.type == "USERNAME_OR_PASSWORD_INCORRECT":
            _lock_after_wrong_passwords(served, user_id, name)
        raise


def _lock_after_wrong_passwords(served: ServerState, user_id: str, name: str) -> None:
    """Lock the user whose last sign-ins, this one included, all had a wrong password."""
    vault = served.vault
    user = vault.find_user(user_id)
    rows = vault.db.execute(
        "SELECT status FROM rest_login WHERE user_name = ? ORDER BY n DESC LIMIT ?", (name, LOCK_AFTER - 1)
    ).fetchall()
    wrong = sum(status == "USERNAME_OR_PASSWORD_INCORRECT" for (status,) in rows)
    if user is not None and wrong >= LOCK_AFTER - 1:
        with vault.transaction():
            vault.configure("user", user_id, user | {"locked": True})


def _insert_session(served: ServerState, user_id: str, now: float) -> str:
    seed = f"{served.salt}/{served.vault.next_value('rest_session')}".encode()
    token = blake2b(seed, digest_size=64).hexdigest().upper()
    served.vault.db.execute("INSERT INTO session VALUES (?, ?, ?, ?, ?)", (token, user_id, "rest", now, now))
    return token


def _session_reply(served: ServerState, request: Request, token: str, user: JsonDict) -> Reply:
    vaults = [
        {"id": VAULT_ID, "name": "Reference Vault", "url": f"{request.base}/api"},
        {"id": VAULT_ID + 1, "name": "Other Vault", "url": "https://other.example.com/api"},
    ]
    number = int(user["id"]) if user["id"].isdigit() else user["id"]
    doc = {"responseStatus": "SUCCESS", "sessionId": token, "userId": number, "vaultIds": vaults}
    return json_reply(doc | {"vaultId": served.vault_id})
