"""Deterministic faults that the served Vault can inject. Each has a name and a number.

All of them have been reported for real Vaults, proxies or API clients.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from sync_engine.protocol import VaultError
from sync_engine.vault_api.messages import Reply, failure_reply, json_reply

FAULTS = {
    "expire": "a session expires after N calls",
    "shrink": "a page has at most N rows, even if the request allows more",
    "forget-pages": "the remaining pages of a query expire after N pages",
    "burst": "N calls in five minutes are immediate; each later call is delayed by 0.5 s",
    "burst-delay": "with burst, calls are delayed by N milliseconds instead of 0.5 s",
    "fail-part": "the first N downloads of Direct Data parts return JSON instead of bytes",
    "unpublished": "the newest N incremental files of Direct Data are listed as errors",
    "no-md5": "with 1, the parts of Direct Data have no checksum",
    "other-vault": "with 1, signing in opens a session for another Vault",
    "not-found": "every Nth call returns HTTP 404 with JSON",
    "proxy": "every Nth call returns HTTP 502 with an HTML page",
    "portal": "every Nth call returns HTTP 200 with an HTML page",
    "drop": "every Nth call disconnects in the middle of the response",
    "unknown-type": "every Nth call is refused with an undocumented error type",
    "exception": "every Nth call fails with EXCEPTION and UNEXPECTED_ERROR",
    "configuration-mode": "every Nth call is refused because the Vault is in Configuration Mode",
    "warning": "every Nth query returns a DUPLICATE warning, with alternating spelling of its type key",
    "drift": "with 1, query errors have the type INCORRECT_QUERY_SYNTAX, as observed in a live Vault",
    "version-trap": "with 1, an unsupported API version returns INVALID_SESSION_ID",
    "odd-session": "with 1, an expired session returns the alternative error format",
}
"""Descriptions of the faults by name, with the meaning of N."""

DOCUMENTED_TYPES = (
    "UNEXPECTED_ERROR", "MALFORMED_URL", "METHOD_NOT_SUPPORTED", "INACTIVE_USER", "NO_PASSWORD_PROVIDED",
    "USERNAME_OR_PASSWORD_INCORRECT", "USER_LOCKED_OUT", "PASSWORD_CHANGE_REQUIRED", "INVALID_SESSION_ID",
    "PARAMETER_REQUIRED", "INVALID_DATA", "INSUFFICIENT_ACCESS", "OPERATION_NOT_ALLOWED", "ATTRIBUTE_NOT_SUPPORTED",
    "INVALID_FILTER", "INCORRECT_QUERY_SYNTAX_ERROR", "RACE_CONDITION", "EXCEEDS_FILE_MAX_SIZE", "API_LIMIT_EXCEEDED",
    "CONFIGURATION_MODE_ENABLED", "SDK_ERROR", "OPERATION_IN_PROGRESS", "ITEM_NAME_EXISTS", "USER_NOT_FOUND",
    "FEDERATED_ID_ALREADY_EXISTS",
)  # fmt: skip
"""Error types of the API reference; `error:TYPE=N` refuses every Nth call with one of them."""

_PAGE = (
    b"<html><head><title>Sign in to the network</title></head><body>Please accept the terms.</body></html>"
)


@dataclass(slots=True)
class FaultInjection:
    """The faults to inject and how often each has occurred. Empty by default."""

    settings: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    @classmethod
    def parse(cls, texts: Iterable[str]) -> FaultInjection:
        """Parse `NAME=N` items. Raises ValueError that lists the faults."""
        settings: dict[str, int] = {}
        for text in texts:
            name, _, number = text.partition("=")
            is_known = name in FAULTS or name.removeprefix("error:") in DOCUMENTED_TYPES
            if not is_known or not number.isdigit() or int(number) < 1:
                raise ValueError(
                    f"{text!r} is not a fault; use NAME=N with one of: {', '.join(FAULTS)}, error:TYPE"
                )
            settings[name] = int(number)
        return cls(settings)

    def setting(self, fault: str) -> int:
        """Return N of a fault, 0 if it is off."""
        return self.settings.get(fault, 0)

    def applies_to_first(self, fault: str) -> bool:
        """Count an occurrence and return whether it is one of the first N."""
        if self.counts[fault] >= self.setting(fault):
            return False
        self.counts[fault] += 1
        return True

    def replacement_reply(self) -> Reply | None:
        """Return the injected reply for this call, or None if no fault applies."""
        self.calls += 1
        for fault, n in self.settings.items():
            if (fault in _REPLACEMENTS or fault.startswith("error:")) and self.calls % n == 0:
                self.counts[fault] += 1
                return (
                    _REPLACEMENTS[fault] if fault in _REPLACEMENTS else _refusal(fault.removeprefix("error:"))
                )
        return None

    def next_occurrence(self, fault: str) -> int:
        """Count a call and return the occurrence number of the fault.

        The fault occurs on every Nth call. Returns 0 for the other calls.
        """
        n = self.setting(fault)
        if not n:
            return 0
        self.counts[f"{fault} seen"] += 1
        if self.counts[f"{fault} seen"] % n:
            return 0
        self.counts[fault] += 1
        return self.counts[fault]


def _refusal(error_type: str) -> Reply:
    return failure_reply(VaultError(error_type, f"The served Vault injected the error {error_type}"))


_NOT_FOUND = VaultError("MALFORMED_URL", "The requested path does not exist")
_REPLACEMENTS = {
    "not-found": failure_reply(_NOT_FOUND, status=404),
    "proxy": Reply(
        body=b"<html><body><h1>502 Bad Gateway</h1></body></html>", status=502, content_type="text/html"
    ),
    "portal": Reply(body=_PAGE, content_type="text/html"),
    "drop": Reply(body=b"", dropped=True),
    "unknown-type": _refusal("MOON_PHASE_MISMATCH"),
    "exception": json_reply(
        {
            "responseStatus": "EXCEPTION",
            "errors": [{"type": "UNEXPECTED_ERROR", "message": "An unexpected error occurred"}],
        }
    ),
    "configuration-mode": _refusal("CONFIGURATION_MODE_ENABLED"),
}
