"""The REST API of the served Vault, as one function.

`answer_request` authenticates the caller, calls the endpoint, adds Vault's envelope and headers, and writes the
usage log. It never raises because of a request.
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
    components,
    direct_data,
    jobs,
    logins,
    metadata,
    query_endpoint,
    records,
    usage,
    users,
    writes,
)
from sync_engine.vault_api.messages import JSON_TYPE, Reply, Request, failure_reply, json_reply, success_reply
from sync_engine.vault_api.server_state import VERSIONS, ApiCall, ServerState

BURST_LIMIT = 2000
"""Maximum calls in five minutes, as in the published example."""
BURST_DELAY_SECONDS = 0.5
Endpoint = Callable[[ApiCall], Reply]

_ROUTES: tuple[tuple[str, str, Endpoint], ...] = (
    ("POST", "/keep-alive", logins.keep_alive),
    ("DELETE", "/session", logins.end_session),
    ("GET", "/delegation/vaults", logins.list_delegations),
    ("POST", "/delegation/login", logins.start_delegation),
    ("GET", "/objects/users/me", users.get_current_user),
    ("GET", "/objects/users", users.list_users),
    ("GET", "/objects/users/{id}", users.get_user),
    ("GET", "/objects/users/{id}/permissions", users.get_user_permissions),
    ("GET", "/metadata/objects/users", users.describe_users),
    ("GET", "/objects/domain", users.get_domain),
    ("GET", "/objects/domains", users.list_domains),
    ("POST", "/query", query_endpoint.run_query),
    ("GET", "/query", query_endpoint.run_query),
    ("POST", "/query/{query}", query_endpoint.get_next_page),
    ("GET", "/query/{query}", query_endpoint.get_next_page),
    ("GET", "/metadata/vobjects", metadata.list_objects),
    ("GET", "/metadata/vobjects/{object}", metadata.get_object),
    ("GET", "/metadata/vobjects/{object}/fields/{field}", metadata.get_field),
    ("GET", "/limits", metadata.get_limits),
    ("GET", "/objects/picklists", components.list_picklists),
    ("GET", "/objects/picklists/{name}", components.get_picklist),
    ("GET", "/metadata/components", components.list_component_types),
    ("GET", "/metadata/components/{type}", components.get_component_type),
    ("GET", "/configuration/{type}", components.list_components),
    ("GET", "/vobjects/{object}", records.list_records),
    ("POST", "/vobjects/{object}", writes.write_records),
    ("PUT", "/vobjects/{object}", writes.write_records),
    ("DELETE", "/vobjects/{object}", writes.write_records),
    ("GET", "/vobjects/{object}/{id}", records.get_record),
    ("GET", "/vobjects/{object}/{id}/audittrail", audits.read_record_history),
    ("GET", "/objects/deletions/vobjects/{object}", records.list_deletions),
    ("GET", "/metadata/audittrail", audits.list_trails),
    ("GET", "/metadata/audittrail/{kind}", audits.describe_trail),
    ("GET", "/audittrail/{kind}", audits.read_trail),
    ("GET", "/logs/api_usage", usage.download_daily_log),
    ("GET", "/services/jobs/histories", jobs.list_finished_jobs),
    ("GET", "/services/jobs/monitors", jobs.list_unfinished_jobs),
    ("GET", "/services/jobs/{id}", jobs.get_job_status),
    ("GET", "/services/jobs/{id}/content", jobs.download_job_result),
    ("GET", "/services/directdata/files", direct_data.list_files),
    ("GET", "/services/directdata/files/{part}", direct_data.download_part),
)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path)))


_COMPILED = tuple((method, _pattern(path), endpoint) for method, path, endpoint in _ROUTES)
_VERSIONED = re.compile(r"/api/(v\d+\.\d+)(/.*)?")
_CLIENT_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")


def answer_request(server: ServerState, request: Request, now: float) -> Reply:
    """Handle one request and return the reply. `now` is the Vault's time in seconds since 1970."""
    execution_id = server.next_execution_id()
    caller: JsonDict = {}
    injected_reply = server.faults.replacement_reply()
    if injected_reply is not None:
        reply = injected_reply
    else:
        try:
            reply = _dispatch(server, request, now, execution_id, caller)
        except VaultError as refusal:
            reply = _error_reply(server, refusal)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, sqlite3.Error) as error:
            error_message = f"The request has a part of the wrong kind: {error!r}"
            reply = failure_reply(VaultError("INVALID_DATA", error_message))
    headers = {"X-VaultAPI-ExecutionId": execution_id}
    return _finish_reply(server, request, reply, now, headers | _caller_headers(caller))


