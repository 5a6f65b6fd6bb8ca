"""Open the store, one DuckDB file.

DuckDB allows one process to write or several to read, never both (measured on 2.0.0: a reader is rejected while
a writer has the file). Connections are therefore short, and `open_store` waits for other processes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from ingest.errors import StoreFailed, StoreLocked, StoreMissing, StoreTooNew, StoreUnusable

MIGRATIONS = {
    script.name: script.read_text(encoding="utf-8")
    for script in files("ingest.store").joinpath("migrations").iterdir()
    if script.name.endswith(".sql")
}

MEMORY_LIMIT = "1700MB"
"""Memory limit of a writer; beyond it DuckDB writes to a temporary folder next to the store."""

_HOLDER = re.compile(r"held in (?P<program>.+?) \(PID (?P<pid>\d+)\)|PID (?P<bare>\d+)")


@contextmanager
def open_store(
    path: Path | str, *, read_only: bool = True, timeout_seconds: float = 20.0
) -> Iterator[DuckDBPyConnection]:
    """Open the store at `path`, and close it when the block ends.

    A writer creates a missing store. An older store is migrated first, also for a reader. A reader's connection
    cannot write, cannot access other files, and cannot change its configuration. While another process has the
    store open, the function retries about eight times a second, for at most `timeout_seconds`.

    Raises StoreFailed, StoreLocked, StoreMissing, StoreTooNew or StoreUnusable, each with a next step.
    """
    path = Path(path)
    if read_only and not path.exists():
        raise StoreMissing(str(path))
    with _report_disk_failures(path), _connect_migrated(path, read_only, timeout_seconds) as store:
        if read_only:
            _restrict(store)
        else:
            store.execute("SET TimeZone = 'UTC'")  # the days of a metric must not depend on the reader's zone
            _disable_progress_bar(store)
            store.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
            migrate(store, path)
        yield store


@contextmanager
def _report_disk_failures(path: Path) -> Iterator[None]:
    """Convert disk failures of the store's file (full disk, damage) to StoreFailed."""
    try:
        yield
    except (duckdb.IOException, duckdb.FatalException, duckdb.SerializationException) as error:
        if isinstance(error, duckdb.IOException) and path.name not in str(error):
            raise  # about another file
        raise StoreFailed(str(path), str(error).splitlines()[0]) from error


def _restrict(store: DuckDBPyConnection) -> None:
    # Readers of one process share one database: the first one configures it for all, and then locks it.
    with suppress(duckdb.InvalidInputException):
        store.execute("SET GLOBAL TimeZone = 'UTC'")
        _disable_progress_bar(store)
        store.execute("SET enable_external_access = false")
        store.execute("SET lock_configuration = true")


def _disable_progress_bar(store: DuckDBPyConnection) -> None:
    # DuckDB would print it to stdout, between the data; notebooks without ipywidgets cannot show it.
    with suppress(duckdb.InvalidInputException):
        store.execute("SET enable_progress_bar = false")


def migrate(store: DuckDBPyConnection, path: Path | str = "the store") -> list[str]:
    """Apply the pending migrations in the order of their names, each in one transaction.

    Returns the names of the applied migrations. Raises StoreTooNew if the store has unknown migrations.
    """
    store.execute(
        "CREATE TABLE IF NOT EXISTS migration (name VARCHAR NOT NULL, applied_at TIMESTAMP NOT NULL)"
    )
    _check_version(store, path)
    pending = sorted(MIGRATIONS.keys() - _applied(store))
    for name in pending:
        store.begin()
        try:
            store.execute(MIGRATIONS[name])
            store.execute(
                "INSERT INTO migration VALUES (?, ?)",
                [name, datetime.now(UTC).replace(tzinfo=None)],  # noqa: TID251 - records when this machine migrated the store
            )
        except BaseException:
            store.rollback()
            raise
        store.commit()
    return pending


def _connect_migrated(path: Path, read_only: bool, timeout_seconds: float) -> DuckDBPyConnection:
    store = _connect(path, read_only, timeout_seconds)
    if not read_only:
        return store
    try:
        _check_version(store, path)
        is_outdated = bool(MIGRATIONS.keys() - _applied(store))
    except BaseException:
        store.close()
        raise
    if is_outdated:
        store.close()
        with _connect(path, False, timeout_seconds) as writable:
            migrate(writable, path)
        store = _connect(path, True, timeout_seconds)
    return store


def _connect(path: Path, read_only: bool, timeout_seconds: float) -> DuckDBPyConnection:
    try:
        return duckdb.connect(path, read_only=read_only)
    except duckdb.Error as error:
        if _is_lock_conflict(error):
            return _wait_and_connect(path, read_only, timeout_seconds)
        raise StoreUnusable(str(path), str(error).splitlines()[0]) from error


def _wait_and_connect(path: Path, read_only: bool, timeout_seconds: float) -> DuckDBPyConnection:
    """Retry to open a store that is in use. Raises StoreLocked after the timeout."""
    import stamina  # noqa: PLC0415 - slow, and most stores are not in use

    from ingest.retry_log import install_retry_log  # noqa: PLC0415 - imports stamina

    install_retry_log()
    attempts = stamina.retry_context(
        on=_is_lock_conflict,
        attempts=None,
        timeout=timeout_seconds,
        wait_initial=0.02,
        wait_max=0.1,  # a busy loader closes the store only for milliseconds; longer pauses would miss that
        wait_jitter=0.05,
    )
    try:
        for attempt in attempts:
            with attempt:
                return duckdb.connect(path, read_only=read_only)
    except duckdb.Error as error:
        if _is_lock_conflict(error):
            raise StoreLocked(str(path), _holder(str(error)), timeout_seconds) from error
        raise StoreUnusable(str(path), str(error).splitlines()[0]) from error
    raise AssertionError("the retry loop neither returned nor raised")


def _is_lock_conflict(error: Exception) -> bool:
    # IOException: another process holds the file. ConnectionException: this one does, in the other mode.
    text = str(error)
    return (isinstance(error, duckdb.IOException) and "lock" in text.lower()) or (
        isinstance(error, duckdb.ConnectionException) and "different configuration" in text
    )


def _holder(message: str) -> str:
    if not (match := _HOLDER.search(message)):
        return "another connection of this process"
    if match["program"]:
        return f"process {match['pid']} ({Path(match['program']).name})"
    return f"process {match['bare']}"


def _applied(store: DuckDBPyConnection) -> set[str]:
    return {name for (name,) in store.execute("SELECT name FROM migration").fetchall()}


def _check_version(store: DuckDBPyConnection, path: Path | str) -> None:
    try:
        applied = _applied(store)
    except duckdb.CatalogException as error:
        raise StoreUnusable(str(path), "it is a DuckDB file, but not a SyncLens store") from error
    if unknown := sorted(applied - MIGRATIONS.keys()):
        raise StoreTooNew(str(path), unknown)
