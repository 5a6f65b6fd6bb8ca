"""What Vault answers: the envelope around every reply, and what each kind of refusal asks us to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from ingest.errors import SignInRefused, VaultRefused, VaultUnreachable

RETRY = frozenset({"UNEXPECTED_ERROR", "RACE_CONDITION", "OPERATION_IN_PROGRESS", "API_LIMIT_EXCEEDED"})
"""Types after which the same call may succeed. Everything else would only fail again."""

BAD_CREDENTIALS = frozenset(
    {
        "INACTIVE_USER",
        "NO_PASSWORD_PROVIDED",
        "USERNAME_OR_PASSWORD_INCORRECT",
        "USER_LOCKED_OUT",
        "PASSWORD_CHANGE_REQUIRED",
        "AUTHENTICATION_FAILED",
    }
)
"""Types after which trying again does harm: the user would be locked."""

SESSION_OVER = "INVALID_SESSION_ID"

KNOWN = (
    *sorted(RETRY | BAD_CREDENTIALS),
    SESSION_OVER, "MALFORMED_URL", "METHOD_NOT_SUPPORTED", "PARAMETER_REQUIRED", "INVALID_DATA", "INVALID_FILTER",
    "INSUFFICIENT_ACCESS", "OPERATION_NOT_ALLOWED", "ATTRIBUTE_NOT_SUPPORTED", "INCORRECT_QUERY_SYNTAX",
    "EXCEEDS_FILE_MAX_SIZE", "CONFIGURATION_MODE_ENABLED", "SDK_ERROR", "ITEM_NAME_EXISTS", "USER_NOT_FOUND",
    "FEDERATED_ID_ALREADY_EXISTS",
)  # fmt: skip
"""How the documented types begin; a live Vault was seen to cut the end of one."""

_PASSING = (429, 500, 502, 503, 504)
"""HTTP statuses of something between us and Vault, or of a Vault that is just being started."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply that is not a refusal: its JSON, its headers, and the warnings in it as `type: message`."""

    body: Mapping[str, Any]
    headers: httpx.Headers
    warnings: tuple[str, ...] = field(default=())

    @property
    def data(self) -> list[dict[str, Any]]:
        """The rows of the reply."""
        rows = self.body.get("data")
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []

    @property
    def details(self) -> Mapping[str, Any]:
        """Paging: `size`, `total`, `next_page` and the like; empty where the reply has none."""
        details = self.body.get("responseDetails")
        return details if isinstance(details, dict) else {}


def read_reply(response: httpx.Response) -> Reply:
    """Read an answer by its JSON, whatever its HTTP status says.

    Raises SignInRefused, VaultRefused (which says whether it may be retried), or VaultUnreachable where
    something between us and Vault answered.
    """
    try:
        body = response.json()
    except ValueError as error:
        raise VaultUnreachable(
            str(response.url.host), f"HTTP {response.status_code} without JSON; a proxy or a gateway answered"
        ) from error
    if not isinstance(body, dict):
        raise VaultUnreachable(
            str(response.url.host), f"HTTP {response.status_code} with JSON that is no envelope"
        )
    status = body.get("responseStatus")
    if status in ("SUCCESS", "WARNING") or (status is None and response.is_success):
        return Reply(
            body, response.headers, tuple(_worded(each, "warning_type") for each in _listed(body, "warnings"))
        )
    raise _refusal(body, response)


def _refusal(body: Mapping[str, Any], response: httpx.Response) -> Exception:
    errors = _listed(body, "errors")
    first = errors[0] if errors else {"type": body.get("errorType"), "message": body.get("responseMessage")}
    kind, message = str(first.get("type") or "UNKNOWN"), str(first.get("message") or "")
    if kind in BAD_CREDENTIALS:
        return SignInRefused(kind, message)
    return VaultRefused(
        kind,
        message,
        http_status=response.status_code,
        execution_id=response.headers.get("X-VaultAPI-ExecutionId"),
        retryable=kind in RETRY or response.status_code in _PASSING,
    )


def _listed(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    listed = body.get(name)
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _worded(warning: Mapping[str, Any], name: str) -> str:
    # The documents say warning_type, Veeva's own clients read type.
    return f"{warning.get(name) or warning.get('type') or 'WARNING'}: {warning.get('message') or ''}"
