"""Simulate the small worlds of many seeds and report broken invariants."""

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
"""Seeds that are a multiple of this run twice and must have the same trace (I18)."""
CHUNK_SIZE = 10
"""Number of seeds that a process runs per batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedViolation:
    """A seed that broke an invariant. The same seed always breaks it again."""

    seed: int
    reason: str


@dataclass(slots=True, kw_only=True)
class SeedReport:
    """The result of many seeds. `seconds` is the run time, or None without a timer."""

    scenario: str
    first_seed: int
    ran: int = 0
    syncs: int = 0
    violations: list[SeedViolation] = field(default_factory=list)
    fault_counts: Counter[str] = field(default_factory=Counter)
    seconds: float | None = None

    @property
    def seeds_per_second(self) -> float | None:
        """Return the number of seeds per second, or None without a timer."""
        return self.ran / self.seconds if self.seconds else None

    def summary(self) -> str:
        """Return one line with the numbers of seeds, violations and faults, and the speed."""
        speed = "" if self.seeds_per_second is None else f", {self.seeds_per_second:.1f} seeds/s"
        return (
            f"{self.ran} seeds of {self.scenario} from {self.first_seed}: {len(self.violations)} violations, "
            f"{sum(self.fault_counts.values())} faults occurred{speed}"
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
    """Simulate `count` worlds. Only a swarm scenario has faults, which are drawn from each seed.

    `jobs` is the number of processes; apart from `seconds`, the report does not depend on it.
    `timer` returns seconds, such as time.perf_counter; `on_seed(done, count)` is called after each seed.
    """
    report = SeedReport(scenario=scenario.name, first_seed=first_seed)
    began = timer() if timer else 0.0
    for result in _run_each(range(first_seed, first_seed + count), scenario.swarm, jobs):
        _add_result(report, result)
        if on_seed is not None:
            on_seed(report.ran, count)
    report.seconds = timer() - began if timer else None
    return report


@dataclass(frozen=True, slots=True)
class _SeedResult:
    """The result of one seed. It is small, because it may come from another process."""

    seed: int
    syncs: int
    fault_counts: Mapping[str, int]
    violations: tuple[Violation, ...]


def _run_each(seeds: range, swarm: bool, jobs: int) -> Iterator[_SeedResult]:
    run_seed = partial(_run_seed, swarm=swarm)
    if jobs == 1:
        yield from map(run_seed, seeds)
        return
    # Imported only if needed, because the import is slow.
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415
    from multiprocessing import get_context  # noqa: PLC0415

    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(run_seed, seeds, chunksize=CHUNK_SIZE)


def _run_seed(seed: int, *, swarm: bool) -> _SeedResult:
    plan = None if swarm else CALM
    run = simulate_world(seed=seed, plan=plan)
    violations = run.violations
    if seed % REPLAY_EVERY == 0 and simulate_world(seed=seed, plan=plan).trace != run.trace:
        violations = (*violations, Violation("I18", "a second run of the seed differs"))
    return _SeedResult(seed, run.syncs, run.fault_counts, violations)


def _add_result(report: SeedReport, result: _SeedResult) -> None:
    report.ran += 1
    report.syncs += result.syncs
    report.fault_counts.update(result.fault_counts)
    if result.violations:
        others = len(result.violations) - 1
        reason = str(result.violations[0]) + (f" (and {others} more)" if others else "")
        report.violations.append(SeedViolation(seed=result.seed, reason=reason))
