"""Back up a store and its triage decisions to one file with checksums, and restore it.

A backup is a ZIP with at most two members and a manifest of their SHA-256 checksums. Restoring reads exactly these
members by name, so an untrusted archive cannot write anywhere else.
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
    """A backup cannot be created or restored."""


@dataclass(frozen=True, slots=True)
class BackupInfo:
    """When a backup was created, by which version, and the size of each part in bytes."""

    created_at: str
    synclens: str
    sizes: dict[str, int]


def create_backup(store: Path, target: Path, *, clock: Callable[[], datetime]) -> BackupInfo:
    """Write the store and its triage state to `target`, completely or not at all.

    The store stays open for reading, so that no load can change it during the copy. Raises BackupError if `target`
    exists, and the errors of `ingest.open_store`.
    """
    if target.exists():
        raise BackupError(f"{target} already exists", next_step="Choose another name, or remove it first.")
    with tempfile.TemporaryDirectory(dir=target.parent) as folder, ingest.open_store(store):
        parts = [_copy_file(store, Path(folder) / STORE)]
        triage = triage_path(store)
        if triage.exists():
            parts.append(_copy_sqlite(triage, Path(folder) / TRIAGE))
        manifest = {
            "made_at": clock().isoformat(),
            "synclens": version("synclens"),
            "sha256": {part.name: _sha256(part) for part in parts},
        }
        archive_path = Path(folder) / "backup.zip"
        with zipfile.ZipFile(archive_path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr(MANIFEST, json.dumps(manifest, indent=1))
            for part in parts:
                archive.write(part, part.name)
        sizes = {part.name: part.stat().st_size for part in parts}
        archive_path.replace(target)
    return BackupInfo(str(manifest["made_at"]), str(manifest["synclens"]), sizes)


def restore_backup(source: Path, store: Path, *, overwrite: bool = False) -> BackupInfo:
    """Restore a backup to `store`. Refuses to replace an existing store unless `overwrite` is set.

    Each part is extracted next to its target and verified before an existing file is replaced. Raises BackupError if
    the file is not a backup, is damaged, or would overwrite a store.
    """
    targets = {STORE: store, TRIAGE: triage_path(store)}
    existing = [str(path) for path in targets.values() if path.exists()]
    if existing and not overwrite:
        raise BackupError(
            f"{' and '.join(existing)} would be overwritten",
            next_step="Choose another --store, or pass --overwrite (after backing up the existing one).",
        )
    with tempfile.TemporaryDirectory(dir=store.parent) as folder:
        manifest, parts = _extract(source, Path(folder), set(targets))
        sizes = {part.name: part.stat().st_size for part in parts}
        for path in targets.values():
            path.unlink(missing_ok=True)
        for part in parts:
            part.replace(targets[part.name])
    return BackupInfo(str(manifest["made_at"]), str(manifest["synclens"]), sizes)


def _extract(source: Path, folder: Path, part_names: set[str]) -> tuple[dict[str, object], list[Path]]:
    try:
        with zipfile.ZipFile(source) as archive:
            manifest = json.loads(archive.read(MANIFEST))
            checksums = {
                name: checksum for name, checksum in manifest["sha256"].items() if name in part_names
            }
            for name in checksums:
                with archive.open(name) as packed, (folder / name).open("wb") as out:
                    shutil.copyfileobj(packed, out)
            damaged = [name for name, checksum in checksums.items() if _sha256(folder / name) != checksum]
            if damaged or STORE not in checksums:
                raise BackupError(
                    f"{source} is damaged: {', '.join(damaged) or STORE + ' is missing'}",
                    next_step="Restore an older backup.",
                )
            return manifest, [folder / name for name in checksums]
    except (zipfile.BadZipFile, KeyError, TypeError, AttributeError, ValueError, EOFError) as error:
        raise BackupError(
            f"{source} is not a SyncLens backup, or it is damaged",
            next_step="Pass a file that `synclens backup` wrote.",
        ) from error


def _copy_file(source: Path, target: Path) -> Path:
    shutil.copyfile(source, target)
    return target


def _copy_sqlite(source: Path, target: Path) -> Path:
    # SQLite's backup API includes the write-ahead log; a file copy would not.
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)
    return target


def _sha256(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
