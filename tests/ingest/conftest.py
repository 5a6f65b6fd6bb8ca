from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from ingest import migrate

DATA = Path(__file__).parents[1] / "data"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def clock():
    return lambda: NOON


@pytest.fixture
def data():
    return DATA


@pytest.fixture
def store():
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        migrate(connection)
        yield connection


@pytest.fixture
def write(tmp_path):
    """Write a file for a test and give its path; text is UTF-8 with the line ends it has."""

    def written(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written
