"""The REST API of the served Vault as one function: a request in, a reply out.

It authenticates the caller, calls the endpoint, adds Vault's envelope and headers, and writes the usage log. No
request can raise.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from dataclasses import replace

from sync_engine.json_docs import JsonDict
from sync_engine.protocol import VaultError
from sync_engine.vault_api import (
    audits,
    direct_data,
    logins,
    metadata,
    query_endpoint,
    records,
    usage,
    users,
)
from sync_engine.vault_api.messages import JSON_TYPE, Reply, Request, failure_reply, json_reply
from sync_engine.vault_api.server_state import VERSIONS, ApiCall, ServerState

BURST_LIMIT = 2000
"""Calls in five minutes that the published example allows."""
BURST_DELAY_SECONDS = 0.5
Endpoint = Callable[[ApiCall], Reply]

_ROUTES: tuple[tuple[str, str, Endpoint], ...] = (
    ("POST", "/keep-alive", logins.keep_alive),
    ("DELETE", "/session", logins.end_session),
    ("GET", "/objects/users/me", users.get_current_user),
    ("GET", "/objects/users", users.list_users),
    ("GET", "/objects/users/{id}", users.get_user),
    ("GET", "/objects/users/{id}/permissions", users.get_user_permissions),
    ("GET", "/objects/domain", users.get_domain),
    ("GET", "/objects/domains", users.get_domain),
    ("POST", "/query", query_endpoint.run_query),
    ("GET", "/query", query_endpoint.run_query),
    ("POST", "/query/{query}", query_endpoint.get_next_page),
    ("GET", "/query/{query}", query_endpoint.get_next_page),
    ("GET", "/metadata/vobjects", metadata.list_objects),
    ("GET", "/metadata/vobjects/{object}", metadata.get_object),
    ("GET", "/metadata/vobjects/{object}/fields/{field}", metadata.get_field),
    ("GET", "/objects/picklists", metadata.list_picklists),
    ("GET", "/objects/picklists/{name}", metadata.get_picklist),
    ("GET", "/configuration/Permissionset", metadata.get_permission_sets),
    ("GET", "/configuration/Permissionset.{name}", metadata.get_permission_sets),
    ("GET", "/vobjects/{object}", records.list_records),
    ("POST", "/vobjects/{object}", records.write_records),
    ("PUT", "/vobjects/{object}", records.write_records),
    ("DELETE", "/vobjects/{object}", records.write_records),
    ("GET", "/vobjects/{object}/{id}", records.get_record),
    ("GET", "/vobjects/{object}/{id}/audittrail", audits.read_record_history),
    ("GET", "/objects/deletions/vobjects/{object}", records.list_deletions),
    ("GET", "/metadata/audittrail", audits.list_trails),
    ("GET", "/metadata/audittrail/{kind}", audits.describe_trail),
    ("GET", "/audittrail/{kind}", audits.read_trail),
    ("GET", "/logs/api_usage", usage.download_daily_log),
    ("GET", "/services/directdata/files", direct_data.list_files),
    ("GET", "/services/directdata/files/{part}", direct_data.download_part),
)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path)))


_COMPILED = tuple((method, _pattern(path), endpoint) for method, path, endpoint in _ROUTES)
_VERSIONED = re.compile(r"/api/(v\d+\.\d+)(/.*)")
_CLIENT_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")


def answer_request(served: ServerState, request: Request, now: float) -> Reply:
    """Answer one request at `now`, in seconds since 1970 by the Vault's clock."""
    execution_id = served.next_execution_id()
    who: JsonDict = {}
    instead = served.faults.replacement_reply()
    if instead is not None:
        reply = instead
    else:
        try:
            reply = _dispatch(served, request, now, execution_id, who)
        except VaultError as refused:
            reply = _error_reply(served, refused)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, sqlite3.Error) as wrong:
            words = f"The request has a part of the wrong kind: {wrong!r}"
            reply = failure_reply(VaultError("INVALID_DATA", words))
    heads = {"X-VaultAPI-ExecutionId": execution_id}
    return _finish_reply(served, request, reply, now, heads | _caller_headers(who))


def _error_reply(served: ServerState, refused: VaultError) -> Reply:
    if refused.type == "INVALID_SESSION_ID" and served.faults.setting("odd-session"):
        doc = {"responseStatus": "FAILURE", "errorType": refused.type, "responseMessage": refused.message}
        return json_reply(doc)
    return failure_reply(refused, status=404 if refused.cause == "no-such-path" else 200)


def _dispatch(served: ServerState, request: Request, now: float, execution_id: str, who: JsonDict) -> Reply:
    path = request.path.rstrip("/") or "/"
    if path == "/api":
        return json_reply({"values": {one: f"{request.base}/api/{one}" for one in VERSIONS}})
    if path == "/auth/discovery":
        return logins.discover_sign_in(served, request)
    if path.startswith("/auth/oauth/session/"):
        return logins.sign_in_with_identity(served, request, now)
    version, rest = _split_version(served, path)
    if rest == "/auth":
        if request.method != "POST":
            raise _unsupported_method(request.method, path)
        return logins.sign_in(served, request, now)
    user, session = logins.authenticate(served, request, now)
    who |= {"user": user, "session": session, "version": version}
    endpoint, args = _find_endpoint(request.method, rest)
    call = ApiCall(
        server=served, request=request, now=now, version=version, user=user, session=session,
        execution_id=execution_id, args=args,
    )  # fmt: skip
    return endpoint(call)


