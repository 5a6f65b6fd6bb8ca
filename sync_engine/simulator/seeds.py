"""Many seeds of small worlds, and a report of those that broke an invariant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sync_engine.simulator.account import Violation
from sync_engine.simulator.faults import CALM, FaultPlan
from sync_engine.simulator.scenario import Scenario
from sync_engine.simulator.world import Run, simulate

TWICE = 100
"""Every so manieth seed is played a second time: it must go the same way (I18)."""


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
    fired: Counter[str] = field(default_factory=Counter)
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
            f"{sum(self.fired.values())} faults struck{speed}"
        )


def run_seeds(
    scenario: Scenario,
    *,
    first_seed: int = 0,
    count: int = 100,
    on_seed: Callable[[int, int], None] | None = None,
    timer: Callable[[], float] | None = None,
) -> SeedReport:
    """Play `count` worlds. A swarm scenario draws its faults from each seed, any other has none.

    `timer` tells seconds, such as time.perf_counter; `on_seed(done, count)` is called after each seed.
    """
    report = SeedReport(scenario=scenario.name, first_seed=first_seed)
    began = timer() if timer else 0.0
    for seed in range(first_seed, first_seed + count):
        _add(report, _play(seed, None if scenario.swarm else CALM))
        if on_seed is not None:
            on_seed(report.ran, count)
    report.seconds = timer() - began if timer else None
    return report


def _play(seed: int, plan: FaultPlan | None) -> Run:
    run = simulate(seed=seed, plan=plan)
    if seed % TWICE == 0 and simulate(seed=seed, plan=plan).trace != run.trace:
        return replace(
            run, violations=(*run.violations, Violation("I18", "played again, the seed goes another way"))
        )
    return run


def _add(report: SeedReport, run: Run) -> None:
    report.ran += 1
    report.syncs += run.syncs
    report.fired.update(run.fired)
    if run.violations:
        more = len(run.violations) - 1
        reason = str(run.violations[0]) + (f" (and {more} more)" if more else "")
        report.violations.append(SeedViolation(seed=run.seed, reason=reason))
