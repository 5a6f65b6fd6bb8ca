"""Sign-in over the REST API, sessions, and authentication of callers."""

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
"""Consecutive wrong passwords that lock a user. In a real Vault, a policy sets this number."""
AUTH_BURST = 20
"""Maximum sign-ins per minute and user name, as in the published example."""
TOKEN_PREFIX = "veeva-vault-"  # noqa: S105 - the public prefix of every token
NOBODY: JsonDict = {"id": "0", "name": "nobody", "territories": [], "permission_set": None}


def sign_in(server: ServerState, request: Request, now: float) -> Reply:
    """Handle `POST /auth`: open a session for a user name and password."""
    form = request.form()
    name = form.get("username", "")
    try:
        _check_sign_in_rate(server, name, now)
        if not form.get("password"):
            raise VaultError(
                "NO_PASSWORD_PROVIDED", "No password was provided for the login call", cause="authentication"
            )
        token, user = _open_session(server, name, form["password"], now)
    except VaultError as refusal:
        log_sign_in(server, now, name, refusal.type, request.client)
        return failure_reply(VaultError(refusal.type, refusal.message, cause="authentication"))
    log_sign_in(server, now, name, "Success", request.client)
    return _session_reply(server, request, token, user)


def sign_in_with_identity(server: ServerState, request: Request, now: float) -> Reply:
    """Handle `POST /auth/oauth/session/{profile}`: open a session for an identity provider token.

    The served Vault accepts its own API tokens as provider tokens.
    """
    user_id = _user_of_token(server, _bearer(request))
    user = server.vault.find_user(user_id) if user_id else None
    if user is None or not user["active"]:
        log_sign_in(server, now, "unknown", "INVALID_SESSION_ID", request.client)
        refusal = VaultError("INVALID_SESSION_ID", "The access token is not valid", cause="authentication")
        return failure_reply(refusal)
    log_sign_in(server, now, user["email"], "Success", request.client)
    return _session_reply(server, request, _insert_session(server, user["id"], now), user)


def discover_sign_in() -> Reply:
    """Handle `/auth/discovery`: return the sign-in method, which is always password."""
    return success_reply({"errors": [], "data": {"auth_type": "password"}})


def log_sign_in(server: ServerState, now: float, name: str, status: str, client: str) -> None:
    """Add an entry to the login audit trail."""
    server.vault.db.execute(
        "INSERT INTO rest_login (at, user_name, status, client) VALUES (?, ?, ?, ?)",
        (now, name, status, client),
    )


def authenticate(server: ServerState, request: Request, now: float) -> tuple[JsonDict, str]:
    """Return the user of a request and its session or token.

    Raises VaultError if the session or token is invalid, or if a policy refuses access.
    """
    credential = _bearer(request)
    token_user_id = _user_of_token(server, credential) if credential.startswith(TOKEN_PREFIX) else None
    user_id = token_user_id or _user_of_session(server, credential, now)
    user = server.vault.find_user(user_id) if user_id else None
    if user is None or not user["active"]:
        raise VaultError("INVALID_SESSION_ID", "Invalid or expired session ID.")
    if server.vault.setting("configuration_mode") and not user.get("admin"):
        raise VaultError(
            "CONFIGURATION_MODE_ENABLED", "Non-Admins cannot access a Vault in Configuration Mode."
        )
    if not permissions.user_permission_set(server.vault, user)["api"]:
        error_message = f"User [{user['id']}] not licensed for permission [VaultActions_API_Access]."
        raise VaultError("INSUFFICIENT_ACCESS", error_message)
    return user, credential


def keep_alive(call: ApiCall) -> Reply:
    """Handle `POST /keep-alive`. Any call with a session extends it."""
    return success_reply({})


def list_delegations(call: ApiCall) -> Reply:
    """Handle `GET /delegation/vaults`: list Vaults with delegate access, of which there are none."""
    return success_reply({"delegated_vaults": []})


def start_delegation(call: ApiCall) -> Reply:
    """Handle `POST /delegation/login`. No user has granted delegate access.

    Raises VaultError always.
    """
    for name in ("vault_id", "delegator_userid"):
        if not call.request.form().get(name):
            raise VaultError("PARAMETER_REQUIRED", f"Missing required parameter [{name}]")
    raise VaultError("INSUFFICIENT_ACCESS", "User does not have delegate access to this Vault")


