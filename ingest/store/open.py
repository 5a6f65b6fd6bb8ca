"""The store: one DuckDB file, opened late and closed early.

DuckDB lets one process write or several read, never both (measured on 2.0.0: a reader is refused while a
writer has the file). So nobody holds a connection; `open_store` is the one place that waits its turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import duckdb
import stamina
from duckdb import DuckDBPyConnection

from ingest.errors import StoreFailed, StoreLocked, StoreMissing, StoreTooNew, StoreUnusable
from ingest.retry_log import install_retry_log

MIGRATIONS = {
    script.name: script.read_text(encoding="utf-8")
    for script in files("ingest.store").joinpath("migrations").iterdir()
    if script.name.endswith(".sql")
}

MEMORY_LIMIT = "1700MB"
"""What a writer may hold in memory; beyond that DuckDB writes to a folder beside the store."""

_HOLDER = re.compile(r"held in (?P<program>.+?) \(PID (?P<pid>\d+)\)|PID (?P<bare>\d+)")


@contextmanager
def open_store(
    path: Path | str, *, read_only: bool = True, timeout_seconds: float = 20.0
) -> Iterator[DuckDBPyConnection]:
    """Open the store at `path`, and close it when the block ends.

    A writer creates a missing store. A store of an older version is brought up to date first, for a reader
    too: nobody asks questions of tables that are not there. A reader gets a connection that cannot write,
    has no access to the rest of the machine and cannot change that. While another process is in the way
    this tries again, some eight times a second, for at most `timeout_seconds`.

    Raises StoreFailed, StoreLocked, StoreMissing, StoreTooNew or StoreUnusable; each says what to do next.
    """
    path = Path(path)
    if read_only and not path.exists():
        raise StoreMissing(str(path))
    with _failures_named(path), _current(path, read_only, timeout_seconds) as store:
        if read_only:
            _close_in(store)
        else:
            store.execute("SET TimeZone = 'UTC'")  # or the days of a metric would move with the reader
            _draw_no_bar(store)
            store.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
            migrate(store, path)
        yield store


@contextmanager
def _failures_named(path: Path) -> Iterator[None]:
    """Turn a failure of the machine at the store's own file (full disk, damage) into StoreFailed."""
    try:
        yield
    except (duckdb.IOException, duckdb.FatalException, duckdb.SerializationException) as error:
        if isinstance(error, duckdb.IOException) and path.name not in str(error):
            raise  # some other file
        raise StoreFailed(str(path), str(error).splitlines()[0]) from error


def _close_in(store: DuckDBPyConnection) -> None:
    # Readers of one process share one database; the first one settles it for all, and then nobody can.
    with suppress(duckdb.InvalidInputException):
        store.execute("SET GLOBAL TimeZone = 'UTC'")
        _draw_no_bar(store)
        store.execute("SET enable_external_access = false")
        store.execute("SET lock_configuration = true")


def _draw_no_bar(store: DuckDBPyConnection) -> None:
    # DuckDB would draw it on stdout, amid the data; a notebook without ipywidgets can draw none anyway.
    with suppress(duckdb.InvalidInputException):
        store.execute("SET enable_progress_bar = false")


def migrate(store: DuckDBPyConnection, path: Path | str = "the store") -> list[str]:
    """Apply the scripts that this store has not seen, in name order, each with its record in one transaction.

    Returns the names applied. Raises StoreTooNew when the store has seen scripts that we do not know.
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
                [name, datetime.now(UTC).replace(tzinfo=None)],  # noqa: TID251 - a record of this machine's own act
            )
        except BaseException:
            store.rollback()
            raise
        store.commit()
    return pending


def _current(path: Path, read_only: bool, timeout_seconds: float) -> DuckDBPyConnection:
    store = _connect(path, read_only, timeout_seconds)
    if not read_only:
        return store
    try:
        _check_version(store, path)
        lags = bool(MIGRATIONS.keys() - _applied(store))
    except BaseException:
        store.close()
        raise
    if lags:
        store.close()
        with _connect(path, False, timeout_seconds) as writable:
            migrate(writable, path)
        store = _connect(path, True, timeout_seconds)
    return store


def _connect(path: Path, read_only: bool, timeout_seconds: float) -> DuckDBPyConnection:
    install_retry_log()
    attempts = stamina.retry_context(
        on=_is_lock_conflict,
        attempts=None,
        timeout=timeout_seconds,
        wait_initial=0.02,
        wait_max=0.1,  # a writer that loads file after file leaves the store for moments; longer pauses miss them
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
    if not (found := _HOLDER.search(message)):
        return "another connection of this process"
    if found["program"]:
        return f"process {found['pid']} ({Path(found['program']).name})"
    return f"process {found['bare']}"


def _applied(store: DuckDBPyConnection) -> set[str]:
    return {name for (name,) in store.execute("SELECT name FROM migration").fetchall()}


def _check_version(store: DuckDBPyConnection, path: Path | str) -> None:
    try:
        applied = _applied(store)
    except duckdb.CatalogException as error:
        raise StoreUnusable(str(path), "it is a DuckDB file, but not a SyncLens store") from error
    if unknown := sorted(applied - MIGRATIONS.keys()):
        raise StoreTooNew(str(path), unknown)
