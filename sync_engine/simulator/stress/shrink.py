"""From a seed that breaks an invariant to the fewest kinds of faults that still break it.

A world of thirty faults hides its story; with two or three left the story can be read, and becomes a test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from sync_engine.simulator.stress.faults import FaultPlan
from sync_engine.simulator.stress.observations import Violation
from sync_engine.simulator.stress.run import simulate_world


@dataclass(frozen=True, slots=True, kw_only=True)
class ShrunkSeed:
    """A smaller world that breaks the same invariant: `simulate(seed=seed, plan=plan)` shows it."""

    seed: int
    plan: FaultPlan
    violations: tuple[Violation, ...]
    worlds: int  # played to find it

    @property
    def faults(self) -> dict[str, float]:
        """The faults that are left, by name, with their rates."""
        return _active_faults(self.plan)

    def __str__(self) -> str:
        left = ", ".join(f"{name}={rate:.3f}" for name, rate in self.faults.items()) or "no fault at all"
        return f"seed {self.seed} still breaks with {left}: {self.violations[0]}"


def shrink_seed(
    seed: int, plan: FaultPlan | None = None, *, on_world: Callable[[int], None] | None = None
) -> ShrunkSeed | None:
    """Leave out one kind of fault after the other while the seed's first invariant still breaks.

    None when the seed breaks nothing. `on_world(played)` is called after each world; some dozens are played.
    """
    smallest_plan = plan if plan is not None else FaultPlan.of_seed(seed)
    violations = simulate_world(seed=seed, plan=smallest_plan).violations
    if not violations:
        return None
    worlds, smaller = 1, True
    while smaller:
        smaller = False
        for name in _active_faults(smallest_plan):
            less = replace(smallest_plan, **{name: 0.0})
            left = simulate_world(seed=seed, plan=less).violations
            worlds += 1
            if on_world is not None:
                on_world(worlds)
            if any(one.invariant == violations[0].invariant for one in left):
                smallest_plan, smaller = less, True
    left = simulate_world(seed=seed, plan=smallest_plan).violations
    same = tuple(one for one in left if one.invariant == violations[0].invariant)
    return ShrunkSeed(seed=seed, plan=smallest_plan, violations=same, worlds=worlds + 1)


def _active_faults(plan: FaultPlan) -> dict[str, float]:
    return {one.name: getattr(plan, one.name) for one in fields(plan) if getattr(plan, one.name)}
