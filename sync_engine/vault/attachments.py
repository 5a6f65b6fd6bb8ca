"""Files of the Vault: CLM media, which belong to key messages, and attachments of other records.

A file is replaced as a whole and then has the next version. It is in a device's scope when its record is, and either
the record's object holds media, or the object allows attachments and its VMOC includes them.
"""

from __future__ import annotations

import sqlite3
from hashlib import blake2b

from sync_engine.hashing import short_hash
from sync_engine.json_docs import JsonDict
from sync_engine.model import object_definition, reference, text
from sync_engine.protocol import VaultError
from sync_engine.vault.scope import Scope
from sync_engine.vault.state import Vault
from sync_engine.vmoc import vmoc

PIECE_BYTES = 1_000_000
"""What one reply carries of a file, so that a large one goes on where it was interrupted."""
MEDIA, ATTACHMENT = "media", "attachment"


def add_media_objects(vault: Vault) -> None:
    """Add presentations and key messages for all users, each with a VMOC, and publish them."""
    presentation = object_definition(
        "clm_presentation__v", {"name__v": text(required=True)}, sharing="public"
    )
    message = object_definition(
        "key_message__v",
        {"name__v": text(required=True), "clm_presentation__v": reference("clm_presentation__v")},
        sharing="public",
        media=True,
    )
    for one in (presentation, message):
        vault.configure("object", one["name"], one)
        vault.configure("vmoc", one["name"], vmoc(one["name"], "full_object__v"))
    vault.publish()


def attach_file(vault: Vault, record_id: str, name: str, content: bytes) -> str:
    """Attach a file to a record, or a new version of an existing one, and return its id.

    A file that is attached again after its removal gets a new id: versions of one file only grow.
    """
    number = vault.next_value("file")
    there = vault.db.execute(
        "SELECT id FROM file WHERE record = ? AND name = ?", (record_id, name)
    ).fetchone()
    file_id = there[0] if there else f"F{short_hash(record_id, name, number)}"
    vault.db.execute(
        "INSERT INTO file VALUES (?, ?, ?, 1, ?, ?, ?) ON CONFLICT DO UPDATE SET version = version + 1, "
        "size = excluded.size, checksum = excluded.checksum, content = excluded.content",
        (file_id, record_id, name, len(content), checksum(content), content),
    )
    return file_id


def remove_file(vault: Vault, file_id: str) -> None:
    """Delete a file."""
    vault.db.execute("DELETE FROM file WHERE id = ?", (file_id,))
    vault.next_value("file")


def checksum(content: bytes) -> str:
    """What both sides compare of a file."""
    return blake2b(content, digest_size=8).hexdigest()


def count_changes(vault: Vault) -> int:
    """Return how often files have changed; 0 means that there never was a file."""
    return vault.current_value("file")


def list_files(vault: Vault, scope: Scope) -> list[JsonDict]:
    """Every file of the scope, without its content, in the order of ids."""
    files: list[JsonDict] = []
    for name, kind in _file_kinds(vault, scope).items():
        condition, values = scope.condition(name)
        rows = vault.db.execute(
            "SELECT f.id, f.record, f.name, f.version, f.size, f.checksum FROM file AS f "
            f"JOIN record AS r ON r.id = f.record WHERE {condition}",
            values,
        )
        keys = ("id", "record", "name", "version", "size", "checksum")
        files += [dict(zip(keys, row, strict=True)) | {"object": name, "kind": kind} for row in rows]
    return sorted(files, key=lambda one: str(one["id"]))


def read_piece(vault: Vault, scope: Scope, message: JsonDict) -> tuple[JsonDict, bytes]:
    """A piece of a file from an offset on. Raises VaultError when the scope has no such file in this version."""
    row = _find_file(vault, scope, message["file"])
    if row is None or row[0] != message["version"]:
        words = f"The file [{message['file']}] does not exist in version [{message['version']}]"
        raise VaultError("INVALID_DATA", words, cause="record-deleted", record_id=str(message["file"]))
    content = bytes(row[1])[message["at"] : message["at"] + PIECE_BYTES]
    return {"size": len(content)}, content


def _find_file(vault: Vault, scope: Scope, file_id: str) -> sqlite3.Row | None:
    for name in _file_kinds(vault, scope):
        condition, values = scope.condition(name)
        row: sqlite3.Row | None = vault.db.execute(
            "SELECT f.version, f.content FROM file AS f JOIN record AS r ON r.id = f.record "
            f"WHERE f.id = ? AND {condition}",
            [file_id, *values],
        ).fetchone()
        if row is not None:
            return row
    return None


def _file_kinds(vault: Vault, scope: Scope) -> dict[str, str]:
    """The objects of the scope whose files belong on the device, and what these are."""
    media = {name for name in scope.rules if vault.live["object"][name].get("media")}
    attached = {name for name, rule in scope.rules.items() if rule.attachments}
    return {name: MEDIA if name in media else ATTACHMENT for name in sorted(media | attached)}
