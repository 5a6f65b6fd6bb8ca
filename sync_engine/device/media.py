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
-- Content of files, and of versions that are not complete yet.
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
    """A selection of files in the scope to download. Files that left the scope are always deleted."""

    kinds: frozenset[str] = field(default=frozenset({"media", "attachment"}))
    new: frozenset[str] = field(
        default=frozenset({"media", "attachment"})
    )  # kinds of which new files are downloaded


ALL_FILES = FileSelection()
"""Selection of a blocking sync: all files."""
AFTER_APPLY = FileSelection(new=frozenset({"attachment"}))
"""Selection of a non-blocking sync, as documented: no new media until the user requests them."""
ALL_MEDIA = FileSelection(kinds=frozenset({"media"}), new=frozenset({"media"}))
"""Selection of the button *Download All Media*."""


def open_media_store(device: Device) -> sqlite3.Connection:
    """Open the store of the device's files."""
    store = device.env.open_store("media")
    store.executescript(MEDIA_SCHEMA)
    return store


async def fetch_files(device: Device, run: SyncRun, selection: FileSelection = ALL_FILES) -> bool:
    """Download the selected files. True if all of them are complete.

    A file that cannot be downloaded is reported, and the others are still downloaded. Raises TransportError,
    VaultError and DeviceError for problems that stop the whole phase; completed files stay.
    """
    enter_phase(device, run, "media")
    run.media_done = False
    store = open_media_store(device)
    scope = (await send_request(device, run, {"verb": "files"}))["files"]
    _delete_removed_files(store, scope)
    complete = True
    for file in scope:
        if not _needs_download(store, file, selection):
            continue
        if not device.foreground and selection is not ALL_FILES:
            return False
        complete = await _fetch_file(device, run, store, file) and complete
    run.media_done = complete
    return complete


def read_files(device: Device) -> dict[str, bytes]:
    """Return the content of every complete file on the device, by id."""
    store = open_media_store(device)
    rows = store.execute("SELECT id, version FROM file ORDER BY id").fetchall()
    return {file_id: _read_content(store, file_id, version) for file_id, version in rows}


def _needs_download(store: sqlite3.Connection, file: JsonDict, selection: FileSelection) -> bool:
    row = store.execute("SELECT version FROM file WHERE id = ?", (file["id"],)).fetchone()
    if file["kind"] not in selection.kinds or (row and row[0] == file["version"]):
        return False
    return row is not None or file["kind"] in selection.new


def _delete_removed_files(store: sqlite3.Connection, scope: list[JsonDict]) -> None:
    """Delete files that are no longer in the scope, and their incomplete pieces."""
    stored_ids = {row[0] for row in store.execute("SELECT id FROM file UNION SELECT id FROM piece")}
    removed_ids = sorted(stored_ids - {file["id"] for file in scope})
    store.execute("BEGIN")
    store.executemany("DELETE FROM file WHERE id = ?", [(file_id,) for file_id in removed_ids])
    store.executemany("DELETE FROM piece WHERE id = ?", [(file_id,) for file_id in removed_ids])
    store.execute("COMMIT")


async def _fetch_file(device: Device, run: SyncRun, store: sqlite3.Connection, file: JsonDict) -> bool:
    try:
        await _fetch_pieces(device, run, store, file)
    except VaultError as refusal:
        if refusal.record_id is None:
            raise  # the problem is not this file, but for example an ended session or a policy
        return _report_file_error(device, run, file, refusal.to_dict())
    device.env.fault_point("media.file")
    if _checksum(_read_content(store, file["id"], file["version"])) != file["checksum"]:
        store.execute("DELETE FROM piece WHERE id = ? AND version = ?", (file["id"], file["version"]))
        message = f"The file [{file['name']}] came damaged and will be fetched again"
        return _report_file_error(device, run, file, {"type": "LOCAL_FILE_DAMAGED", "message": message})
    _store_file(store, file)
    return True


async def _fetch_pieces(device: Device, run: SyncRun, store: sqlite3.Connection, file: JsonDict) -> None:
    """Download the missing pieces, continuing after the last attempt."""
    query = "SELECT coalesce(sum(length(content)), 0) FROM piece WHERE id = ? AND version = ?"
    offset = int(store.execute(query, (file["id"], file["version"])).fetchone()[0])
    while offset < file["size"]:
        request = {"verb": "file", "file": file["id"], "version": file["version"], "at": offset}
        head, body = await request_binary(device, run, request)
        content = bytes(body)
        if not content or len(content) != head["size"]:
            message = f"A piece of the file [{file['name']}] came incomplete"
            raise TransportError("INVALID_RESPONSE", message, transient=False)
        device.env.fault_point("media.piece")
        store.execute("INSERT INTO piece VALUES (?, ?, ?, ?)", (file["id"], file["version"], offset, content))
        offset += len(content)


def _store_file(store: sqlite3.Connection, file: JsonDict) -> None:
    store.execute("BEGIN")
    store.execute("DELETE FROM piece WHERE id = ? AND version <> ?", (file["id"], file["version"]))
    names = ("id", "record", "object", "name", "kind", "version", "size")
    store.execute("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?, ?)", [file[name] for name in names])
    store.execute("COMMIT")


def _read_content(store: sqlite3.Connection, file_id: str, version: int) -> bytes:
    rows = store.execute(
        "SELECT content FROM piece WHERE id = ? AND version = ? ORDER BY at", (file_id, version)
    )
    return b"".join(row[0] for row in rows)


def _checksum(content: bytes) -> str:
    return blake2b(content, digest_size=8).hexdigest()


def _report_file_error(device: Device, run: SyncRun, file: JsonDict, error: JsonDict) -> bool:
    subject = f"media|{file['id']}/{file['version']}"
    report_error(
        device,
        run,
        error,
        subject=subject,
        operation="download",
        object_name=file["object"],
        record_id=file["record"],
    )
    return False
