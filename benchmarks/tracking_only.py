"""Score sync-failure issues against planted faults when only tracking records are loaded.

    python -m benchmarks.tracking_only [--first-seed 1] [--seeds 3] [--calm 50] [--devices 60] [--days 14] [--misses]

Every scenario is simulated, and its errors, details and pending records are dropped. Two conditions: `tracking` keeps
only `sync_tracking__v`; `context` also keeps users and configuration changes.

A fault counts if tracking differs from calm because of it: at least 5 syncs of at least 3 users that it alone made
fail or end with upload errors (a sync that several faults made fail shows none of them alone), or at least 3 users
whose syncs it stopped until the end. Its kind is right if more than half of these syncs (or users) are in issues of a
kind that `tracking_only.toml` lists for it. An issue is right if planted faults of a fitting kind made at least half
of its syncs fail. Suspects are scored with `context`, for faults that are
a configuration change or a rollout: the first suspect of the issue with most of its syncs is that change.
"""

from __future__ import annotations

import argparse
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection

import ingest
from analysis.diagnosis.suspect_changes import suspects
from analysis.findings import update_findings
from ingest.store.open import migrate
from sync_engine.simulator.fleet.fleet import START, Fleet
from sync_engine.simulator.fleet.run import open_fleet, simulate_fleet
from sync_engine.simulator.fleet.scenario import SCENARIOS, Fault, Scenario, load_scenario
from sync_engine.telemetry import ConfigChange, SyncError, SyncTracking, SyncUser, Telemetry, Truth

MIN_SYNCS, MIN_USERS = 5, 3
STOPPED_DAYS = 3.5  # of silence at the end of the simulation
CONDITIONS: Mapping[str, tuple[type, ...]] = {
    "tracking": (SyncTracking,),
    "context": (SyncTracking, SyncUser, ConfigChange),
}
_EXPECTED = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["fault"]
_LOADED_AT = datetime(2030, 1, 1, tzinfo=UTC)  # any fixed time after the simulation
_ABSENCE = ("silence", "expire_passwords", "lock_users", "deactivate")


@dataclass(slots=True)
class PlantedFault:
    """One planted fault: the kinds that are right for it, and what it affected.

    `syncs` are the syncs that it made fail, `own` those that no other fault made fail too, of `users`. `stopped` are
    the users whose syncs it stopped.
    """

    fault: Fault
    kinds: frozenset[str]
    syncs: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)
    stopped: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)

    @property
    def is_visible(self) -> bool:
        """Return whether tracking differs from calm because of this fault."""
        by_syncs = len(self.own) >= MIN_SYNCS and len(self.users) >= MIN_USERS
        return bool(self.kinds) and (by_syncs or len(self.stopped) >= MIN_USERS)


@dataclass(slots=True)
class Score:
    """Counts over all worlds of one condition."""

    faults: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    issues: Counter[str] = field(default_factory=Counter)
    right_issues: Counter[str] = field(default_factory=Counter)
    suspects: Counter[str] = field(default_factory=Counter)
    misses: list[str] = field(default_factory=list)


def expected_kinds(fault: Fault) -> frozenset[str]:
    """Return the kinds of issues that are right for a fault, from tracking_only.toml."""
    for entry in _EXPECTED:
        conditions = {name: value for name, value in entry.items() if name not in ("kind", "kinds")}
        if entry["kind"] in (fault.kind, "*") and all(
            name in fault.options and value in ("*", fault.options[name])
            for name, value in conditions.items()
        ):
            return frozenset(entry["kinds"])
    raise LookupError(fault.kind)


@contextmanager
def open_world(rows: Sequence[Telemetry], condition: str) -> Iterator[DuckDBPyConnection]:
    """Yield a store in memory with the rows that the condition keeps, and updated findings."""
    with duckdb.connect() as store:
        store.execute("SET TimeZone = 'UTC'")
        migrate(store)
        kept = [row for row in rows if isinstance(row, CONDITIONS[condition])]
        ingest.append(store, kept, source="simulation", started_at=_LOADED_AT, clock=lambda: _LOADED_AT)
        update_findings(store)
        yield store


