"""Measure context rules: the accuracy of causes with and without them, and their speed.

    python -m benchmarks.context accuracy [--seeds 101,102,...] [--scenarios calm,...] [--devices N] [--days N]
                                          [--keep FOLDER]
    python -m benchmarks.context speed [--errors N] [--syncs N]

`accuracy` simulates every scenario with each seed and compares the findings with the ground truth, in four ways: by
messages alone and with context rules, first on the original messages, then on masked ones. Masked messages (MASKS)
are vague, so only context rules can distinguish the causes of one mask. `--keep` stores the simulated data for
another run. `speed` generates synthetic errors (tests/support/synthetic.py) and measures each context rule on all of
them, so that every rule has as many candidates as possible. Python uses one thread, DuckDB two.
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


def open_benchmark_store(path: str = ":memory:") -> DuckDBPyConnection:
    """Open a writable store; the caller closes it."""
    store = duckdb.connect(path)
    store.execute("SET TimeZone = 'UTC'")
    store.execute("SET threads = 2")
    migrate(store)
    return store


def simulate(store: DuckDBPyConnection, scenario: str, seed: int, devices: int, days: int) -> None:
    """Fill an empty store with the telemetry, configuration and ground truth of a scenario."""
    context: list[ContextRow] = []
    end = START + timedelta(days=days)
    rows = list(
        simulate_fleet(
            scenario=load_scenario(scenario),
            seed=seed,
            device_count=devices,
            days=days,
            on_end=lambda vault: context.extend(configuration_rows(vault, end)),
        )
    )
    at = datetime(2026, 1, 1, tzinfo=UTC)
    ingest.append(store, [*rows, *context], source=scenario, started_at=at, clock=lambda: at)


def mask(store: DuckDBPyConnection) -> None:
    """Replace clear messages by vague ones."""
    for (error_type, message), causes in MASKS.items():
        store.execute(
            "UPDATE sync_error SET error_type = $type, message = $message, http_status = NULL WHERE event_id IN "
            "(SELECT event_id FROM engine_truth.event_cause WHERE list_contains($causes, cause))",
            {"type": error_type, "message": message, "causes": list(causes)},
        )


def count_correct(store: DuckDBPyConnection) -> Iterator[pd.DataFrame]:
    """Count the events and the correct findings of each true cause: by messages alone, then with context rules."""
    events = read_events(store)
    truth = events[["event_id"]].merge(store.execute(_TRUTH).df(), on="event_id", how="left")["truth"]
    findings = classify_events(events)
    for with_context in (False, True):
        if with_context:
            findings = refine_by_context(store, events, findings)
        scored = pd.DataFrame({"cause": truth, "correct": truth == findings["cause"]}).dropna()
        yield scored.groupby("cause", as_index=False).agg(
            events=("correct", "size"), correct=("correct", "sum")
        )


def score_scenario(scenario: str, seed: int, devices: int, days: int, keep: Path | None) -> pd.DataFrame:
    """Score one scenario and seed in each of WAYS. Returns a row per way and true cause."""
    with closing(open_benchmark_store()) as store:
        kept = keep / f"{scenario}-{seed}-{devices}-{days}" if keep else None
        if kept and kept.exists():
            store.execute(f"ATTACH '{kept}' AS kept (READ_ONLY)")
            _copy(store)
        else:
            simulate(store, scenario, seed, devices, days)
            if kept:
                store.execute(f"ATTACH '{kept}' AS kept")
                store.execute("COPY FROM DATABASE memory TO kept")
                store.execute("DETACH kept")
        counts = [*count_correct(store)]
        mask(store)
        counts += count_correct(store)
    labelled = [
        rows.assign(way=way, scenario=scenario, seed=seed) for way, rows in zip(WAYS, counts, strict=True)
    ]
    return pd.concat(labelled, ignore_index=True)


def _copy(store: DuckDBPyConnection) -> None:
    tables = store.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'kept' AND NOT internal"
    ).fetchall()
    for schema, table in tables:
        name = f'"{schema}"."{table}"'
        store.execute(f"DELETE FROM memory.{name}")
        store.execute(f"INSERT INTO memory.{name} BY NAME SELECT * FROM kept.{name}")


def shares(scored: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return the share of correct findings per value of `by` and way, with a total row."""
    sums = scored.groupby([by, "way"], as_index=False)[["events", "correct"]].sum()
    everything = scored.groupby("way", as_index=False)[["events", "correct"]].sum().assign(**{by: "all"})
    sums = pd.concat([sums, everything], ignore_index=True)
    sums["share"] = sums["correct"] / sums["events"]
    table = sums.pivot_table(index=by, columns="way", values="share", sort=False)
    return table[list(WAYS)].assign(events=sums[sums["way"] == WAYS[0]].set_index(by)["events"])


def accuracy(arguments: argparse.Namespace) -> None:
    """Print the accuracy by scenario and by masked cause."""
    names = arguments.scenarios.split(",") if arguments.scenarios else sorted(SCENARIOS)
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    scored = pd.concat(
        [
            score_scenario(name, seed, arguments.devices, arguments.days, arguments.keep)
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


def time_steps(store: DuckDBPyConnection) -> Iterator[tuple[str, float]]:
    """Yield the name and the seconds of each step that produces findings."""
    start = time.perf_counter()
    events = read_events(store)
    findings = classify_events(events)
    yield "read and classify", time.perf_counter() - start
    for name in CANDIDATE_SELECTORS:
        start = time.perf_counter()
        apply_rule(store, events, findings, name)
        yield name, time.perf_counter() - start
    sentences: Any = findings["evidence"].map(len)
    print(f"{(sentences > 0).sum():,} of {len(findings):,} findings have evidence")


def speed(arguments: argparse.Namespace) -> None:
    """Print the seconds of each context rule, and the peak memory of the process after it (GB)."""
    with closing(open_benchmark_store()) as store:
        fill(store, syncs=arguments.syncs, errors=arguments.errors, devices=2_000, days=90, seed=1)
        if arguments.masked:
            mask(store)
        for name, seconds in time_steps(store):
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
            print(f"{name:18} {seconds:8.2f} s   peak {peak:5.2f} GB", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark that the command line selects."""
    parser = argparse.ArgumentParser(description="Measure the accuracy and the speed of context rules.")
    kinds = parser.add_subparsers(required=True)
    accuracy_parser = kinds.add_parser("accuracy")
    accuracy_parser.add_argument("--seeds", default=",".join(map(str, SEEDS)))
    accuracy_parser.add_argument("--scenarios", default="")
    accuracy_parser.add_argument("--devices", type=int, default=20)
    accuracy_parser.add_argument("--days", type=int, default=14)
    accuracy_parser.add_argument("--keep", type=Path)
    accuracy_parser.set_defaults(run=accuracy)
    speed_parser = kinds.add_parser("speed")
    speed_parser.add_argument("--errors", type=int, default=1_000_000)
    speed_parser.add_argument("--syncs", type=int, default=1_000_000)
    speed_parser.add_argument("--masked", action="store_true", help="replace clear messages first")
    speed_parser.set_defaults(run=speed)
    options = parser.parse_args(arguments)
    options.run(options)


if __name__ == "__main__":
    main()
