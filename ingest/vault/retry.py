"""How long we wait for a Vault: what is tried again, how often, and when we give its devices room."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import httpx
import stamina

from ingest.errors import VaultRefused, VaultUnreachable
from ingest.retry_log import install_retry_log
from ingest.vault.responses import KNOWN

CALLS_TO_SPARE = 50
"""Calls of the five-minute window that are left to the devices when we pause."""
PAUSE_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 60.0
"""What all pauses of one shortage may last together; Vault holds calls back by itself after that."""
ATTEMPTS = 5
SECOND_LOOKS = 2
"""How often a refusal is asked again that should be final, but that gateways and upgrades also cause."""

Outcome = TypeVar("Outcome")

_log = logging.getLogger("synclens.vault")


@dataclass(slots=True)
class RateLimiter:
    """Slows us down when Vault says that calls run short. `sleep` takes seconds."""

    sleep: Callable[[float], None]
    _left: float = field(default=LONGEST_PAUSE_SECONDS)

    def throttle(self, headers: httpx.Headers) -> None:
        """Read what a reply says of the burst limit, and pause for it."""
        wanted = min(_wanted(headers), self._left)
        if wanted > 0:
            _log.info("calls to Vault run short; pausing %s s", wanted)
            self._left -= wanted
            self.sleep(wanted)
        elif not _wanted(headers):
            self._left = LONGEST_PAUSE_SECONDS


def _wanted(headers: httpx.Headers) -> float:
    held_back_ms = _number(headers, "ResponseDelay")
    if held_back_ms:
        return min(held_back_ms / 1000, PAUSE_SECONDS)
    remaining, limit = _number(headers, "BurstLimitRemaining"), _number(headers, "BurstLimit")
    spared = CALLS_TO_SPARE if limit is None else min(CALLS_TO_SPARE, limit // 20)
    return PAUSE_SECONDS if remaining is not None and remaining < spared else 0.0


def _number(headers: httpx.Headers, name: str) -> int | None:
    text = headers.get(f"X-VaultAPI-{name}", "")
    return int(text) if text.isascii() and text.isdecimal() else None


def call_with_retries(work: Callable[[], Outcome], *, attempts: int, doubting: bool) -> Outcome:
    """Do `work`, and again while it fails in a way that may pass, at most `attempts` times.

    With `doubting`, a refusal that is final by the documents is asked again too, a few times: a path that is
    suddenly unknown, a type nobody has documented, a Vault in configuration mode. Never for a sign-in.
    """
    looks = SECOND_LOOKS if doubting else 0

    def worth_it(error: Exception) -> bool:
        nonlocal looks
        if isinstance(error, VaultUnreachable | VaultRefused) and error.retryable:
            return True
        looks -= 1
        return looks >= 0 and isinstance(error, VaultRefused) and _is_doubtful(error)

    install_retry_log()
    retrying = stamina.retry_context(
        on=worth_it, attempts=attempts, timeout=None, wait_initial=0.25, wait_max=15.0, wait_jitter=0.25
    )
    for attempt in retrying:
        with attempt:
            return work()
    raise AssertionError("the retry loop neither returned nor raised")


def _is_doubtful(refused: VaultRefused) -> bool:
    lost = refused.type == "MALFORMED_URL" and refused.http_status == httpx.codes.NOT_FOUND
    closed = refused.type == "CONFIGURATION_MODE_ENABLED"
    return lost or closed or not refused.type.startswith(KNOWN)
