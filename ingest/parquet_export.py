"""The way out: the store as a lake of Parquet files that any other engine can read."""

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
"""Tables that are cut into one folder per day, and the column that has the day."""

TABLES = (
    "sync_tracking__v",
    "sync_error",
    "sync_detail",
    "config_change",
    "sync_user",
    "device",
    "pending_record",
    "finding",
    "object_field",
    "picklist_value",
    "permission_grant",
    "vmoc",
    "veeva_setting",
)
"""Tables that are exported. What only a simulation knows stays in the store."""

_MARK = "_SYNCLENS_LAKE"
_WHOLE = "*"  # the part of a table that is not cut

Parts = Mapping[str, str]
"""The parts of a table (days, or _WHOLE) and what tells whether their rows are the same as before."""


def export_lake(store: DuckDBPyConnection, directory: Path | str) -> dict[str, int]:
    """Write the store as Parquet, Hive-partitioned by UTC day (`day=2026-11-02`), and give rows per table.

    Only days whose rows changed since the last export are written; the others are taken over as they lie (hard
    links, copies where a disk has none). The new lake is built beside the old one and put in its place by two
    renames; if the second fails the old one comes back. A directory that is not a lake of ours is left alone.
    Raises ExportTargetNotEmpty. Needs a connection with access to files.
    """
    directory = Path(directory)
    if directory.exists() and any(directory.iterdir()) and not is_lake(directory):
        raise ExportTargetNotEmpty(str(directory))
    fresh, old = (directory.with_name(f".{directory.name}.{what}-{os.getpid()}") for what in ("new", "old"))
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        known: Mapping[str, Parts] = _read_mark(directory).get("parts", {})
        parts = {table: _parts(store, table) for table in TABLES}
        for table in TABLES:
            _write(store, table, parts[table], fresh / table, directory / table, known.get(table, {}))
        mark = {"parts": parts, "loaded": _loaded(store)}
        (fresh / _MARK).write_text(json.dumps(mark) + "\n", encoding="utf-8")
        _put(fresh, directory, old)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    return {table: _count(store, table) for table in TABLES}


def is_lake(directory: Path) -> bool:
    """Say whether a directory is a lake that `export_lake` wrote."""
    return (directory / _MARK).is_file()


def loaded_until(directory: Path) -> datetime | None:
    """Say when the newest load ended that is in a lake, UTC without a zone; None where the lake does not tell."""
    told = _read_mark(directory).get("loaded")
    return datetime.fromisoformat(told) if isinstance(told, str) else None


def _loaded(store: DuckDBPyConnection) -> str | None:
    newest = store.execute("SELECT max(finished_at) FROM ingest_batch").fetchall()[0][0]
    return newest.isoformat() if newest is not None else None


def _put(fresh: Path, directory: Path, old: Path) -> None:
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
    """What the lake that lies there says of itself; nothing where there is none, or one of an older kind."""
    try:
        told = json.loads((directory / _MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _parts(store: DuckDBPyConnection, table: str) -> Parts:
    """Fingerprint each part of a table: its columns, its count and two sums over the hashes of its rows.

    The order of rows plays no part. A hash of 64 bits that is added and one that is XORed: rows that change
    and leave both as they were are not to be feared.
    """
    part = f"strftime({PARTITIONED_BY[table]}, '%Y-%m-%d')" if table in PARTITIONED_BY else f"'{_WHOLE}'"
    columns = [name for name, *_ in store.execute(f"DESCRIBE {table}").fetchall()]
    row = f"hash({', '.join(columns)})"
    found = store.execute(
        f"SELECT {part}, concat_ws(' ', version(), count(*), sum({row}::HUGEINT), bit_xor({row}))"
        f" FROM {table} GROUP BY 1 ORDER BY 1"
    ).fetchall()
    return {day: f"{' '.join(columns)} {told}" for day, told in found} or {_WHOLE: "empty"}


def _write(  # noqa: PLR0917 - two places and what is known of each
    store: DuckDBPyConnection, table: str, parts: Parts, folder: Path, before: Path, known: Parts
) -> None:
    folder.mkdir()
    same = {part for part, told in parts.items() if known.get(part) == told and before.is_dir()}
    for part in sorted(same):
        name = "" if part == _WHOLE else f"day={part}"
        shutil.copytree(before / name, folder / name, copy_function=_link, dirs_exist_ok=True)
    changed = sorted(parts.keys() - same)
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
