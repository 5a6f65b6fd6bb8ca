"""Retry Vault calls, and pause to leave API calls to the devices."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import httpx
import stamina

from ingest.errors import VaultRefused, VaultUnreachable
from ingest.retry_log import install_retry_log
from ingest.vault.responses import DOCUMENTED_TYPES

CALLS_TO_SPARE = 50
"""Calls left in the five-minute window below which the client pauses."""
PAUSE_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 60.0
"""Longest total pause while calls are short; after that, Vault delays calls itself."""
ATTEMPTS = 5
DOUBTFUL_RETRIES = 2
"""Retries of errors that should be final, but that gateways and upgrades also cause."""

Outcome = TypeVar("Outcome")

_log = logging.getLogger("synclens.vault")


@dataclass(slots=True)
class RateLimiter:
    """Pauses when API calls run short. `sleep` accepts seconds."""

    sleep: Callable[[float], None]
    _left: float = field(default=LONGEST_PAUSE_SECONDS)

    def throttle(self, headers: httpx.Headers) -> None:
        """Pause if a reply shows that the burst limit is near."""
        pause = min(_pause_seconds(headers), self._left)
        if pause > 0:
            _log.info("API calls to Vault are short; pausing %s s", pause)
            self._left -= pause
            self.sleep(pause)
        elif not _pause_seconds(headers):
            self._left = LONGEST_PAUSE_SECONDS


def _pause_seconds(headers: httpx.Headers) -> float:
    delay_ms = _number(headers, "ResponseDelay")
    if delay_ms:
        return min(delay_ms / 1000, PAUSE_SECONDS)
    remaining, limit = _number(headers, "BurstLimitRemaining"), _number(headers, "BurstLimit")
    spared = CALLS_TO_SPARE if limit is None else min(CALLS_TO_SPARE, limit // 20)
    return PAUSE_SECONDS if remaining is not None and remaining < spared else 0.0


def _number(headers: httpx.Headers, name: str) -> int | None:
    text = headers.get(f"X-VaultAPI-{name}", "")
    return int(text) if text.isascii() and text.isdecimal() else None


def call_with_retries(work: Callable[[], Outcome], *, attempts: int, retry_doubtful: bool) -> Outcome:
    """Run `work`, and retry temporary errors, up to `attempts` times in total.

    With `retry_doubtful`, some errors that are documented as final are retried a few times too: a path that is
    suddenly unknown, an undocumented type, a Vault in configuration mode. Never set it for a sign-in.
    """
    retries_left = DOUBTFUL_RETRIES if retry_doubtful else 0

    def should_retry(error: Exception) -> bool | float:
        nonlocal retries_left
        if isinstance(error, VaultUnreachable | VaultRefused) and error.retryable:
            return requested_pause(error) or True
        retries_left -= 1
        return retries_left >= 0 and isinstance(error, VaultRefused) and _is_doubtful(error)

    install_retry_log()
    retrying = stamina.retry_context(
        on=should_retry, attempts=attempts, timeout=None, wait_initial=0.25, wait_max=15.0, wait_jitter=0.25
    )
    for attempt in retrying:
        with attempt:
            return work()
    raise AssertionError("the retry loop neither returned nor raised")


def requested_pause(error: Exception) -> float | None:
    """Return the seconds to wait that a gateway requested, at most one minute; None if it requested nothing."""
    if not isinstance(error, VaultUnreachable) or error.retry_after is None:
        return None
    return min(error.retry_after, LONGEST_PAUSE_SECONDS)


def _is_doubtful(refused: VaultRefused) -> bool:
    is_unknown_path = refused.type == "MALFORMED_URL" and refused.http_status == httpx.codes.NOT_FOUND
    is_closed = refused.type == "CONFIGURATION_MODE_ENABLED"
    return is_unknown_path or is_closed or not refused.type.startswith(DOCUMENTED_TYPES)
