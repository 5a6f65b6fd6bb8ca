"""Many seeds of small worlds, and a report of those that broke an invariant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from sync_engine.simulator.fleet.scenario import Scenario
from sync_engine.simulator.stress.faults import CALM
from sync_engine.simulator.stress.observations import Violation
from sync_engine.simulator.stress.run import simulate_world

REPLAY_EVERY = 100
"""Every seed that is a multiple of this runs twice and must have the same trace (I18)."""
CHUNK_SIZE = 10
"""Number of seeds that a process runs per batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedViolation:
    """A seed that broke an invariant; the same seed breaks it again."""

    seed: int
    reason: str


@dataclass(slots=True, kw_only=True)
class SeedReport:
    """What a hunt over many seeds found. `seconds` is what the caller's timer measured, None without one."""

    scenario: str
    first_seed: int
    ran: int = 0
    syncs: int = 0
    violations: list[SeedViolation] = field(default_factory=list)
    fault_counts: Counter[str] = field(default_factory=Counter)
    seconds: float | None = None

    @property
    def seeds_per_second(self) -> float | None:
        """How fast it went."""
        return self.ran / self.seconds if self.seconds else None

    def summary(self) -> str:
        """One line: how many ran, how many failed, how many faults struck, how fast."""
        speed = "" if self.seeds_per_second is None else f", {self.seeds_per_second:.1f} seeds/s"
        return (
            f"{self.ran} seeds of {self.scenario} from {self.first_seed}: {len(self.violations)} violations, "
            f"{sum(self.fault_counts.values())} faults struck{speed}"
        )


def run_seeds(
    scenario: Scenario,
    *,
    first_seed: int = 0,
    count: int = 100,
    jobs: int = 1,
    on_seed: Callable[[int, int], None] | None = None,
    timer: Callable[[], float] | None = None,
) -> SeedReport:
    """Play `count` worlds. A swarm scenario draws its faults from each seed, any other has none.

    `jobs` processes share the seeds; the report is the same for any number of them but for its seconds.
    `timer` returns seconds, such as time.perf_counter; `on_seed(done, count)` is called after each seed.
    """
    report = SeedReport(scenario=scenario.name, first_seed=first_seed)
    began = timer() if timer else 0.0
    for played in _run_each(range(first_seed, first_seed + count), scenario.swarm, jobs):
        _add_result(report, played)
        if on_seed is not None:
            on_seed(report.ran, count)
    report.seconds = timer() - began if timer else None
    return report


@dataclass(frozen=True, slots=True)
class _SeedResult:
    """The result of one seed; small, because it may come from another process."""

    seed: int
    syncs: int
    fired: Mapping[str, int]
    violations: tuple[Violation, ...]


def _run_each(seeds: range, swarm: bool, jobs: int) -> Iterator[_SeedResult]:
    play = partial(_run_seed, swarm=swarm)
    if jobs == 1:
        yield from map(play, seeds)
        return
    # Only a hunt in several processes should pay for importing them.
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415
    from multiprocessing import get_context  # noqa: PLC0415

    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(play, seeds, chunksize=CHUNK_SIZE)


def _run_seed(seed: int, *, swarm: bool) -> _SeedResult:
    plan = None if swarm else CALM
    run = simulate_world(seed=seed, plan=plan)
    violations = run.violations
    if seed % REPLAY_EVERY == 0 and simulate_world(seed=seed, plan=plan).trace != run.trace:
        violations = (*violations, Violation("I18", "played again, the seed goes another way"))
    return _SeedResult(seed, run.syncs, run.fault_counts, violations)


def _add_result(report: SeedReport, played: _SeedResult) -> None:
    report.ran += 1
    report.syncs += played.syncs
    report.fault_counts.update(played.fired)
    if played.violations:
        more = len(played.violations) - 1
        reason = str(played.violations[0]) + (f" (and {more} more)" if more else "")
        report.violations.append(SeedViolation(seed=played.seed, reason=reason))
