"""Files of the Vault: CLM media and attachments.

Media files belong to key messages, attachments to other records. A new version replaces the whole file. A file is
in the scope of a device if its record is, and if either the record's object contains media, or the object allows
attachments and its VMOC includes them.
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
"""Maximum bytes of a file in one reply. An interrupted download resumes at the last piece."""
MEDIA, ATTACHMENT = "media", "attachment"


def add_media_objects(vault: Vault) -> None:
    """Add and publish presentations and key messages for all users, each with a VMOC."""
    presentation = object_definition(
        "clm_presentation__v", {"name__v": text(required=True)}, sharing="public"
    )
    message = object_definition(
        "key_message__v",
        {"name__v": text(required=True), "clm_presentation__v": reference("clm_presentation__v")},
        sharing="public",
        media=True,
    )
    for definition in (presentation, message):
        vault.configure("object", definition["name"], definition)
        vault.configure("vmoc", definition["name"], vmoc(definition["name"], "full_object__v"))
    vault.publish()


def attach_file(vault: Vault, record_id: str, name: str, content: bytes) -> str:
    """Attach a file to a record and return the file id.

    If the record has a file of this name, the content becomes its new version. A file that is attached again after
    its removal has a new id, because versions of one file only increase.
    """
    number = vault.next_value("file")
    existing_row = vault.db.execute(
        "SELECT id FROM file WHERE record = ? AND name = ?", (record_id, name)
    ).fetchone()
    file_id = existing_row[0] if existing_row else f"F{short_hash(record_id, name, number)}"
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
    """Return the checksum of a file, which device and Vault compare."""
    return blake2b(content, digest_size=8).hexdigest()


def count_changes(vault: Vault) -> int:
    """Return the number of file changes so far. 0 means that no file ever existed."""
    return vault.current_value("file")


def list_files(vault: Vault, scope: Scope) -> list[JsonDict]:
    """Return the files in the scope without their content, sorted by id."""
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
    return sorted(files, key=lambda file: str(file["id"]))


def read_piece(vault: Vault, scope: Scope, message: JsonDict) -> tuple[JsonDict, bytes]:
    """Return one piece of a file, starting at an offset.

    Raises VaultError if the scope has no such file in this version.
    """
    row = _find_file(vault, scope, message["file"])
    if row is None or row[0] != message["version"]:
        error_message = f"The file [{message['file']}] does not exist in version [{message['version']}]"
        raise VaultError(
            "INVALID_DATA", error_message, cause="record-deleted", record_id=str(message["file"])
        )
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
    """Return the file kind of each object whose files are in the scope."""
    media = {name for name in scope.rules if vault.live["object"][name].get("media")}
    attached = {name for name, rule in scope.rules.items() if rule.attachments}
    return {name: MEDIA if name in media else ATTACHMENT for name in sorted(media | attached)}
