"""Stores that every folder of tests may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from duckdb import DuckDBPyConnection
from hypothesis import HealthCheck, settings

from ingest.store.open import migrate
from tests.support.synthetic import fill

# `make test` says the same of the same tree each time; `make explore` draws new examples on every run. What
# exploring finds is fixed and stays as an @example. No profile judges a test by the clock.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("steady", UNTIMED, derandomize=True)
settings.register_profile("exploring", UNTIMED, derandomize=False, print_blob=True)
settings.load_profile("steady")


def fresh_store() -> DuckDBPyConnection:
    """A migrated store in memory; the caller closes it."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET threads = 2")
    migrate(connection)
    return connection


@pytest.fixture
def store() -> Iterator[DuckDBPyConnection]:
    """An empty, migrated store, new for each test."""
    with fresh_store() as connection:
        yield connection


@pytest.fixture
def own_stormy_store() -> Iterator[DuckDBPyConnection]:
    """A small fleet with sixteen kinds of trouble, for tests that write to it."""
    with fresh_store() as connection:
        fill(connection, syncs=3_000, errors=600, devices=60, days=14, seed=3)
        yield connection


@pytest.fixture(scope="session")
def stormy_store() -> Iterator[DuckDBPyConnection]:
    """A fleet of 120 devices over four weeks with sixteen kinds of trouble. Shared: read, never write."""
    with fresh_store() as connection:
        fill(connection, syncs=12_000, errors=1_500, devices=120, days=28, seed=1)
        yield connection