def end_session(call: ApiCall) -> Reply:
    """Handle `DELETE /session`: end the session."""
    call.vault.db.execute("DELETE FROM session WHERE token = ?", (call.session,))
    return success_reply({})


def _bearer(request: Request) -> str:
    return request.header("authorization").strip().removeprefix("Bearer ").strip()


def _user_of_token(server: ServerState, token: str) -> str | None:
    entry = server.vault.live.get("api_token", {}).get(hash_token(token))
    return None if entry is None else str(entry["user"])


def _user_of_session(server: ServerState, token: str, now: float) -> str | None:
    row = server.vault.db.execute(
        "SELECT user, created, used FROM session WHERE token = ?", (token,)
    ).fetchone()
    idle_limit = server.vault.setting("session_inactivity_hours") * HOUR
    age_limit = server.vault.setting("session_maximum_hours") * HOUR
    if row is None or now - row[2] > idle_limit or now - row[1] > age_limit:
        return None
    limit = server.faults.setting("expire")
    server.session_calls[token] = server.session_calls.get(token, 0) + 1
    if limit and server.session_calls[token] > limit:
        server.vault.db.execute("DELETE FROM session WHERE token = ?", (token,))
        server.faults.counts["expire"] += 1
        return None
    server.vault.db.execute("UPDATE session SET used = ? WHERE token = ?", (now, token))
    return str(row[0])


def _check_sign_in_rate(server: ServerState, name: str, now: float) -> None:
    row = server.vault.db.execute(
        "SELECT count(*) FROM rest_login WHERE user_name = ? AND at > ?", (name, now - 60)
    ).fetchone()
    if int(row[0]) >= AUTH_BURST:
        raise VaultError(
            "API_LIMIT_EXCEEDED", f"[{AUTH_BURST}] sign-ins per minute are allowed; wait a minute"
        )


def _open_session(server: ServerState, name: str, password: str, now: float) -> tuple[str, JsonDict]:
    vault = server.vault
    user_id = next(
        (
            key
            for key, user in vault.live.get("user", {}).items()
            if name.casefold() in (user["email"].casefold(), key)
        ),
        name,
    )
    try:
        with vault.transaction():
            message = {"user": user_id, "password": password, "device": "rest"}
            opened = sessions.sign_in(vault, message, now)
            vault.db.execute("DELETE FROM session WHERE token = ?", (opened["session"],))
            return _insert_session(server, user_id, now), vault.live["user"][user_id]
    except VaultError as refusal:
        if refusal.type == "USERNAME_OR_PASSWORD_INCORRECT":
            _lock_after_wrong_passwords(server, user_id, name)
        raise


def _lock_after_wrong_passwords(server: ServerState, user_id: str, name: str) -> None:
    """Lock the user after too many consecutive sign-ins with a wrong password."""
    vault = server.vault
    user = vault.find_user(user_id)
    rows = vault.db.execute(
        "SELECT status FROM rest_login WHERE user_name = ? ORDER BY n DESC LIMIT ?", (name, LOCK_AFTER - 1)
    ).fetchall()
    wrong_count = sum(status == "USERNAME_OR_PASSWORD_INCORRECT" for (status,) in rows)
    if user is not None and wrong_count >= LOCK_AFTER - 1:
        with vault.transaction():
            vault.configure("user", user_id, user | {"locked": True})


def _insert_session(server: ServerState, user_id: str, now: float) -> str:
    seed = f"{server.salt}/{server.vault.next_value('rest_session')}".encode()
    token = blake2b(seed, digest_size=64).hexdigest().upper()
    server.vault.db.execute("INSERT INTO session VALUES (?, ?, ?, ?, ?)", (token, user_id, "rest", now, now))
    return token


def _session_reply(server: ServerState, request: Request, token: str, user: JsonDict) -> Reply:
    vaults = [
        {"id": VAULT_ID, "name": "Reference Vault", "url": f"{request.base}/api"},
        {"id": VAULT_ID + 1, "name": "Other Vault", "url": "https://other.example.com/api"},
    ]
    number = int(user["id"]) if user["id"].isdigit() else user["id"]
    doc = {"responseStatus": "SUCCESS", "sessionId": token, "userId": number, "vaultIds": vaults}
    return json_reply(doc | {"vaultId": server.vault_id})