def planted_faults(
    scenario: Scenario, seed: int, devices: int, days: int, rows: Sequence[Telemetry]
) -> list[PlantedFault]:
    """Return the faults of a world with the syncs and users that each affected."""
    planted = {
        fault.name: PlantedFault(fault, expected_kinds(fault))
        for fault in scenario.faults
        if fault.day < days
    }
    tracked = {row.id: row for row in rows if isinstance(row, SyncTracking)}
    errors = {row.event_id: row for row in rows if isinstance(row, SyncError)}
    for truth in rows:
        if not isinstance(truth, Truth) or truth.injected_by not in planted:
            continue
        item, sync = planted[truth.injected_by], tracked.get(errors[truth.event_id].sync_id or "")
        if truth.change_id:
            item.changes.add(truth.change_id)
        if sync is not None and _is_affected(sync):
            item.syncs.add(sync.id)
    shared = Counter(sync for item in planted.values() for sync in item.syncs)
    for item in planted.values():
        item.own = {sync for sync in item.syncs if shared[sync] == 1}
        item.users = {str(tracked[sync].created_by__v) for sync in item.own}
    _add_stopped_users(planted, scenario, seed, devices, days, tracked.values())
    return list(planted.values())


def _is_affected(sync: SyncTracking) -> bool:
    return not sync.sync_canceled__v and (
        not sync.successful_sync__v or bool(sync.number_of_upload_errors__v)
    )


def _add_stopped_users(
    planted: Mapping[str, PlantedFault],
    scenario: Scenario,
    seed: int,
    devices: int,
    days: int,
    syncs: Any,
) -> None:
    absent = [item for item in planted.values() if item.fault.kind in _ABSENCE]
    if not absent:
        return
    last: dict[str, datetime] = {}
    for sync in syncs:
        user, at = str(sync.created_by__v), sync.sync_start_datetime__v
        last[user] = max(at, last.get(user, at))
    end = START + timedelta(days=days)
    with open_fleet(scenario=scenario, seed=seed, device_count=devices, days=days, start=START) as fleet:
        for item in absent:
            begin = START + timedelta(days=item.fault.day, hours=item.fault.hour)
            for user in _affected_users(fleet, item.fault):
                is_silent = user in last and last[user] < end - timedelta(days=STOPPED_DAYS)
                if is_silent and last[user] >= begin - timedelta(days=4):
                    item.stopped.add(user)


def _affected_users(fleet: Fleet, fault: Fault) -> set[str]:
    rng = Random(f"{fleet.seed}/plant/{fault.name}")
    return {rep.profile.user_id for rep in fleet.select_reps(fault, rng)}


def score_world(
    store: DuckDBPyConnection,
    planted: Sequence[PlantedFault],
    score: Score,
    world: str,
    *,
    with_suspects: bool,
) -> None:
    """Add one world to a score."""
    findings = store.execute(
        "SELECT f.sync_id, f.issue_id, f.kind, f.title, t.created_by__v FROM sync_finding AS f"
        " JOIN sync_tracking__v AS t ON t.id = f.sync_id"
    ).fetchall()
    by_issue: dict[str, list[tuple[str, str]]] = defaultdict(list)
    kind_of, title_of = {}, {}
    for sync, issue, kind, title, user in findings:
        by_issue[issue].append((sync, user))
        kind_of[issue], title_of[issue] = kind, title
    for item in planted:
        if item.is_visible:
            name = item.fault.kind
            score.faults[name] += 1
            covered = _covered(item, by_issue, kind_of)
            score.right[name] += covered > 0.5
            if covered <= 0.5:
                kinds = Counter(kind_of[i] for i, rows in by_issue.items() for s, _ in rows if s in item.own)
                score.misses.append(
                    f"{world}: {item.fault.name} ({len(item.own)} syncs, {len(item.users)} users,"
                    f" {len(item.stopped)} stopped): {covered:.0%} right, in issues: {dict(kinds)}"
                )
            if with_suspects and item.changes and len(item.own) >= MIN_SYNCS:
                score.suspects[_score_suspect(store, item, by_issue, kind_of)] += 1
    for issue, rows in by_issue.items():
        kind = kind_of[issue]
        score.issues[kind] += 1
        is_right = any(
            kind in item.kinds and _explains(item, kind, rows) for item in planted
        ) or _explain_together(planted, kind, rows)
        score.right_issues[kind] += is_right
        if not is_right:
            score.misses.append(
                f"{world}: issue {title_of[issue]!r} ({kind}, {len(rows)} syncs) is of no fault"
            )


def _covered(
    item: PlantedFault, by_issue: Mapping[str, list[tuple[str, str]]], kind_of: Mapping[str, str]
) -> float:
    right = [
        (kind_of[issue], row)
        for issue, rows in by_issue.items()
        if kind_of[issue] in item.kinds
        for row in rows
    ]
    by_syncs = len({sync for _, (sync, _) in right} & item.own) / len(item.own) if item.own else 0.0
    stopped = {user for kind, (_, user) in right if kind == "syncs-stopped"} & item.stopped
    by_users = len(stopped) / len(item.stopped) if item.stopped else 0.0
    enough_syncs = len(item.own) >= MIN_SYNCS and len(item.users) >= MIN_USERS
    return max(by_syncs if enough_syncs else 0.0, by_users if len(item.stopped) >= MIN_USERS else 0.0)


