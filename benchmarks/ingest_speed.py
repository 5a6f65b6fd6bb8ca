"""How fast files come in, against DuckDB's own reader in the same run.

    python benchmarks/ingest_speed.py [--rows 5000000] [--forms csv,jsonl,parquet]

The file has one bad row in a hundred. The raw reader puts it into a table of the contract's types and skips
what it cannot read; `load` holds every row against the contract, keeps each bad row with its reasons, looks
for doubles and writes the account. Each load runs in a separate process, so that its peak memory is measured alone.
Seconds are those of the wall, and in brackets those of the processors, which others on the machine disturb less.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb

from ingest import CONTRACTS

TYPES = {"text": "VARCHAR", "flag": "BOOLEAN", "integer": "BIGINT", "number": "DOUBLE", "time": "TIMESTAMP"}

LOAD = """
import json, resource, sys, time
from ingest import load
started, busy = time.perf_counter(), time.process_time()
(report,) = load(sys.argv[1], sys.argv[2])
seconds, busy = time.perf_counter() - started, time.process_time() - busy
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": seconds, "busy": busy, "peak": peak, **report.to_dict()}))
"""

RAW = """
import json, sys, time, duckdb
store = duckdb.connect(sys.argv[2])
store.execute("SET enable_progress_bar = false")
started, busy = time.perf_counter(), time.process_time()
store.execute("CREATE TABLE raw AS " + sys.argv[1])
store.close()
print(json.dumps({"seconds": time.perf_counter() - started, "busy": time.process_time() - busy}))
"""


def generate(rows: int, folder: Path, forms: list[str], *, name: str = "sync", first: int = 0) -> None:
    made = f"""
        SELECT 'V5X' || lpad(CAST(i AS VARCHAR), 12, '0') AS id,
        'ST-' || lpad(CAST(i AS VARCHAR), 9, '0') AS name__v,
        CAST(41000 + i % 997 AS VARCHAR) AS created_by__v,
        strftime(t, '%Y-%m-%dT%H:%M:%S.000Z') AS created_date__v,
        strftime(t + to_seconds({first}), '%Y-%m-%dT%H:%M:%S.000Z') AS modified_date__v,
        'incremental_sync__v' AS sync_type__v, 'true' AS refresh_mode__v,
        CASE WHEN i % 100 = 3 THEN 'yesterday' ELSE strftime(t - to_seconds(90), '%Y-%m-%dT%H:%M:%S.000Z') END
            AS sync_start_datetime__v,
        strftime(t - to_seconds(1), '%Y-%m-%dT%H:%M:%S.000Z') AS sync_completed_datetime__v,
        CAST(i % 900 AS VARCHAR) AS sync_duration__v, CASE WHEN i % 17 = 0 THEN 'false' ELSE 'true' END
            AS successful_sync__v, 'false' AS sync_canceled__v, 'true' AS upload_processed__v,
        'true' AS download_processed__v, CAST(i % 30 AS VARCHAR) AS number_of_uploads__v,
        CAST(i % 3 AS VARCHAR) AS number_of_upload_errors__v, '0' AS number_of_retries__v,
        CAST(i % 31 AS VARCHAR) AS number_of_vtrans__v, '263.0.105' AS version__v
        FROM (SELECT i, TIMESTAMP '2026-01-01' + to_seconds(i * 7 % 20000000) AS t FROM range({rows}) AS r(i))
    """
    formats = {"csv": "FORMAT csv, HEADER", "jsonl": "FORMAT json", "parquet": "FORMAT parquet"}
    for form in forms:
        duckdb.connect().execute(f"COPY ({made}) TO '{folder / name}.{form}' ({formats[form]})")


def raw_statement(path: Path) -> str:
    names = duckdb.sql(f"DESCRIBE FROM '{path}'").fetchall()
    kinds = {column.name: TYPES[column.kind] for column in CONTRACTS["sync_tracking__v"].columns}
    typed = ", ".join(f"'{name}': '{kinds[name]}'" for name, *_ in names)
    match path.suffix:
        case ".csv":
            shape = f"columns = {{{typed}}}, header = true, auto_detect = false, ignore_errors = true"
            return f"FROM read_csv('{path}', {shape})"
        case ".jsonl":
            shape = f"columns = {{{typed}}}, format = 'newline_delimited', ignore_errors = true"
            return f"FROM read_json('{path}', {shape})"
        case _:
            casts = ", ".join(f"TRY_CAST({name} AS {kinds[name]}) AS {name}" for name, *_ in names)
            return f"SELECT {casts} FROM read_parquet('{path}')"


def run(script: str, *arguments: object) -> str:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def took(report: dict[str, float]) -> str:
    return f"{report['seconds']:.1f} s ({report['busy']:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--forms", default="csv,jsonl,parquet")
    options = parser.parse_args()
    forms = options.forms.split(",")
    print("| form | rows | raw reader | load | ratio | peak memory | rejected |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for form in forms:
            generate(options.rows, folder, [form])
            path = folder / f"sync.{form}"
            raw = json.loads(run(RAW, raw_statement(path), folder / f"raw-{form}.duckdb"))
            (folder / f"raw-{form}.duckdb").unlink()
            report = json.loads(run(LOAD, path, folder / f"{form}.duckdb"))
            ratios = f"{raw['seconds'] / report['seconds']:.2f} ({raw['busy'] / report['busy']:.2f})"
            line = f"{took(raw)} | {took(report)} | {ratios} | {report['peak']:.0f} MB"
            print(f"| {form} | {options.rows:,} | {line} | {report['rows_rejected']:,} |", flush=True)
            path.unlink()
            if form == "csv":
                generate(100_000, folder, ["csv"], name="newer", first=3600)
                report = json.loads(run(LOAD, folder / "newer.csv", folder / "csv.duckdb"))
                line = f"100,000 into {options.rows:,} | | {took(report)} | | {report['peak']:.0f} MB"
                print(f"| upsert | {line} | |", flush=True)
                assert report["rows_updated"] == 99_000
            (folder / f"{form}.duckdb").unlink()


if __name__ == "__main__":
    main()
