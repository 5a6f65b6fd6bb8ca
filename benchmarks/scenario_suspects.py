"""Score `analysis.suspects` on the scenarios of the simulator, by the ground truth of each issue.

A fault has a planted change if the ground truth names the change behind its errors. It counts if it made at least
`MIN_EVENTS` errors of `MIN_USERS` users; its issue is the one with most of its errors. An issue of the same size has
no planted change if at least `SHARE` of its errors are of faults without one. Other issues are mixed and not scored.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

import ingest
from analysis.diagnosis.suspect_changes import SuspectChange, suspects
from analysis.findings import update_findings
from ingest.store.open import migrate
from sync_engine.simulator.fleet.fleet import START
from sync_engine.simulator.fleet.run import simulate_fleet
from sync_engine.simulator.fleet.scenario import SCENARIOS, load_scenario

MIN_EVENTS, MIN_USERS = 5, 2
SHARE = 0.9
OUTCOMES = ("first", "listed", "another", "none")
_LOADED_AT = datetime(2030, 1, 1, tzinfo=UTC)  # any fixed time after the simulation

_ORIGINS = """
SELECT f.issue_id, t.injected_by, e.user_id, t.change_id, count(*) AS events
FROM finding AS f JOIN sync_error AS e USING (event_id) JOIN engine_truth.event_cause AS t USING (event_id)
GROUP BY ALL ORDER BY ALL
"""


@dataclass(slots=True)
class Origins:
    """Errors of one issue from one fault: their number, users and changes."""

    events: int = 0
    users: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)

    @property
    def is_large(self) -> bool:
        """Return whether there are enough errors to count."""
        return self.events >= MIN_EVENTS and len(self.users) >= MIN_USERS


@dataclass(slots=True)
class ScenarioScore:
    """Outcomes of the faults with a planted change and of the issues without one, by scenario."""

    planted: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    unplanted: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    misses: list[str] = field(default_factory=list)


@contextmanager
def open_world(
    name: str, seed: int, *, devices: int, days: int, cache: Path | None = None
) -> Iterator[DuckDBPyConnection]:
    """Yield a store of one simulated scenario with its findings; from `cache` if it was simulated before."""
    path = None if cache is None else cache / f"{name}-{seed}-{devices}-{days}.duckdb"
    is_new = path is None or not path.exists()
    with duckdb.connect(":memory:" if path is None else str(path)) as store:
        store.execute("SET TimeZone = 'UTC'")
        if is_new:
            migrate(store)
            rows = simulate_fleet(
                scenario=load_scenario(name), seed=seed, device_count=devices, days=days, start=START
            )
            ingest.append(store, rows, source="simulation", started_at=_LOADED_AT, clock=lambda: _LOADED_AT)
            update_findings(store)
        yield store


def score_scenarios(seeds: Iterable[int], *, devices: int, days: int, cache: Path | None) -> ScenarioScore:
    """Simulate every scenario with each seed and score its issues."""
    score = ScenarioScore()
    for seed in seeds:
        for name in SCENARIOS:
            with open_world(name, seed, devices=devices, days=days, cache=cache) as store:
                score_world(store, name, f"{name} {seed}", score)
    return score


def score_world(store: DuckDBPyConnection, scenario: str, world: str, score: ScenarioScore) -> None:
    """Add the issues of one world to a score."""
    by_issue: dict[str, dict[str, Origins]] = defaultdict(lambda: defaultdict(Origins))
    for issue, fault, user, change, events in store.execute(_ORIGINS).fetchall():
        origins = by_issue[issue][fault]
        origins.events += events
        origins.users |= {user} - {None}
        origins.changes |= {change} - {None}
    for issue, fault, changes in _planted(by_issue):
        outcome, named = _name_suspects(store, issue, changes)
        score.planted[scenario][outcome] += 1
        if outcome != "first":
            score.misses.append(_describe(world, issue, by_issue[issue], fault, outcome, named))
    for issue in _unplanted(by_issue):
        outcome, named = _name_suspects(store, issue, set())
        score.unplanted[scenario][outcome] += 1
        if outcome != "none":
            score.misses.append(_describe(world, issue, by_issue[issue], "no change", outcome, named))


def _planted(by_issue: Mapping[str, Mapping[str, Origins]]) -> Iterator[tuple[str, str, set[str]]]:
    """Yield the issue, the name and the changes of each fault with a planted change."""
    for fault in sorted({fault for faults in by_issue.values() for fault in faults}):
        issues = {issue: faults[fault] for issue, faults in by_issue.items() if fault in faults}
        changes = set().union(*(origins.changes for origins in issues.values()))
        issue = max(issues, key=lambda issue: (issues[issue].events, issue))
        if changes and issues[issue].is_large:
            yield issue, fault, changes


def _unplanted(by_issue: Mapping[str, Mapping[str, Origins]]) -> Iterator[str]:
    for issue, faults in sorted(by_issue.items()):
        total = sum(origins.events for origins in faults.values())
        without = [origins for origins in faults.values() if not origins.changes]
        whole = Origins(
            sum(origins.events for origins in without), set().union(*(origins.users for origins in without))
        )
        if whole.is_large and whole.events >= SHARE * total:
            yield issue


def _name_suspects(
    store: DuckDBPyConnection, issue: str, changes: set[str]
) -> tuple[str, Sequence[SuspectChange]]:
    named = suspects(store, issue)
    if not named:
        return "none", named
    is_planted = [not changes.isdisjoint(suspect.change_ids) for suspect in named]
    return ("first" if is_planted[0] else "listed" if any(is_planted) else "another"), named


def _describe(
    world: str,
    issue: str,
    faults: Mapping[str, Origins],
    fault: str,
    outcome: str,
    named: Sequence[SuspectChange],
) -> str:
    shares = ", ".join(
        f"{name} {origins.events}/{len(origins.users)}"
        for name, origins in sorted(faults.items(), key=lambda item: -item[1].events)[:4]
    )
    first = f"; first named {named[0].kind} {named[0].target} at {named[0].changed_at}" if named else ""
    return f"{world} issue {issue}: {fault}: {outcome} (errors/users: {shares}){first}"


def print_score(score: ScenarioScore, *, with_misses: bool) -> None:
    """Print one line per scenario and the totals."""
    for title, counts, right in (
        ("planted change", score.planted, "first"),
        ("no change", score.unplanted, "none"),
    ):
        total: Counter[str] = sum(counts.values(), Counter())
        for name, counter in sorted(counts.items()):
            print(f"  {name:24} {right} {counter[right]} of {counter.total()}")
        outcomes = ", ".join(f"{outcome} {total[outcome]}" for outcome in OUTCOMES)
        print(f"{title}: {total.total()}: {outcomes} ({total[right] / max(1, total.total()):.3f} right)")
    if with_misses:
        print("\n".join(score.misses))
