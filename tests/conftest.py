"""Stores that every folder of tests may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from duckdb import DuckDBPyConnection

from benchmarks.synthetic import fill
from ingest.store import migrate


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