def _error_reply(server: ServerState, refusal: VaultError) -> Reply:
    if refusal.type == "INVALID_SESSION_ID" and server.faults.setting("odd-session"):
        doc = {"responseStatus": "FAILURE", "errorType": refusal.type, "responseMessage": refusal.message}
        return json_reply(doc)
    return failure_reply(refusal, status=404 if refusal.cause == "no-such-path" else 200)


def _dispatch(
    server: ServerState, request: Request, now: float, execution_id: str, caller: JsonDict
) -> Reply:
    path = request.path.rstrip("/") or "/"
    _require_served_format(request)
    if path == "/api":
        return _list_versions(request)
    if path == "/auth/discovery":
        return logins.discover_sign_in()
    if path.startswith("/auth/oauth/session/"):
        return logins.sign_in_with_identity(server, request, now)
    version, endpoint_path = _split_version(server, path)
    if endpoint_path == "/auth":
        if request.method != "POST":
            raise _unsupported_method(request.method, path)
        return logins.sign_in(server, request, now)
    user, session = logins.authenticate(server, request, now)
    caller |= {"user": user, "session": session, "version": version}
    if not endpoint_path and request.method == "GET":  # how clients validate a session that they already have
        return _list_versions(request)
    endpoint, args = _find_endpoint(request.method, endpoint_path)
    server.require_access(endpoint_path, *args.values())
    call = ApiCall(
        server=server, request=request, now=now, version=version, user=user, session=session,
        execution_id=execution_id, args=args,
    )  # fmt: skip
    return endpoint(call)


def _list_versions(request: Request) -> Reply:
    return success_reply({"values": {name: f"{request.base}/api/{name}" for name in VERSIONS}})


def _require_served_format(request: Request) -> None:
    """Raise VaultError if the caller accepts XML only, which Vault can send and this Vault cannot."""
    accepted = request.header("accept")
    if "xml" in accepted and not any(part in accepted for part in ("json", "*/*", "text/csv")):
        raise VaultError("OPERATION_NOT_ALLOWED", "XML replies are not served; send Accept: application/json")


def _split_version(server: ServerState, path: str) -> tuple[str, str]:
    match = _VERSIONED.fullmatch(path)
    if match is None:
        raise VaultError("MALFORMED_URL", f"The path [{path[:200]}] does not exist", cause="no-such-path")
    if match[1] not in VERSIONS:
        if server.faults.setting("version-trap"):
            raise VaultError("INVALID_SESSION_ID", "Invalid or expired session ID.")
        error_message = f"The version [{match[1]}] is not served; GET /api/ lists those that are"
        raise VaultError("MALFORMED_URL", error_message, cause="no-such-path")
    return match[1], match[2] or ""


def _find_endpoint(method: str, path: str) -> tuple[Endpoint, JsonDict]:
    path_exists = False
    for allowed_method, pattern, endpoint in _COMPILED:
        match = pattern.fullmatch(path)
        if match and allowed_method == method:
            return endpoint, match.groupdict()
        path_exists = path_exists or match is not None
    if path_exists:
        raise _unsupported_method(method, path)
    raise VaultError("MALFORMED_URL", f"The path [{path[:200]}] does not exist", cause="no-such-path")


