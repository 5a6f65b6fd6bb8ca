"""The media phase: download CLM media and attachments in pieces, after the data are applied.

Files are kept in a separate store, which a database refresh does not touch. A complete version replaces the
previous one in one commit, so a presentation never mixes two versions.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from hashlib import blake2b

from sync_engine.device.client import Device
from sync_engine.device.request import request_binary, send_request
from sync_engine.device.sync_run import SyncRun, enter_phase, report_error
from sync_engine.json_docs import JsonDict
from sync_engine.protocol import TransportError, VaultError

MEDIA_SCHEMA = """
CREATE TABLE IF NOT EXISTS file (
    id       TEXT PRIMARY KEY,
    record   TEXT NOT NULL,
    object   TEXT NOT NULL,
    name     TEXT NOT NULL,
    kind     TEXT NOT NULL,          -- media, attachment
    version  INTEGER NOT NULL,
    size     INTEGER NOT NULL
);
-- Content of files, and of versions that are still on their way.
CREATE TABLE IF NOT EXISTS piece (
    id      TEXT NOT NULL,
    version INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (id, version, at)
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSelection:
    """Which files of the scope to download. Files that left the scope are always deleted."""

    kinds: frozenset[str] = field(default=frozenset({"media", "attachment"}))
    new: frozenset[str] = field(
        default=frozenset({"media", "attachment"})
    )  # kinds of which new ones come too


ALL_FILES = FileSelection()
"""For a blocking sync: the whole library."""
AFTER_APPLY = FileSelection(new=frozenset({"attachment"}))
"""Documented for non-blocking sync: updates of media that are there; new ones only when the user asks."""
ALL_MEDIA = FileSelection(kinds=frozenset({"media"}), new=frozenset({"media"}))
"""*Download All Media*."""


def open_media_store(device: Device) -> sqlite3.Connection:
    """Open the store of the device's files."""
    store = device.env.open_store("media")
    store.executescript(MEDIA_SCHEMA)
    return store


async def fetch_files(device: Device, run: SyncRun, wanted: FileSelection = ALL_FILES) -> bool:
    """Download the selected files. True if all of them are complete.

    A file that cannot be downloaded is reported, and the others are still downloaded. Raises TransportError,
    VaultError and DeviceError for what stops the whole phase; completed files stay.
    """
    enter_phase(device, run, "media")
    run.media_done = False
    store = open_media_store(device)
    scope = (await send_request(device, run, {"verb": "files"}))["files"]
    _delete_removed_files(store, scope)
    whole = True
    for one in scope:
        if not _needs_download(store, one, wanted):
            continue
        if not device.foreground and wanted is not ALL_FILES:
            return False
        whole = await _fetch_file(device, run, store, one) and whole
    run.media_done = whole
    return whole


def read_files(device: Device) -> dict[str, bytes]:
    """Return the content of every complete file on the device, by id."""
    store = open_media_store(device)
    rows = store.execute("SELECT id, version FROM file ORDER BY id").fetchall()
    return {file_id: _read_content(store, file_id, version) for file_id, version in rows}


def _needs_download(store: sqlite3.Connection, one: JsonDict, wanted: FileSelection) -> bool:
    row = store.execute("SELECT version FROM file WHERE id = ?", (one["id"],)).fetchone()
    if one["kind"] not in wanted.kinds or (row and row[0] == one["version"]):
        return False
    return row is not None or one["kind"] in wanted.new


def _delete_removed_files(store: sqlite3.Connection, scope: list[JsonDict]) -> None:
    """Delete files that are no longer in the scope, and their incomplete pieces."""
    stored_ids = {row[0] for row in store.execute("SELECT id FROM file UNION SELECT id FROM piece")}
    gone = sorted(stored_ids - {one["id"] for one in scope})
    store.execute("BEGIN")
    store.executemany("DELETE FROM file WHERE id = ?", [(one,) for one in gone])
    store.executemany("DELETE FROM piece WHERE id = ?", [(one,) for one in gone])
    store.execute("COMMIT")


async def _fetch_file(device: Device, run: SyncRun, store: sqlite3.Connection, one: JsonDict) -> bool:
    try:
        await _fetch_pieces(device, run, store, one)
    except VaultError as refused:
        if refused.record_id is None:
            raise  # not about this file: a session that ended, a policy
        return _report_file_error(device, run, one, refused.to_dict())
    device.env.fault_point("media.file")
    if _checksum(_read_content(store, one["id"], one["version"])) != one["checksum"]:
        store.execute("DELETE FROM piece WHERE id = ? AND version = ?", (one["id"], one["version"]))
        words = f"The file [{one['name']}] came damaged and will be fetched again"
        return _report_file_error(device, run, one, {"type": "LOCAL_FILE_DAMAGED", "message": words})
    _store_file(store, one)
    return True


async def _fetch_pieces(device: Device, run: SyncRun, store: sqlite3.Connection, one: JsonDict) -> None:
    """Download the missing pieces, continuing after the last attempt."""
    query = "SELECT coalesce(sum(length(content)), 0) FROM piece WHERE id = ? AND version = ?"
    at = int(store.execute(query, (one["id"], one["version"])).fetchone()[0])
    while at < one["size"]:
        request = {"verb": "file", "file": one["id"], "version": one["version"], "at": at}
        head, body = await request_binary(device, run, request)
        content = bytes(body)
        if not content or len(content) != head["size"]:
            words = f"A piece of the file [{one['name']}] came incomplete"
            raise TransportError("INVALID_RESPONSE", words, transient=False)
        device.env.fault_point("media.piece")
        store.execute("INSERT INTO piece VALUES (?, ?, ?, ?)", (one["id"], one["version"], at, content))
        at += len(content)


def _store_file(store: sqlite3.Connection, one: JsonDict) -> None:
    store.execute("BEGIN")
    store.execute("DELETE FROM piece WHERE id = ? AND version <> ?", (one["id"], one["version"]))
    names = ("id", "record", "object", "name", "kind", "version", "size")
    store.execute("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?, ?)", [one[name] for name in names])
    store.execute("COMMIT")


def _read_content(store: sqlite3.Connection, file_id: str, version: int) -> bytes:
    rows = store.execute(
        "SELECT content FROM piece WHERE id = ? AND version = ? ORDER BY at", (file_id, version)
    )
    return b"".join(row[0] for row in rows)


def _checksum(content: bytes) -> str:
    return blake2b(content, digest_size=8).hexdigest()


def _report_file_error(device: Device, run: SyncRun, one: JsonDict, error: JsonDict) -> bool:
    subject = f"media|{one['id']}/{one['version']}"
    report_error(
        device,
        run,
        error,
        subject=subject,
        operation="download",
        object_name=one["object"],
        record_id=one["record"],
    )
    return False