def _split_version(served: ServerState, path: str) -> tuple[str, str]:
    match = _VERSIONED.fullmatch(path)
    if match is None:
        raise VaultError("MALFORMED_URL", f"The path [{path[:200]}] does not exist", cause="no-such-path")
    if match[1] not in VERSIONS:
        if served.faults.setting("version-trap"):
            raise VaultError("INVALID_SESSION_ID", "Invalid or expired session ID.")
        words = f"The version [{match[1]}] is not served; GET /api/ lists those that are"
        raise VaultError("MALFORMED_URL", words, cause="no-such-path")
    return match[1], match[2]


def _find_endpoint(method: str, path: str) -> tuple[Endpoint, JsonDict]:
    other = False
    for allowed_method, pattern, endpoint in _COMPILED:
        match = pattern.fullmatch(path)
        if match and allowed_method == method:
            return endpoint, match.groupdict()
        other = other or match is not None
    if other:
        raise _unsupported_method(method, path)
    raise VaultError("MALFORMED_URL", f"The path [{path[:200]}] does not exist", cause="no-such-path")


def _unsupported_method(method: str, path: str) -> VaultError:
    return VaultError("METHOD_NOT_SUPPORTED", f"[{method}] is not supported for [{path[:200]}]")


def _caller_headers(who: JsonDict) -> JsonDict:
    """Return the headers that identify the caller."""
    if not who:
        return {}
    return {"X-VaultAPI-UserId": str(who["user"]["id"]), "X-VaultAPI-TruncatedSessionId": who["session"][:8]}


def _finish_reply(served: ServerState, request: Request, reply: Reply, now: float, heads: JsonDict) -> Reply:
    """Add Vault's headers, delay the reply if the burst limit is exceeded, and write the usage log."""
    limit = served.faults.setting("burst") or BURST_LIMIT
    left = served.remaining_burst_calls(now, limit)
    held_back = served.faults.setting("burst-delay") / 1000 or BURST_DELAY_SECONDS
    delay = 0.0 if left else held_back
    doc = _parse_body(reply)
    heads |= {
        "X-VaultAPI-BurstLimit": str(limit),
        "X-VaultAPI-BurstLimitRemaining": str(left),
        "X-VaultAPI-VaultId": str(served.vault_id),
        "X-VaultAPI-Status": str(doc.get("responseStatus", "SUCCESS")),
    }
    if delay:
        heads["X-VaultAPI-ResponseDelay"] = str(int(delay * 1000))
    reference = request.header("x-vaultapi-referenceid")
    if reference:
        heads["X-VaultAPI-ReferenceId"] = _one_line(reference)
    served.log_call(now, _caller_log_fields(served, request, heads) | _outcome_log_fields(reply, doc, heads))
    return replace(reply, headers=dict(reply.headers) | heads, delay=delay)


def _parse_body(reply: Reply) -> JsonDict:
    if reply.content_type != JSON_TYPE or not reply.body:
        return {}
    doc = json.loads(reply.body)
    return doc if isinstance(doc, dict) else {}


def _one_line(text: str) -> str:
    return re.sub(r"[^\x20-\x7e]", "?", text)[:200]


def _caller_log_fields(served: ServerState, request: Request, heads: JsonDict) -> JsonDict:
    """Who sent what, for the usage log."""
    user_id = heads.get("X-VaultAPI-UserId")
    user = served.vault.find_user(str(user_id)) or {}
    match = _VERSIONED.fullmatch(request.path)
    sent = request.query.get("client_id") or request.header("x-vaultapi-clientid")
    return {
        "session_id": heads.get("X-VaultAPI-TruncatedSessionId"),
        "user_id": user_id,
        "username": user.get("email"),
        "http_method": request.method,
        "endpoint": request.path,
        "api_version": match[1] if match else None,
        "client_id": "unknown" if not sent else sent if _CLIENT_ID.fullmatch(sent) else "invalid_client_id",
        "client_ip": request.client,
        "reference_id": heads.get("X-VaultAPI-ReferenceId"),
    }


def _outcome_log_fields(reply: Reply, doc: JsonDict, heads: JsonDict) -> JsonDict:
    """How it was answered, for the usage log."""
    error = (doc.get("errors") or [{}])[0]
    warning = (doc.get("warnings") or [{}])[0]
    return {
        "http_response_status": reply.status,
        "api_response_status": heads["X-VaultAPI-Status"],
        "api_response_error_type": error.get("type") or doc.get("errorType"),
        "api_response_error_message": error.get("message"),
        "api_response_warning_type": warning.get("type") or warning.get("warning_type"),
        "api_response_warning_message": warning.get("message"),
        "execution_id": heads["X-VaultAPI-ExecutionId"],
        "burst_limit_remaining": heads["X-VaultAPI-BurstLimitRemaining"],
        "response_delay": heads.get("X-VaultAPI-ResponseDelay"),
        "duration": 0,
    }
