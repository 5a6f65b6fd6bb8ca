"""Backup and restore: the store and what people decided about it, in one file that proves itself.

A backup is a ZIP of at most two members and a manifest with their SHA-256. Restoring reads exactly those
members by name, so an archive from a stranger cannot write anywhere else.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import ingest
from analysis.triage.database import triage_path

STORE, TRIAGE, MANIFEST = "store.duckdb", "triage.sqlite", "manifest.json"


class BackupError(ingest.IngestError):
    """A backup cannot be made or restored as it was asked for."""


@dataclass(frozen=True, slots=True)
class BackupInfo:
    """What a backup holds: when it was made, by which version, and the size of each part in bytes."""

    made_at: str
    synclens: str
    sizes: dict[str, int]


def create_backup(store: Path, target: Path, *, clock: Callable[[], datetime]) -> BackupInfo:
    """Write the store and its triage state to `target`; nothing half-written is ever left there.

    The store is held open for reading meanwhile, so no load can change it under the copy.
    Raises BackupError when `target` exists, and whatever `ingest.open_store` raises.
    """
    if target.exists():
        raise BackupError(f"{target} exists already", next_step="Choose another name, or remove it first.")
    with tempfile.TemporaryDirectory(dir=target.parent) as room, ingest.open_store(store):
        parts = [_copied(store, Path(room) / STORE)]
        triage = triage_path(store)
        if triage.exists():
            parts.append(_sqlite_copied(triage, Path(room) / TRIAGE))
        manifest = {
            "made_at": clock().isoformat(),
            "synclens": version("synclens"),
            "sha256": {part.name: _sha256(part) for part in parts},
        }
        whole = Path(room) / "backup.zip"
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr(MANIFEST, json.dumps(manifest, indent=1))
            for part in parts:
                archive.write(part, part.name)
        sizes = {part.name: part.stat().st_size for part in parts}
        whole.replace(target)
    return BackupInfo(str(manifest["made_at"]), str(manifest["synclens"]), sizes)


def restore_backup(source: Path, store: Path, *, overwrite: bool = False) -> BackupInfo:
    """Bring a backup back as the store at `store`; an existing one is replaced only when told so.

    Each part is unpacked beside its place and checked against the manifest before anything is replaced.
    Raises BackupError when the file is not a backup, is damaged, or would overwrite.
    """
    places = {STORE: store, TRIAGE: triage_path(store)}
    taken = [str(place) for place in places.values() if place.exists()]
    if taken and not overwrite:
        raise BackupError(
            f"{' and '.join(taken)} would be overwritten",
            next_step="Give another --store, or say --overwrite (make a backup of it first).",
        )
    with tempfile.TemporaryDirectory(dir=store.parent) as room:
        manifest, parts = _unpacked(source, Path(room), set(places))
        sizes = {part.name: part.stat().st_size for part in parts}
        for leftover in places.values():
            leftover.unlink(missing_ok=True)
        for part in parts:
            part.replace(places[part.name])
    return BackupInfo(str(manifest["made_at"]), str(manifest["synclens"]), sizes)


def _unpacked(source: Path, room: Path, known: set[str]) -> tuple[dict[str, object], list[Path]]:
    try:
        with zipfile.ZipFile(source) as archive:
            manifest = json.loads(archive.read(MANIFEST))
            promised = {name: digest for name, digest in manifest["sha256"].items() if name in known}
            for name in promised:
                with archive.open(name) as packed, (room / name).open("wb") as out:
                    shutil.copyfileobj(packed, out)
            damaged = [name for name, digest in promised.items() if _sha256(room / name) != digest]
            if damaged or STORE not in promised:
                raise BackupError(
                    f"{source} is damaged: {', '.join(damaged) or STORE + ' is missing'}",
                    next_step="Take an older backup; this one cannot be trusted.",
                )
            return manifest, [room / name for name in promised]
    except (zipfile.BadZipFile, KeyError, TypeError, AttributeError, ValueError, EOFError) as error:
        raise BackupError(
            f"{source} is not a SyncLens backup, or it is damaged",
            next_step="Give the file that `synclens backup` wrote.",
        ) from error


def _copied(source: Path, target: Path) -> Path:
    shutil.copyfile(source, target)
    return target


def _sqlite_copied(source: Path, target: Path) -> Path:
    # SQLite's own backup sees what still stands in the write-ahead log; a file copy would not.
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)
    return target


def _sha256(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
