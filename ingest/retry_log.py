"""Log retries on one line, instead of in the format of the retry library."""

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
    """Log this package's retries; retries of other packages keep their log format.

    Waiting for the store is normal on a busy machine and is logged once, at INFO. Each retry of a Vault call
    is logged at WARNING. Runs once per process, so that an application can still replace the hooks.
    """
    set_on_retry_hooks([log_retry, *map(_skip_own_errors, get_on_retry_hooks())])


def log_retry(details: RetryDetails) -> None:
    """Log what failed and when it is retried, if the error is from this package."""
    error = details.caused_by
    if isinstance(error, IngestError):
        _log.warning("%s; trying again in %.1f s", " ".join(str(error).split()), details.wait_for)
    elif isinstance(error, duckdb.Error) and details.retry_num == 1:
        _log.info("the store is in use; waiting for it")


def _skip_own_errors(hook: RetryHook) -> RetryHook:
    def filtered_hook(details: RetryDetails) -> AbstractContextManager[None] | None:
        is_own = isinstance(details.caused_by, IngestError | duckdb.Error)
        return None if is_own else hook(details)

    return filtered_hook
