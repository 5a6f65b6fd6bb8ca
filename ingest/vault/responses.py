"""Read Vault's replies: the common envelope, and whether an error can be retried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from ingest.errors import SignInRefused, VaultRefused, VaultUnreachable, WrongVault
from ingest.vault.pull_report import Finding, Omission

RETRY = frozenset({"UNEXPECTED_ERROR", "RACE_CONDITION", "OPERATION_IN_PROGRESS", "API_LIMIT_EXCEEDED"})
"""Error types after which a retry may succeed."""

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
"""Error types after which a retry could lock the user."""

SESSION_OVER = "INVALID_SESSION_ID"
_ENDS_PULL = frozenset({SESSION_OVER, "CONFIGURATION_MODE_ENABLED", "API_LIMIT_EXCEEDED"})
"""Error types that every further call would have too, when the retries are used up."""

DOCUMENTED_TYPES = (
    *sorted(RETRY | BAD_CREDENTIALS),
    SESSION_OVER, "MALFORMED_URL", "METHOD_NOT_SUPPORTED", "PARAMETER_REQUIRED", "INVALID_DATA", "INVALID_FILTER",
    "INSUFFICIENT_ACCESS", "OPERATION_NOT_ALLOWED", "ATTRIBUTE_NOT_SUPPORTED", "INCORRECT_QUERY_SYNTAX",
    "EXCEEDS_FILE_MAX_SIZE", "CONFIGURATION_MODE_ENABLED", "SDK_ERROR", "ITEM_NAME_EXISTS", "USER_NOT_FOUND",
    "FEDERATED_ID_ALREADY_EXISTS",
)  # fmt: skip
"""Prefixes of the documented types; a live Vault was observed to truncate one."""

_TEMPORARY = (429, 500, 502, 503, 504)
"""HTTP statuses of a proxy, or of a Vault that is starting."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One successful reply: its JSON, its headers, and its warnings as `type: message`."""

    body: Mapping[str, Any]
    headers: httpx.Headers
    warnings: tuple[str, ...] = field(default=())

    @property
    def data(self) -> list[dict[str, Any]]:
        """Return the rows of the reply."""
        rows = self.body.get("data")
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []

    @property
    def unreadable_rows(self) -> int:
        """Return the number of rows that are not JSON objects; `data` does not have them."""
        rows = self.body.get("data")
        return len(rows) - len(self.data) if isinstance(rows, list) else 0

    def findings(self, target: str) -> Iterator[Finding]:
        """Yield Vault's warnings, and an omission for rows that are not JSON objects."""
        yield from self.warnings
        if self.unreadable_rows:
            yield Omission(
                target,
                f"{self.unreadable_rows} rows",
                "Vault returned them in a form that is not documented",
                "Report this to the maintainers of SyncLens, with the version of the API.",
            )

    @property
    def hidden_fields(self) -> Counter[str]:
        """Count the rows in which each field is hidden from the user, if Vault was asked for them."""
        records = _listed(self.body, "record_properties")
        properties = (each.get("field_properties") for each in records)
        hidden = (each.get("hidden") for each in properties if isinstance(each, dict))
        return Counter(str(name) for names in hidden if isinstance(names, list) for name in names)

    @property
    def details(self) -> Mapping[str, Any]:
        """Return paging details such as `size`, `total` and `next_page`; empty if the reply has none."""
        details = self.body.get("responseDetails")
        return details if isinstance(details, dict) else {}


def read_reply(response: httpx.Response) -> Reply:
    """Read a reply by its JSON, whatever its HTTP status.

    Raises SignInRefused, VaultRefused (with `retryable`), or VaultUnreachable if a proxy answered.
    """
    try:
        body = response.json()
    except ValueError as error:
        raise VaultUnreachable(
            str(response.url.host),
            f"HTTP {response.status_code} without JSON; a proxy or a gateway answered{_downtime(response)}",
            retry_after=_retry_after(response),
        ) from error
    if not isinstance(body, dict):
        raise VaultUnreachable(str(response.url.host), f"HTTP {response.status_code} with unexpected JSON")
    status = body.get("responseStatus")
    if status in ("SUCCESS", "WARNING") or (status is None and response.is_success):
        return Reply(
            body,
            response.headers,
            tuple(_warning_text(each, "warning_type") for each in _listed(body, "warnings")),
        )
    raise _error(body, response)


def _downtime(response: httpx.Response) -> str:
    minutes = response.headers.get("X-VaultAPI-DowntimeExpectedDurationMinutes", "")
    return f"; a downtime of about {minutes} min is announced" if minutes.isdecimal() else ""


def _retry_after(response: httpx.Response) -> float | None:
    seconds = response.headers.get("Retry-After", "")
    return float(seconds) if seconds.isascii() and seconds.isdecimal() else None


def _error(body: Mapping[str, Any], response: httpx.Response) -> Exception:
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
        retryable=kind in RETRY or response.status_code in _TEMPORARY,
    )


def _listed(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    listed = body.get(name)
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _warning_text(warning: Mapping[str, Any], name: str) -> str:
    # The documentation has warning_type, Veeva's clients read type.
    return f"{warning.get(name) or warning.get('type') or 'WARNING'}: {warning.get('message') or ''}"


def ends_pull(error: Exception) -> bool:
    """Return whether every further call would fail like this one, rather than only calls for the same data."""
    if isinstance(error, VaultRefused):
        return error.type in _ENDS_PULL
    return isinstance(error, SignInRefused | WrongVault) or (
        isinstance(error, VaultUnreachable) and error.retryable
    )
