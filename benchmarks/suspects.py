"""Score `analysis.suspects` on simulated incidents.

    python -m benchmarks.suspects [incidents]
    python -m benchmarks.suspects --scenarios [--first-seed 1] [--seeds 2] [--devices 60] [--misses]

`--scenarios` runs all scenarios of the simulator (benchmarks/scenario_suspects.py). Otherwise each incident has a
separate store: 60 to 240 users in four countries, three profiles and twenty territories sync about once a working day
for four weeks; three in a thousand user-days show the issue anyway. At some time a part of the fleet (everyone, a
country, a profile, a territory or a permission set) begins to be hit on 15 to 70 % of its days. Ten decoy changes of
any kind, scope and object are made at random times.

* change: an eleventh change, up to twelve hours before, is the true one; seven times in ten the log knows its
  object, four times in ten its field too;
* none: nothing was changed;
* version: a version that spreads over days is the cause, and no row records it.

Printed: how often the first name is the right one, how often a change is named when there is none.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.diagnosis.suspect_changes import suspects
from benchmarks.scenario_suspects import print_score, score_scenarios
from ingest.store.open import migrate

START = pd.Timestamp("2026-03-02")
DAYS = 28
COUNTRIES, PROFILES = ["DE", "FR", "US", "JP"], ["rep__c", "msl__c", "manager__c"]
SETS = ["core__c", "samples__c", "orders__c", "consent__c"]
OBJECTS = ["account__v", "call2__v", "order__v", "sample_transaction__v", "medical_inquiry__v", None]
KINDS = ["permission_set", "vmoc", "territory", "object", "field", "validation_rule", "setting"]
ISSUE = {"object": "call2__v", "field": "signature__v", "cause": "field-permission"}


def people(rng: np.random.Generator) -> pd.DataFrame:
    size = int(rng.integers(60, 241))
    held = rng.random((size, len(SETS))) < [0.95, 0.5, 0.3, 0.2]
    return pd.DataFrame(
        {
            "user_id": [f"u{number:03}" for number in range(size)],
            "country": rng.choice(COUNTRIES, size, p=[0.4, 0.3, 0.2, 0.1]),
            "security_profile": rng.choice(PROFILES, size, p=[0.7, 0.2, 0.1]),
            "territory": [f"T{number:02}" for number in rng.integers(0, 20, size)],
            "permission_sets": [
                ",".join(name for name, has in zip(SETS, row, strict=True) if has) for row in held
            ],
        }
    )


def scope_of(rng: np.random.Generator, fleet: pd.DataFrame) -> tuple[str | None, np.ndarray]:
    kind = rng.choice(
        ["all", "country", "profile", "territory", "permission_set"], p=[0.2, 0.25, 0.25, 0.15, 0.15]
    )
    if kind == "all":
        return None, np.ones(len(fleet), dtype=bool)
    if kind == "permission_set":
        value = str(rng.choice(SETS))
        return f"permission_set={value}", fleet["permission_sets"].str.split(",").map(
            lambda s: value in s
        ).to_numpy()
    column = {"country": "country", "profile": "security_profile", "territory": "territory"}[kind]
    value = str(rng.choice(fleet[column]))
    return f"{kind}={value}", (fleet[column] == value).to_numpy()


def decoy(rng: np.random.Generator, fleet: pd.DataFrame, number: int) -> dict[str, object]:
    scope, _ = scope_of(rng, fleet)
    target_object = OBJECTS[rng.integers(len(OBJECTS))]
    at = START + pd.Timedelta(days=float(rng.uniform(0, DAYS)))
    return change(
        f"decoy-{number}", at, str(rng.choice(KINDS)), f"target_{number}__c", target_object, None, scope
    )


def change(change_id, at, kind, target, target_object, field, scope) -> dict[str, object]:
    return {
        "change_id": change_id, "changed_at": at, "kind": kind, "target": target, "object": target_object,
        "field": field, "scope": scope,
    }  # fmt: skip


def activity(rng: np.random.Generator, size: int) -> pd.DataFrame:
    """One row per user and day with a sync: its time, mostly in working hours of a working day."""
    days = np.arange(DAYS)
    active = rng.random((size, DAYS)) < np.where(days % 7 < 5, 0.85, 0.15)
    who, day = np.nonzero(active)
    hour = np.clip(rng.normal(12, 3.5, len(who)), 0.1, 23.9)
    return pd.DataFrame({"who": who, "day": day + hour / 24})


def incident(rng: np.random.Generator, kind: str) -> tuple[DuckDBPyConnection, str | None]:
    fleet = people(rng)
    seen = activity(rng, len(fleet))
    onset = float(rng.uniform(7, 24))
    scope, inside = scope_of(rng, fleet)
    while inside.sum() < 4:
        scope, inside = scope_of(rng, fleet)
    changes = [decoy(rng, fleet, number) for number in range(10)]
    begins = np.where(inside, onset, np.inf)
    seen["version"] = "25.1"
    if kind == "change":
        knows = rng.random()
        made = START + pd.Timedelta(days=onset) - pd.Timedelta(hours=float(rng.uniform(0, 12)))
        changes.append(
            change(
                "true",
                made,
                str(rng.choice(KINDS)),
                "target_true__c",
                ISSUE["object"] if knows < 0.7 else None,
                ISSUE["field"] if knows < 0.4 else None,
                scope,
            )
        )
    if kind == "version":
        begins = np.where(rng.random(len(fleet)) < 0.8, onset - 3 + rng.exponential(4, len(fleet)), np.inf)
        seen.loc[seen["day"] >= begins[seen["who"]], "version"] = "25.2"
    rate = np.where(seen["day"] >= begins[seen["who"]], rng.uniform(0.15, 0.7), 0.003)
    seen["hit"] = rng.random(len(seen)) < rate
    return store_of(fleet, seen, pd.DataFrame(changes)), {"change": "true", "version": "version 25.2"}.get(
        kind
    )


def store_of(fleet: pd.DataFrame, seen: pd.DataFrame, changes: pd.DataFrame) -> DuckDBPyConnection:
    store = duckdb.connect()
    migrate(store)
    marks = {"source": "simulated", "batch_id": "b"}
    at = START + pd.to_timedelta(seen["day"], unit="D").astype("timedelta64[us]")
    ids = seen.index.map(str)
    tables = {
        "sync_user": fleet.assign(as_of=START, **marks),
        "sync_tracking__v": pd.DataFrame(
            {
                "id": "s" + ids, "created_by__v": fleet["user_id"].to_numpy()[seen["who"]],
                "version__v": seen["version"],
                "sync_start_datetime__v": at, "sync_completed_datetime__v": at + pd.Timedelta(minutes=2),
                "successful_sync__v": True,
            }
        ).assign(**marks),
        "sync_error": pd.DataFrame(
            {
                "event_id": "e" + ids, "sync_id": "s" + ids, "occurred_at": at + pd.Timedelta(minutes=1),
                "user_id": fleet["user_id"].to_numpy()[seen["who"]], "app_version": seen["version"],
                "object": ISSUE["object"], "field": ISSUE["field"], "message": "no edit on signature__v",
            }
        )[seen["hit"].to_numpy()].assign(**marks),
        "config_change": changes.assign(**marks),
    }  # fmt: skip
    for name, frame in tables.items():
        store.register("frame", frame)
        store.execute(f"INSERT INTO {name} BY NAME SELECT * FROM frame")
        store.unregister("frame")
    store.execute(
        """
        INSERT INTO finding
        SELECT event_id, 'issue-1', $cause, 1, 'test', [], [], 'no', 'admin', 'test', 'test'
        FROM sync_error
        """,
        {"cause": ISSUE["cause"]},
    )
    return store


def main(arguments: Sequence[str] | None = None) -> None:
    """Score the incidents, or the scenarios."""
    parser = argparse.ArgumentParser(description="Score suspect changes.")
    parser.add_argument("incidents", type=int, nargs="?", default=400)
    parser.add_argument("--scenarios", action="store_true", help="all scenarios of the simulator instead")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--devices", type=int, default=60)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--cache", type=Path, help="folder that keeps the simulated stores")
    parser.add_argument("--misses", action="store_true", help="list what is not right")
    options = parser.parse_args(arguments)
    if not options.scenarios:
        score_incidents(options.incidents)
        return
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    score = score_scenarios(seeds, devices=options.devices, days=options.days, cache=options.cache)
    print_score(score, with_misses=options.misses)


def score_incidents(incidents: int) -> None:
    """Print the outcomes of incidents with a true change, without one, and with a version."""
    rng = np.random.default_rng(20)
    for kind, number in {"change": incidents // 2, "none": incidents // 2, "version": incidents // 4}.items():
        outcome: Counter[str] = Counter()
        started = time.perf_counter()
        for _ in range(number):
            store, truth = incident(rng, kind)
            with store:
                named = suspects(store, "issue-1")
            first = named[0].change_id if named else "nobody"
            outcome["nobody" if first == "nobody" else "right" if first == truth else "wrong"] += 1
        seconds = (time.perf_counter() - started) / number
        shares = "  ".join(f"{name} {count / number:.3f}" for name, count in sorted(outcome.items()))
        print(f"{kind:8} {number} incidents, first named: {shares}   ({seconds:.2f} s each)", flush=True)


if __name__ == "__main__":
    main()
