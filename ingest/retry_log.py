"""What is said when something is tried again: one line, in words, in place of the library's own."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from functools import cache

import duckdb
from stamina.instrumentation import RetryDetails, RetryHook, get_on_retry_hooks, set_on_retry_hooks

from ingest.errors import IngestError

_log = logging.getLogger("synclens.retry")


@cache
def install_retry_log() -> None:
    """Word this package's own retries; those of others are told by whoever told them before.

    Waiting for the store happens in every busy house and is told once, at INFO; a Vault that has to be asked
    again is worth a WARNING each time. It is done once per process, so that an application may still decide
    otherwise.
    """
    set_on_retry_hooks([log_retry, *map(_for_others, get_on_retry_hooks())])


def log_retry(details: RetryDetails) -> None:
    """Log what failed and that it is tried again, where the failure is one of ours."""
    error = details.caused_by
    if isinstance(error, IngestError):
        _log.warning("%s; trying again in %.1f s", " ".join(str(error).split()), details.wait_for)
    elif isinstance(error, duckdb.Error) and details.retry_num == 1:
        _log.info("the store is in use; waiting for it")


def _for_others(hook: RetryHook) -> RetryHook:
    def told(details: RetryDetails) -> AbstractContextManager[None] | None:
        ours = isinstance(details.caused_by, IngestError | duckdb.Error)
        return None if ours else hook(details)

    return told
