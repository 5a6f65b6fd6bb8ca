"""Find the fewest faults with which a seed still breaks an invariant.

A world with two or three kinds of faults is short enough to understand and to turn into a test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from sync_engine.simulator.stress.faults import FaultPlan
from sync_engine.simulator.stress.observations import Violation
from sync_engine.simulator.stress.run import simulate_world


@dataclass(frozen=True, slots=True, kw_only=True)
class ShrunkSeed:
    """A plan with fewer faults that breaks the same invariant with `simulate_world(seed=seed, plan=plan)`."""

    seed: int
    plan: FaultPlan
    violations: tuple[Violation, ...]
    worlds: int  # number of simulated worlds

    @property
    def faults(self) -> dict[str, float]:
        """Return the rates of the remaining faults by name."""
        return _active_faults(self.plan)

    def __str__(self) -> str:
        faults = ", ".join(f"{name}={rate:.3f}" for name, rate in self.faults.items()) or "no fault at all"
        return f"seed {self.seed} still breaks with {faults}: {self.violations[0]}"


def shrink_seed(
    seed: int, plan: FaultPlan | None = None, *, on_world: Callable[[int], None] | None = None
) -> ShrunkSeed | None:
    """Remove one kind of fault after the other while the seed's first violation remains.

    Returns None if the seed breaks no invariant. `on_world(count)` is called after each simulated world, usually some
    dozens of times.
    """
    smallest_plan = plan if plan is not None else FaultPlan.of_seed(seed)
    violations = simulate_world(seed=seed, plan=smallest_plan).violations
    if not violations:
        return None
    worlds, smaller = 1, True
    while smaller:
        smaller = False
        for name in _active_faults(smallest_plan):
            smaller_plan = replace(smallest_plan, **{name: 0.0})
            remaining = simulate_world(seed=seed, plan=smaller_plan).violations
            worlds += 1
            if on_world is not None:
                on_world(worlds)
            if any(violation.invariant == violations[0].invariant for violation in remaining):
                smallest_plan, smaller = smaller_plan, True
    remaining = simulate_world(seed=seed, plan=smallest_plan).violations
    same = tuple(violation for violation in remaining if violation.invariant == violations[0].invariant)
    return ShrunkSeed(seed=seed, plan=smallest_plan, violations=same, worlds=worlds + 1)


def _active_faults(plan: FaultPlan) -> dict[str, float]:
    return {spec.name: getattr(plan, spec.name) for spec in fields(plan) if getattr(plan, spec.name)}