def _explains(item: PlantedFault, kind: str, rows: Sequence[tuple[str, str]]) -> bool:
    if kind == "syncs-stopped":
        return 2 * len({user for _, user in rows} & item.stopped) >= len({user for _, user in rows})
    return 2 * sum(sync in item.syncs for sync, _ in rows) >= len(rows)


def _explain_together(planted: Sequence[PlantedFault], kind: str, rows: Sequence[tuple[str, str]]) -> bool:
    """Return whether faults of a fitting kind made at least half of the syncs fail, if several overlap."""
    fitting = [item for item in planted if kind in item.kinds]
    together = PlantedFault(Fault(name="", kind=""), frozenset({kind}))
    together.syncs = set().union(*(item.syncs for item in fitting))
    together.stopped = set().union(*(item.stopped for item in fitting))
    return _explains(together, kind, rows)


def _score_suspect(
    store: DuckDBPyConnection,
    item: PlantedFault,
    by_issue: Mapping[str, list[tuple[str, str]]],
    kind_of: Mapping[str, str],
) -> str:
    shares = {
        issue: len({sync for sync, _ in rows} & item.syncs)
        for issue, rows in by_issue.items()
        if kind_of[issue] in item.kinds
    }
    best = max(shares, key=lambda issue: (shares[issue], issue), default=None)
    if best is None or not shares[best]:
        return "no issue"
    named = suspects(store, best)
    if not named:
        return "none named"
    versions = {f"version {item.fault.options.get('version')}"}
    if named[0].change_id in item.changes | versions:
        return "first"
    return "listed" if any(one.change_id in item.changes | versions for one in named) else "another"


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate the worlds and print the figures."""
    parser = argparse.ArgumentParser(description="Score sync-failure issues from tracking records alone.")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--calm", type=int, default=50, help="calm worlds of one week")
    parser.add_argument("--devices", type=int, default=60)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--scenario", action="append", choices=SCENARIOS)
    parser.add_argument("--misses", action="store_true", help="list the faults and issues that are wrong")
    options = parser.parse_args(arguments)
    scores = {condition: Score() for condition in CONDITIONS}
    started = time.perf_counter()
    for name in options.scenario or SCENARIOS:
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            scenario = load_scenario(name)
            size = {"seed": seed, "device_count": options.devices, "days": options.days}
            rows = list(simulate_fleet(scenario=scenario, start=START, **size))
            planted = planted_faults(scenario, seed, options.devices, options.days, rows)
            for condition, score in scores.items():
                with open_world(rows, condition) as store:
                    score_world(store, planted, score, f"{name} {seed}", with_suspects=condition == "context")
    for condition, score in scores.items():
        print_score(condition, score, show_misses=options.misses)
    print_calm(options.first_seed, options.calm, options.devices)
    print(f"{time.perf_counter() - started:.0f} s")


def print_score(condition: str, score: Score, *, show_misses: bool) -> None:
    """Print the figures of one condition."""
    total, right = score.faults.total(), score.right.total()
    print(f"\n{condition}: kind right for {right} of {total} visible faults ({right / max(1, total):.3f})")
    for name, count in sorted(score.faults.items()):
        print(f"  {name:18} {score.right[name]} of {count}")
    issues, good = score.issues.total(), score.right_issues.total()
    print(f"{condition}: {good} of {issues} issues have a planted fault ({good / max(1, issues):.3f})")
    for name, count in sorted(score.issues.items()):
        print(f"  {name:18} {score.right_issues[name]} of {count}")
    if score.suspects:
        counts = ", ".join(f"{name} {count}" for name, count in score.suspects.most_common())
        print(f"{condition}: suspects of {score.suspects.total()} faults with a change: {counts}")
    if show_misses:
        print("\n".join(f"    {line}" for line in score.misses))


def print_calm(first_seed: int, worlds: int, devices: int) -> None:
    """Print how many calm weeks have an issue."""
    with_issue: list[str] = []
    for seed in range(first_seed + 1000, first_seed + 1000 + worlds):
        size = {"seed": seed, "device_count": devices, "days": 7}
        rows = list(simulate_fleet(scenario=load_scenario("calm"), start=START, **size))
        with open_world(rows, "tracking") as store:
            titles = store.execute("SELECT DISTINCT title FROM sync_finding ORDER BY 1").fetchall()
        if titles:
            with_issue.append(f"seed {seed}: {'; '.join(title for (title,) in titles)}")
    print(f"\ncalm: {len(with_issue)} of {worlds} weeks have an issue")
    print("\n".join(f"  {line}" for line in with_issue))


if __name__ == "__main__":
    main()
