"""The way out: the store as a lake of Parquet files that any other engine can read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from duckdb import DuckDBPyConnection

from ingest.errors import LakeInTheWay

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


def export_lake(store: DuckDBPyConnection, directory: Path | str) -> dict[str, int]:
    """Write the store as Parquet, Hive-partitioned by UTC day (`day=2026-11-02`), and give rows per table.

    The new lake replaces an older one at once: it is written beside it and renamed. A directory that is not
    a lake of ours is left alone. Raises LakeInTheWay. Needs a connection with access to files.
    """
    directory = Path(directory)
    if directory.exists() and any(directory.iterdir()) and not (directory / _MARK).exists():
        raise LakeInTheWay(str(directory))
    fresh, old = (directory.with_name(f".{directory.name}.{what}-{os.getpid()}") for what in ("new", "old"))
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        rows = {table: _export(store, table, fresh / table) for table in TABLES}
        (fresh / _MARK).write_text("1\n", encoding="utf-8")
        if directory.exists():
            directory.rename(old)
        fresh.rename(directory)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return rows


def _export(store: DuckDBPyConnection, table: str, folder: Path) -> int:
    (count,) = store.execute(f"SELECT count(*) FROM {table}").fetchone() or (0,)
    day = PARTITIONED_BY.get(table)
    if day and count:
        rows = f"SELECT *, strftime({day}, '%Y-%m-%d') AS day FROM {table} ORDER BY {day}"
        store.execute(
            f"COPY ({rows}) TO $folder (FORMAT parquet, PARTITION_BY (day))", {"folder": str(folder)}
        )
        return int(count)
    folder.mkdir()
    store.execute(f"COPY {table} TO $file (FORMAT parquet)", {"file": str(folder / "data_0.parquet")})
    return int(count)
