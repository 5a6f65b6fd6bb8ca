import io
import tarfile
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
    """Write a file for a test and return its path; text is UTF-8 with the line ends it has."""

    def written(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


def pack_archive(path, files, *, manifest=True, odd=()):
    lines = ["extract,extract_label,type,records,file"]
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            deletes = name.endswith("_deletes.csv")
            extract = name.removesuffix(".csv").removesuffix("_deletes").replace("/", ".", 1)
            lines.append(
                f"{extract},x,{'deletes' if deletes else 'updates'},{text.count(chr(10)) - 1},{name}"
            )
            add(archive, name, text)
        for member in odd:
            archive.addfile(member, io.BytesIO(b"x" * member.size) if member.isfile() else None)
        if manifest:
            add(archive, "manifest.csv", "\n".join(lines) + "\n")
    return path


def add(archive, name, text):
    member = tarfile.TarInfo(name)
    member.size = len(text.encode())
    archive.addfile(member, io.BytesIO(text.encode()))


@pytest.fixture(scope="session")
def pack():
    """Pack files, given by name, into a Direct Data archive and return its path; `odd` are members as they are."""
    return pack_archive
