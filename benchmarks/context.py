"""What the store adds to the words: accuracy of causes with and without context, and how fast context is.

    python -m benchmarks.context accuracy [--seeds 101,102,...] [--scenarios calm,...] [--devices N] [--days N]
                                          [--keep FOLDER]
    python -m benchmarks.context speed [--errors N] [--syncs N]

`accuracy` plays every scenario of the reference engine with each seed and compares findings with the truth,
four ways: words alone and words with context, first on the messages as they came, then on masked ones: every
telling message is replaced by one that says next to nothing (MASKS), so that only context can tell causes of
the same mask apart. `--keep` stores what was played, for another run. `speed` draws synthetic errors
(tests/support/synthetic.py) and measures each context rule on all of them, classified but masked the same way, so
that every rule has as many open findings as possible. One thread of Python, two of DuckDB.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
from duckdb import DuckDBPyConnection

import ingest
from analysis.classification.context.refinement import CANDIDATE_SELECTORS, apply_rule, refine_by_context
from analysis.findings import classify_events, read_events
from ingest.config_records import ContextRow
from ingest.store.open import migrate
from sync_engine.simulator.fleet.fleet import START
from sync_engine.simulator.fleet.run import simulate_fleet
from sync_engine.simulator.fleet.scenario import SCENARIOS, load_scenario
from synclens.engine_configuration import configuration_rows
from tests.support.synthetic import fill

SEEDS = (101, 102, 103, 104, 105)
MASKS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("INSUFFICIENT_ACCESS", "You do not have access"): (
        "object-permission",
        "field-permission",
        "record-visibility",
        "schema-mismatch",
        "record-deleted",
    ),
    ("OPERATION_NOT_ALLOWED", "The operation failed"): (
        "validation-rule",
        "required-field",
        "picklist-value",
        "sync-configuration",
        "server-automation",
        "app-outdated",
    ),
    ("HTTP_401", "Unauthorized"): ("session-expired", "password-expired", "sign-in-failed"),
    ("NSURLErrorDomain -1001", "The request timed out."): ("network", "server-unavailable", "rate-limit"),
}
WAYS = ("words", "context", "masked words", "masked context")

_TRUTH = "SELECT event_id, cause AS truth FROM engine_truth.event_cause"


def opened(path: str = ":memory:") -> DuckDBPyConnection:
    """A store for writing; the caller closes it."""
    store = duckdb.connect(path)
    store.execute("SET TimeZone = 'UTC'")
    store.execute("SET threads = 2")
    migrate(store)
    return store


def play(store: DuckDBPyConnection, scenario: str, seed: int, devices: int, days: int) -> None:
    """Fill an empty store with what a scenario's devices and Vault tell, and the truth."""
    told: list[ContextRow] = []
    end = START + timedelta(days=days)
    rows = list(
        simulate_fleet(
            scenario=load_scenario(scenario),
            seed=seed,
            device_count=devices,
            days=days,
            on_end=lambda vault: told.extend(configuration_rows(vault, end)),
        )
    )
    at = datetime(2026, 1, 1, tzinfo=UTC)
    ingest.append(store, [*rows, *told], source=scenario, started_at=at, clock=lambda: at)


def mask(store: DuckDBPyConnection) -> None:
    """Replace every telling message by one that says next to nothing."""
    for (error_type, message), causes in MASKS.items():
        store.execute(
            "UPDATE sync_error SET error_type = $type, message = $message, http_status = NULL WHERE event_id IN "
            "(SELECT event_id FROM engine_truth.event_cause WHERE list_contains($causes, cause))",
            {"type": error_type, "message": message, "causes": list(causes)},
        )


def right(store: DuckDBPyConnection) -> Iterator[pd.DataFrame]:
    """Count for each true cause the events and those whose finding is right: by words, then with context."""
    events = read_events(store)
    truth = events[["event_id"]].merge(store.execute(_TRUTH).df(), on="event_id", how="left")["truth"]
    found = classify_events(events)
    for settle in (False, True):
        if settle:
            found = refine_by_context(store, events, found)
        known = pd.DataFrame({"cause": truth, "right": truth == found["cause"]}).dropna()
        yield known.groupby("cause", as_index=False).agg(events=("right", "size"), right=("right", "sum"))


