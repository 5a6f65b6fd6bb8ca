"""Export the store as a data lake of Parquet files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from ingest.errors import ExportTargetNotEmpty

PARTITIONED_BY = {
    "sync_tracking__v": "sync_start_datetime__v",
    "sync_error": "occurred_at",
}
"""Tables partitioned by day, and the column with the time."""

TABLES = (
    "sync_tracking__v",
    "sync_error",
    "sync_detail",
    "config_change",
    "sync_user",
    "device",
    "pending_record",
    "finding",
    "sync_finding",
    "object_field",
    "picklist_value",
    "permission_grant",
    "vmoc",
    "veeva_setting",
)
"""Exported tables. The ground truth of a simulation stays in the store."""

_MARK = "_SYNCLENS_LAKE"
_WHOLE = "*"  # the only part of a table without partitions

Parts = Mapping[str, str]
"""The parts of a table (days, or _WHOLE), each with a fingerprint of its rows."""


def export_lake(store: DuckDBPyConnection, directory: Path | str) -> dict[str, int]:
    """Export the store to Parquet, Hive-partitioned by UTC day (`day=2026-11-02`); return rows per table.

    Later exports only write days whose rows changed; other days become hard links, or copies if the disk
    supports no links. The new lake is built beside the old one and replaces it with two renames; if the second
    rename fails, the old lake is restored. Needs a connection with access to files. Raises
    ExportTargetNotEmpty for a directory with other files.
    """
    directory = Path(directory)
    if directory.exists() and any(directory.iterdir()) and not is_lake(directory):
        raise ExportTargetNotEmpty(str(directory))
    fresh, old = (directory.with_name(f".{directory.name}.{what}-{os.getpid()}") for what in ("new", "old"))
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        exported_parts: Mapping[str, Parts] = _read_mark(directory).get("parts", {})
        parts = {table: _parts(store, table) for table in TABLES}
        for table in TABLES:
            _write(
                store, table, parts[table], fresh / table, directory / table, exported_parts.get(table, {})
            )
        mark = {"parts": parts, "loaded": _loaded(store)}
        (fresh / _MARK).write_text(json.dumps(mark) + "\n", encoding="utf-8")
        _replace(fresh, directory, old)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    return {table: _count(store, table) for table in TABLES}


def is_lake(directory: Path) -> bool:
    """Return whether `export_lake` wrote a directory."""
    return (directory / _MARK).is_file()


def loaded_until(directory: Path) -> datetime | None:
    """Return when the newest load in a lake ended, in UTC without a zone; None if the lake has no such time."""
    loaded = _read_mark(directory).get("loaded")
    return datetime.fromisoformat(loaded) if isinstance(loaded, str) else None


def _loaded(store: DuckDBPyConnection) -> str | None:
    newest = store.execute("SELECT max(finished_at) FROM ingest_batch").fetchall()[0][0]
    return newest.isoformat() if newest is not None else None


def _replace(fresh: Path, directory: Path, old: Path) -> None:
    if not directory.exists():
        fresh.rename(directory)
        return
    directory.rename(old)
    try:
        fresh.rename(directory)
    except OSError:
        old.rename(directory)
        raise


def _read_mark(directory: Path) -> Mapping[str, Any]:
    """Return the state file of a lake; empty if there is no lake, or one of an older version."""
    try:
        state = json.loads((directory / _MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _parts(store: DuckDBPyConnection, table: str) -> Parts:
    """Return the fingerprint of each part: its columns, its row count, and the sum and XOR of its row hashes.

    The order of rows does not matter.
    """
    part = f"strftime({PARTITIONED_BY[table]}, '%Y-%m-%d')" if table in PARTITIONED_BY else f"'{_WHOLE}'"
    columns = [name for name, *_ in store.execute(f"DESCRIBE {table}").fetchall()]
    row = f"hash({', '.join(columns)})"
    parts = store.execute(
        f"SELECT {part}, concat_ws(' ', version(), count(*), sum({row}::HUGEINT), bit_xor({row}))"
        f" FROM {table} GROUP BY 1 ORDER BY 1"
    ).fetchall()
    return {day: f"{' '.join(columns)} {fingerprint}" for day, fingerprint in parts} or {_WHOLE: "empty"}


def _write(  # noqa: PLR0917 - two folders and the parts of each
    store: DuckDBPyConnection, table: str, parts: Parts, folder: Path, previous_folder: Path, exported: Parts
) -> None:
    folder.mkdir()
    unchanged = {
        part
        for part, fingerprint in parts.items()
        if exported.get(part) == fingerprint and previous_folder.is_dir()
    }
    for part in sorted(unchanged):
        name = "" if part == _WHOLE else f"day={part}"
        shutil.copytree(previous_folder / name, folder / name, copy_function=_link, dirs_exist_ok=True)
    changed = sorted(parts.keys() - unchanged)
    if changed == [_WHOLE]:
        store.execute(f"COPY {table} TO $file (FORMAT parquet)", {"file": str(folder / "data_0.parquet")})
    elif changed:
        day = f"strftime({PARTITIONED_BY[table]}, '%Y-%m-%d')"
        rows = f"SELECT *, {day} AS day FROM {table} WHERE list_contains($days, {day}) ORDER BY day"
        store.execute(
            f"COPY ({rows}) TO $folder (FORMAT parquet, PARTITION_BY (day), OVERWRITE_OR_IGNORE)",
            {"folder": str(folder), "days": changed},
        )


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _count(store: DuckDBPyConnection, table: str) -> int:
    (count,) = store.execute(f"SELECT count(*) FROM {table}").fetchone() or (0,)
    return int(count)
