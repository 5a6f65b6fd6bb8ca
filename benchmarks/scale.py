"""How the store and every metric grow with the number of syncs, on DuckDB and optionally on Spark.

    python -m benchmarks.scale FOLDER [--syncs 1000000,10000000] [--ask success_rate,health,...] [--memory 8GB]
                               [--spark] [--keep]

The first million is drawn by tests/support/synthetic.py (one error in 20 syncs, one device for 500 syncs, 90 days);
a larger store holds that fleet many times over, each time with different users, devices and ids.
Each figure comes from a separate process, so that its peak memory is measured alone, and no figure is warmed by the
one before it, other than by the file cache of the machine. Work of Spark's JVM is not in the figures for
memory and CPU. On a busy machine, trust `cpu_seconds` (of all threads). With `--memory` DuckDB may hold that
much and writes the rest beside the store while it works. The answer is one JSON line per figure, on stdout.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from duckdb import DuckDBPyConnection

from analysis import METRICS
from tests.support.synthetic import fill

SYNCS_PER_ERROR = 20
SYNCS_PER_DEVICE = 500
DAYS = 90
DRAWN = 1_000_000
# The columns that distinguish the copies of a row, in each table that grows with the fleet.
IDENTITY = {
    "sync_user": ("user_id",),
    "device": ("device_id", "user_id"),
    "sync_tracking__v": ("id", "created_by__v"),
    "sync_detail": ("sync_id", "user_id", "device_id"),
    "sync_error": ("event_id", "sync_id", "user_id", "device_id", "record_id"),
    "finding": ("event_id",),
    "pending_record": ("device_id", "user_id", "record_id", "parent_record_id"),
}
QUESTIONS = ("health", "list_issues", "list_devices")

# Lines above the dashes are not counted: imports, and for Spark the start of its JVM.
_FILL = """
import sys
from benchmarks.scale import fill_store
from ingest import open_store
# ---
with open_store(sys.argv[1], read_only=False) as store:
    fill_store(store, int(sys.argv[2]))
"""
_ASK = """
import sys
import duckdb
import analysis
from ingest import open_store
def opened(path, memory):
    if not memory:
        return open_store(path)
    store = duckdb.connect(path, read_only=True, config={"memory_limit": memory})
    store.execute("SET enable_progress_bar = false; SET TimeZone = 'UTC'")
    return store
# ---
with opened(sys.argv[1], sys.argv[3]) as store:
    question = getattr(analysis, sys.argv[2], None)
    answer = question(store) if question else analysis.measure(store, sys.argv[2])
"""
_EXPORT = """
import sys
from ingest import export_lake, open_store
# ---
with open_store(sys.argv[1], read_only=False) as store:
    export_lake(store, sys.argv[2])
"""
_SPARK = """
import sys
from synclens.spark import SparkStore, spark_session
starting = spark_session(master="local[2]")
session = starting.__enter__()
# ---
SparkStore.at(session, sys.argv[1]).measure(sys.argv[2])
"""
_TIMED = """
import json as _json, resource as _resource, time as _time
{before}
_begun, _worked = _time.perf_counter(), _time.process_time()
{counted}
_seconds, _cpu = _time.perf_counter() - _begun, _time.process_time() - _worked
_peak = _resource.getrusage(_resource.RUSAGE_SELF).ru_maxrss  # KiB on Linux
print(_json.dumps({{"seconds": round(_seconds, 3), "cpu_seconds": round(_cpu, 3), "peak_mb": round(_peak / 1024)}}))
"""


def fill_store(store: DuckDBPyConnection, syncs: int) -> None:
    """Fill an empty store with about so many syncs."""
    drawn = min(syncs, DRAWN)
    errors, devices = drawn // SYNCS_PER_ERROR, max(1, drawn // SYNCS_PER_DEVICE)
    fill(store, syncs=drawn, errors=errors, devices=devices, days=DAYS)
    copies = syncs // drawn
    for table, columns in IDENTITY.items() if copies > 1 else ():
        own = ", ".join(f"{column} || '-' || copy AS {column}" for column in columns)
        kept = ", ".join(column for column in columns)
        store.execute(
            f"INSERT INTO {table} BY NAME SELECT * EXCLUDE ({kept}, copy), {own}"
            f" FROM {table} CROSS JOIN range(1, {int(copies)}) AS t(copy)"
        )


def timed(code: str, *arguments: object) -> dict[str, object]:
    """Run code in a separate process; return its seconds and peak MB, or the last line of its error."""
    before, counted = code.split("# ---")
    script = _TIMED.format(before=before, counted=counted)
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]}
    usage: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return usage


def size_mb(path: Path) -> int:
    """Return the size of a file or a folder on disk, in MB."""
    parts = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return round(sum(one.stat().st_size for one in parts) / 1e6)


def figures(
    folder: Path, syncs: int, names: Sequence[str], *, memory: str = "", spark: bool = False
) -> Iterator[dict[str, object]]:
    """Fill a store with `syncs` syncs and yield its figures."""
    store, lake = folder / f"{syncs}.duckdb", folder / f"{syncs}.lake"
    if not store.exists():
        yield {"what": "fill", **timed(_FILL, store, syncs)}
    yield {"what": "store", "disk_mb": size_mb(store)}
    for name in names:
        yield {"what": name, "engine": "duckdb", **timed(_ASK, store, name, memory)}
    if spark:
        if not lake.exists():
            yield {"what": "export", **timed(_EXPORT, store, lake)}
        yield {"what": "lake", "disk_mb": size_mb(lake)}
        for name in (name for name in names if name in METRICS):
            yield {"what": name, "engine": "spark", **timed(_SPARK, lake, name)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the sizes named on the command line, the smallest first."""
    parser = argparse.ArgumentParser(description="Measure how everything grows.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--syncs", default="1000000,10000000")
    parser.add_argument(
        "--ask", default=",".join((*METRICS, *QUESTIONS)), help="metrics and questions, by name"
    )
    parser.add_argument(
        "--memory", default="", help="what DuckDB may hold, such as 8GB; else four fifths of all"
    )
    parser.add_argument("--spark", action="store_true", help="export a lake and ask Spark too")
    parser.add_argument("--keep", action="store_true", help="leave the stores for another look")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    for syncs in sorted(map(int, options.syncs.split(","))):
        for figure in figures(
            options.folder, syncs, options.ask.split(","), memory=options.memory, spark=options.spark
        ):
            print(json.dumps({"syncs": syncs, **figure}), flush=True)
        if not options.keep:
            (options.folder / f"{syncs}.duckdb").unlink()


if __name__ == "__main__":
    main()