def four_ways(scenario: str, seed: int, devices: int, days: int, keep: Path | None) -> pd.DataFrame:
    """Score one world in each of WAYS: a row for each way and true cause."""
    with closing(opened()) as store:
        kept = keep / f"{scenario}-{seed}-{devices}-{days}" if keep else None
        if kept and kept.exists():
            store.execute(f"ATTACH '{kept}' AS kept (READ_ONLY)")
            _copy(store)
        else:
            play(store, scenario, seed, devices, days)
            if kept:
                store.execute(f"ATTACH '{kept}' AS kept")
                store.execute("COPY FROM DATABASE memory TO kept")
                store.execute("DETACH kept")
        scored = [*right(store)]
        mask(store)
        scored += right(store)
    named = [one.assign(way=way, scenario=scenario, seed=seed) for way, one in zip(WAYS, scored, strict=True)]
    return pd.concat(named, ignore_index=True)


def _copy(store: DuckDBPyConnection) -> None:
    tables = store.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'kept' AND NOT internal"
    ).fetchall()
    for schema, table in tables:
        name = f'"{schema}"."{table}"'
        store.execute(f"DELETE FROM memory.{name}")
        store.execute(f"INSERT INTO memory.{name} BY NAME SELECT * FROM kept.{name}")


def shares(scored: pd.DataFrame, by: str) -> pd.DataFrame:
    """The share of right findings for each value of `by` and each way, and a row for all."""
    sums = scored.groupby([by, "way"], as_index=False)[["events", "right"]].sum()
    everything = scored.groupby("way", as_index=False)[["events", "right"]].sum().assign(**{by: "all"})
    sums = pd.concat([sums, everything], ignore_index=True)
    sums["share"] = sums["right"] / sums["events"]
    table = sums.pivot_table(index=by, columns="way", values="share", sort=False)
    return table[list(WAYS)].assign(events=sums[sums["way"] == WAYS[0]].set_index(by)["events"])


def accuracy(arguments: argparse.Namespace) -> None:
    """Print both tables of accuracy: by scenario, and of masked causes."""
    names = arguments.scenarios.split(",") if arguments.scenarios else sorted(SCENARIOS)
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    scored = pd.concat(
        [
            four_ways(name, seed, arguments.devices, arguments.days, arguments.keep)
            for name in names
            for seed in seeds
        ],
        ignore_index=True,
    )
    masked = [cause for causes in MASKS.values() for cause in causes]
    for title, rows, by in (
        ("every event", scored, "scenario"),
        ("events of masked causes", scored[scored["cause"].isin(masked)], "cause"),
    ):
        print(f"\n{title}, seeds {arguments.seeds}")
        print(shares(rows, by).to_string(float_format="{:.3f}".format))


def timed(store: DuckDBPyConnection) -> Iterator[tuple[str, float]]:
    """Yield the name and the seconds of each step that produces findings."""
    start = time.perf_counter()
    events = read_events(store)
    found = classify_events(events)
    yield "read and classify", time.perf_counter() - start
    for name in CANDIDATE_SELECTORS:
        start = time.perf_counter()
        apply_rule(store, events, found, name)
        yield name, time.perf_counter() - start
    said: Any = found["evidence"].map(len)
    print(f"{(said > 0).sum():,} of {len(found):,} findings have evidence")


def speed(arguments: argparse.Namespace) -> None:
    """Print the seconds of each context rule, and the peak memory of the process after it (GB)."""
    with closing(opened()) as store:
        fill(store, syncs=arguments.syncs, errors=arguments.errors, devices=2_000, days=90, seed=1)
        if arguments.masked:
            mask(store)
        for name, seconds in timed(store):
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
            print(f"{name:18} {seconds:8.2f} s   peak {peak:5.2f} GB", flush=True)


def main(given: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description="Measure what context adds, and what it costs.")
    kinds = parser.add_subparsers(required=True)
    right_share = kinds.add_parser("accuracy")
    right_share.add_argument("--seeds", default=",".join(map(str, SEEDS)))
    right_share.add_argument("--scenarios", default="")
    right_share.add_argument("--devices", type=int, default=20)
    right_share.add_argument("--days", type=int, default=14)
    right_share.add_argument("--keep", type=Path)
    right_share.set_defaults(run=accuracy)
    seconds = kinds.add_parser("speed")
    seconds.add_argument("--errors", type=int, default=1_000_000)
    seconds.add_argument("--syncs", type=int, default=1_000_000)
    seconds.add_argument("--masked", action="store_true", help="replace telling messages first")
    seconds.set_defaults(run=speed)
    arguments = parser.parse_args(given)
    arguments.run(arguments)


if __name__ == "__main__":
    main()
