"""Synthetic telemetry at any size, for benchmarks, tests and page reviews.

The data is generated from a seed inside DuckDB; every row has `source = 'synthetic'`. A fleet of devices syncs on
working days; sixteen kinds of trouble (tests/support/trouble.toml) start and end at set times in a set part of the
fleet, some after a configuration change. The same arguments produce the same rows on the same version of DuckDB.
The names in `sync_type__v` are an assumption: real names are loaded from Vault's metadata.

    python -m tests.support.synthetic STORE [--syncs N] [--errors N] [--devices N] [--days N] [--seed N]
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from pathlib import Path

import pandas as pd
from duckdb import DuckDBPyConnection

from ingest.store.open import open_store

START = datetime(2026, 3, 2)  # noqa: DTZ001 - the store keeps UTC without a zone; a Monday
TABLES = (
    "sync_user",
    "device",
    "sync_tracking__v",
    "sync_detail",
    "sync_error",
    "finding",
    "engine_truth.event_cause",
    "pending_record",
    "config_change",
    "ingest_batch",
)
TROUBLE = Path(__file__).with_name("trouble.toml")
SCRIPT = Path(__file__).with_name("synthetic.sql")


@dataclass(frozen=True, slots=True)
class Filled:
    """How many rows each table got."""

    rows: dict[str, int]
    until: datetime


def fill(
    connection: DuckDBPyConnection,
    *,
    syncs: int = 20_000,
    errors: int = 2_000,
    devices: int = 200,
    days: int = 28,
    seed: int = 1,
) -> Filled:
    """Fill every table of an empty, migrated store with about `syncs` syncs and exactly `errors` errors."""
    if min(syncs, devices, days) < 1 or errors < 0:
        raise ValueError("syncs, devices and days must be at least 1, errors at least 0")
    settings = {"seed": seed, "syncs": syncs, "errors": errors, "devices": devices, "days": days}
    for name, value in settings.items():
        connection.execute(f"SET VARIABLE {name} = {int(value)}")
    connection.execute("SET VARIABLE start = ?::TIMESTAMP", [START])
    connection.register("trouble_frame", _trouble())
    connection.begin()
    try:
        for statement in SCRIPT.read_text(encoding="utf-8").split(";\n"):
            if statement.strip():
                connection.execute(statement)
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    finally:
        connection.unregister("trouble_frame")
    return Filled({table: _count(connection, table) for table in TABLES}, START + timedelta(days=days))


def issue_id_of(name: str) -> str:
    """The issue id given to one kind of trouble, shaped like a real one."""
    return blake2b(name.encode(), digest_size=6).hexdigest()


def _trouble() -> pd.DataFrame:
    kinds = tomllib.loads(TROUBLE.read_text(encoding="utf-8"))["trouble"]
    frame = pd.DataFrame(kinds)
    for column in ("object", "field", "http_status", "error_type", "change", "target", "before", "after"):
        frame[column] = frame[column].astype(object).where(frame[column].notna(), None)
    frame["issue_id"] = [issue_id_of(name) for name in frame["name"]]
    frame["kind"] = range(len(frame))
    return frame


def _count(connection: DuckDBPyConnection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill the store and print the number of rows per table."""
    parser = argparse.ArgumentParser(description="Fill a store with synthetic telemetry.")
    parser.add_argument("store", type=Path)
    for name, default in (("syncs", 20_000), ("errors", 2_000), ("devices", 200), ("days", 28), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = vars(parser.parse_args(arguments))
    with open_store(options.pop("store"), read_only=False) as store:
        filled = fill(store, **options)
    for table, rows in filled.rows.items():
        print(f"{table:26} {rows:>12,}")


if __name__ == "__main__":
    main()
