"""Fixtures shared by all tests: empty and filled stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile

import duckdb
import pytest
from duckdb import DuckDBPyConnection
from hypothesis import HealthCheck, settings

from ingest.store.open import migrate
from tests.support.synthetic import fill

# `make test` draws the same examples of the same tree each time; `make explore` draws new ones, ten times as many.
# Add an example that fails to its test with @example. No profile fails a test for its run time.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("steady", UNTIMED, derandomize=True)
settings.register_profile("exploring", UNTIMED, derandomize=False, print_blob=True, max_examples=1000)
settings.load_profile("steady")


def fresh_store() -> DuckDBPyConnection:
    """Return an empty, migrated store in memory; the caller closes it."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET threads = 2")
    migrate(connection)
    return connection


@pytest.fixture(scope="session")
def empty_store_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of an empty, migrated store file to copy: copying takes a third of the time of migrating."""
    path = tmp_path_factory.mktemp("empty") / "empty.duckdb"
    with duckdb.connect(str(path)) as connection:
        migrate(connection)
    return path


@pytest.fixture
def store(empty_store_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBPyConnection]:
    """Yield an empty, migrated store, new for each test."""
    path = tmp_path_factory.mktemp("store") / "store.duckdb"
    copyfile(empty_store_file, path)
    with duckdb.connect(str(path)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET threads = 2")
        yield connection


@pytest.fixture
def own_stormy_store() -> Iterator[DuckDBPyConnection]:
    """Yield a small fleet with sixteen kinds of errors, for tests that write to it."""
    with fresh_store() as connection:
        fill(connection, syncs=3_000, errors=600, devices=60, days=14, seed=3)
        yield connection


@pytest.fixture(scope="session")
def stormy_store() -> Iterator[DuckDBPyConnection]:
    """Yield a fleet of 120 devices over four weeks with sixteen kinds of errors. Shared: read only."""
    with fresh_store() as connection:
        fill(connection, syncs=12_000, errors=1_500, devices=120, days=28, seed=1)
        yield connection