def _unsupported_method(method: str, path: str) -> VaultError:
    return VaultError("METHOD_NOT_SUPPORTED", f"[{method}] is not supported for [{path[:200]}]")


def _caller_headers(caller: JsonDict) -> JsonDict:
    """Return the headers that identify the caller."""
    if not caller:
        return {}
    return {
        "X-VaultAPI-UserId": str(caller["user"]["id"]),
        "X-VaultAPI-TruncatedSessionId": caller["session"][:8],
    }


def _finish_reply(
    server: ServerState, request: Request, reply: Reply, now: float, headers: JsonDict
) -> Reply:
    """Add Vault's headers and write the usage log.

    The reply is delayed if the burst limit is exceeded.
    """
    limit = server.faults.setting("burst") or BURST_LIMIT
    remaining_calls = server.remaining_burst_calls(now, limit)
    burst_delay = server.faults.setting("burst-delay") / 1000 or BURST_DELAY_SECONDS
    delay = 0.0 if remaining_calls else burst_delay
    doc = _parse_body(reply)
    headers |= {
        "X-VaultAPI-BurstLimit": str(limit),
        "X-VaultAPI-BurstLimitRemaining": str(remaining_calls),
        "X-VaultAPI-VaultId": str(server.vault_id),
        "X-VaultAPI-Status": str(doc.get("responseStatus", "SUCCESS")),
    }
    if delay:
        headers["X-VaultAPI-ResponseDelay"] = str(int(delay * 1000))
    reference = request.header("x-vaultapi-referenceid")
    if reference:
        headers["X-VaultAPI-ReferenceId"] = _one_line(reference)
    server.log_call(
        now, _caller_log_fields(server, request, headers) | _outcome_log_fields(reply, doc, headers)
    )
    return replace(reply, headers=dict(reply.headers) | headers, delay=delay)


def _parse_body(reply: Reply) -> JsonDict:
    if reply.content_type != JSON_TYPE or not reply.body:
        return {}
    doc = json.loads(reply.body)
    return doc if isinstance(doc, dict) else {}


def _one_line(text: str) -> str:
    return re.sub(r"[^\x20-\x7e]", "?", text)[:200]


def _caller_log_fields(server: ServerState, request: Request, headers: JsonDict) -> JsonDict:
    """Return the usage log fields of the caller and the request."""
    user_id = headers.get("X-VaultAPI-UserId")
    user = server.vault.find_user(str(user_id)) or {}
    match = _VERSIONED.fullmatch(request.path)
    client_id = request.query.get("client_id") or request.header("x-vaultapi-clientid")
    return {
        "session_id": headers.get("X-VaultAPI-TruncatedSessionId"),
        "user_id": user_id,
        "username": user.get("email"),
        "http_method": request.method,
        "endpoint": request.path,
        "api_version": match[1] if match else None,
        "client_id": "unknown"
        if not client_id
        else client_id
        if _CLIENT_ID.fullmatch(client_id)
        else "invalid_client_id",
        "client_ip": request.client,
        "reference_id": headers.get("X-VaultAPI-ReferenceId"),
    }


def _outcome_log_fields(reply: Reply, doc: JsonDict, headers: JsonDict) -> JsonDict:
    """Return the usage log fields of the reply."""
    error = (doc.get("errors") or [{}])[0]
    warning = (doc.get("warnings") or [{}])[0]
    return {
        "http_response_status": reply.status,
        "api_response_status": headers["X-VaultAPI-Status"],
        "api_response_error_type": error.get("type") or doc.get("errorType"),
        "api_response_error_message": error.get("message"),
        "api_response_warning_type": warning.get("type") or warning.get("warning_type"),
        "api_response_warning_message": warning.get("message"),
        "execution_id": headers["X-VaultAPI-ExecutionId"],
        "burst_limit_remaining": headers["X-VaultAPI-BurstLimitRemaining"],
        "response_delay": headers.get("X-VaultAPI-ResponseDelay"),
        "duration": 0,
    }
