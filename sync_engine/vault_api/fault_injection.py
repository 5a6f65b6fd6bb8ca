"""Faults that the served Vault can inject: each has a name and a number; none is random.

The faults are those that customers, proxies and other clients have reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from sync_engine.protocol import VaultError
from sync_engine.vault_api.messages import Reply, failure_reply, json_reply

FAULTS = {
    "expire": "a session ends after N calls with it",
    "shrink": "a page holds at most N rows, whatever was asked for",
    "forget-pages": "the next page is forgotten after N pages of a query",
    "burst": "N calls in five minutes are free; each later one is held back by half a second",
    "burst-delay": "with burst, calls are held back by N milliseconds instead of half a second",
    "fail-part": "the first N downloads of Direct Data parts answer JSON instead of bytes",
    "unpublished": "the newest N incremental files of Direct Data are an error entry",
    "no-md5": "with 1, the parts of Direct Data come without a checksum",
    "other-vault": "with 1, signing in opens a session for another Vault",
    "not-found": "every Nth call answers HTTP 404 with JSON, once each",
    "proxy": "every Nth call answers HTTP 502 with a page that is not JSON",
    "portal": "every Nth call answers HTTP 200 with a page that is not JSON",
    "drop": "every Nth call ends in the middle of its answer",
    "unknown-type": "every Nth call is refused with an undocumented error type",
    "exception": "every Nth call fails with EXCEPTION and UNEXPECTED_ERROR",
    "configuration-mode": "every Nth call is refused because the Vault is in Configuration Mode",
    "warning": "every Nth query carries a DUPLICATE warning, in both spellings by turns",
    "drift": "with 1, query errors are spelled INCORRECT_QUERY_SYNTAX, as a live Vault was seen to",
    "version-trap": "with 1, a version that is not served answers INVALID_SESSION_ID",
    "odd-session": "with 1, an ended session answers in the other of the two shapes",
}
"""Every fault with the meaning of N."""

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
        ways: dict[str, int] = {}
        for text in texts:
            name, _, number = text.partition("=")
            is_known = name in FAULTS or name.removeprefix("error:") in DOCUMENTED_TYPES
            if not is_known or not number.isdigit() or int(number) < 1:
                raise ValueError(
                    f"{text!r} is not a fault; use NAME=N with one of: {', '.join(FAULTS)}, error:TYPE"
                )
            ways[name] = int(number)
        return cls(ways)

    def setting(self, way: str) -> int:
        """Return N of a fault, 0 if it is off."""
        return self.settings.get(way, 0)

    def applies_to_first(self, way: str) -> bool:
        """True for the first N times, and counts them."""
        if self.counts[way] >= self.setting(way):
            return False
        self.counts[way] += 1
        return True

    def replacement_reply(self) -> Reply | None:
        """Return the injected reply for this call, None for most calls."""
        self.calls += 1
        for way, n in self.settings.items():
            if (way in _REPLACEMENTS or way.startswith("error:")) and self.calls % n == 0:
                self.counts[way] += 1
                return _REPLACEMENTS[way] if way in _REPLACEMENTS else _refusal(way.removeprefix("error:"))
        return None

    def next_occurrence(self, way: str) -> int:
        """How often a way has struck, when it strikes now; 0 when it does not."""
        n = self.setting(way)
        if not n:
            return 0
        self.counts[f"{way} seen"] += 1
        if self.counts[f"{way} seen"] % n:
            return 0
        self.counts[way] += 1
        return self.counts[way]


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
