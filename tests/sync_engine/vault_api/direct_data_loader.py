"""Loads Direct Data files into SQLite in the way of Veeva's accelerator.

Source: https://github.com/veeva/Vault-Direct-Data-API-Accelerators, `common/scripts/load_data.py` and
`accelerators/sqlite/services/sqlite_service.py`. What matters: tables come from the metadata (of a full file from
`Metadata/metadata.csv`, else from `metadata_full.csv`), only manifest rows with `type` "updates" and records are
loaded, deletes come before updates, and a changed field whose `id` is not among the changes is a new column.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import sqlite3
import tarfile
from collections.abc import Iterable
from typing import Any

from tests.sync_engine.vault_api.http_caller import Caller, V

Rows = list[dict[str, str]]
KEYS = {
    "picklist__sys": ("object", "object_field", "picklist_value_name"),
    "metadata": ("extract", "column_name"),
}


class Archive:
    """A downloaded file: its CSV files by their paths."""

    def __init__(self, packed: bytes) -> None:
        self.texts: dict[str, str] = {}
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed))) as archive:
            for member in archive.getmembers():
                file = archive.extractfile(member)
                assert file is not None
                self.texts[member.name] = file.read().decode()

    def rows(self, path: str) -> Rows:
        return list(csv.DictReader(io.StringIO(self.texts[path], newline="")))

    def header(self, path: str) -> list[str]:
        return next(csv.reader(io.StringIO(self.texts[path], newline="")))

    def manifest(self, kind: str) -> Rows:
        """Return the rows of the manifest with this `type` and with records."""
        return [row for row in self.rows("manifest.csv") if row["type"] == kind and int(row["records"]) > 0]


def list_files(caller: Caller, kind: str, tail: str = "") -> list[dict[str, Any]]:
    reply = caller("GET", f"{V}/services/directdata/files?extract_type={kind}_directdata{tail}")
    assert reply["responseStatus"] == "SUCCESS", reply
    return list(reply["data"])


def download(caller: Caller, entry: dict[str, Any]) -> Archive:
    packed = b""
    for part in entry["filepart_details"]:
        reply = caller.raw("GET", f"{V}/services/directdata/files/{part['name']}")
        assert reply.content_type == "application/octet-stream;charset=UTF-8"
        assert part["filename"] in reply.headers["Content-Disposition"]
        assert hashlib.md5(reply.body).hexdigest() == part["md5checksum"]
        packed += reply.body
    return Archive(packed)


class Loader:
    """Tables made from archives."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:")

    def columns(self, table: str) -> list[str]:
        return [row[1] for row in self.db.execute(f"PRAGMA table_info({table})")]

    def rows(self, table: str) -> Rows:
        names = self.columns(table)
        return [dict(zip(names, row, strict=True)) for row in self.db.execute(f"SELECT * FROM {table}")]

    def load_full(self, archive: Archive) -> None:
        self._load_all(archive, archive.rows("Metadata/metadata.csv"))

    def load_log(self, archive: Archive) -> None:
        self._load_all(archive, archive.rows("metadata_full.csv"))

    def load_increment(self, archive: Archive) -> None:
        metadata = {
            row["type"]: archive.rows(row["file"])
            for kind in ("deletes", "updates")
            for row in archive.manifest(kind)
            if row["extract"] == "Metadata.metadata"
        }
        for row in metadata.get("deletes", []):
            table = row["extract"].split(".")[1]
            if row["column_name"] == "id":
                self.db.execute(f"DROP TABLE {table}")
            else:
                self.db.execute(f"ALTER TABLE {table} DROP COLUMN {row['column_name']}")
        self._change_tables(metadata.get("updates", []))
        for row in archive.manifest("deletes"):
            table = row["extract"].split(".")[1].replace("_deletes", "")
            if table != "metadata":
                self._delete(table, archive.rows(row["file"]))
        for row in archive.manifest("updates"):
            table = row["extract"].split(".")[1]
            if "metadata" not in table:
                self._delete(table, archive.rows(row["file"]))
                self._insert(table, archive, row["file"])

    def _load_all(self, archive: Archive, metadata: Rows) -> None:
        extracts = {row["extract"] for row in metadata}
        for extract in sorted(extracts):
            self._create(
                extract.split(".")[1], [r["column_name"] for r in metadata if r["extract"] == extract]
            )
        self._create("metadata", list(metadata[0]))
        for row in archive.manifest("updates"):
            self._insert(row["extract"].split(".")[1], archive, row["file"])

    def _change_tables(self, metadata: Rows) -> None:
        for extract in {row["extract"] for row in metadata}:
            table = extract.split(".")[1]
            names = [row["column_name"] for row in metadata if row["extract"] == extract]
            if "id" in names:
                self._create(table, names)
                continue
            for name in set(names) - set(self.columns(table)):
                self.db.execute(f"ALTER TABLE {table} ADD COLUMN {name} TEXT")

    def _create(self, table: str, columns: Iterable[str]) -> None:
        self.db.execute(f"CREATE TABLE {table} ({', '.join(f'{name} TEXT' for name in columns)})")

    def _delete(self, table: str, rows: Rows) -> None:
        keys = KEYS.get(table, ("id",))
        where = " AND ".join(f"{key} = ?" for key in keys)
        self.db.executemany(
            f"DELETE FROM {table} WHERE {where}", [[row[key] for key in keys] for row in rows]
        )

    def _insert(self, table: str, archive: Archive, path: str) -> None:
        names = archive.header(path)
        assert set(names) == set(self.columns(table)), (table, names, self.columns(table))
        marks = ", ".join("?" * len(names))
        self.db.executemany(
            f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})",
            [[row[name] for name in names] for row in archive.rows(path)],
        )
