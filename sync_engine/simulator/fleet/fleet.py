"""A simulated fleet: its Vault, its reps with their devices, and its schedule."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from sync_engine.simulator.fleet.environment import GroundTruth, Origin
from sync_engine.simulator.fleet.rep import DAY, Rep
from sync_engine.simulator.fleet.scenario import Fault, Scenario
from sync_engine.simulator.scheduler import Scheduler
from sync_engine.vault.state import Vault

START = datetime(2026, 3, 2, tzinfo=UTC)
"""The default first day, a Monday."""


@dataclass(slots=True, kw_only=True)
class Fleet:
    """The state of one simulated fleet; faults change it."""

    scenario: Scenario
    seed: int
    start: float
    days: int
    scheduler: Scheduler
    vault: Vault
    ground_truth: GroundTruth
    rng: Random
    reps: list[Rep] = field(default_factory=list)

    def attribute(self, fault: Fault, key: str, change_id: str | None, cause: str = "") -> None:
        """Attribute refusals that name `key` to this fault from now on."""
        self.ground_truth.injected[key] = Origin(cause, fault.name, change_id)

    def select_reps(self, fault: Fault, rng: Random) -> list[Rep]:
        """Select the reps that a fault affects, by share, platform and permission set."""
        platform, name = fault.options.get("platform"), fault.options.get("permission_set")
        candidates = [
            rep
            for rep in self.reps
            if (platform is None or rep.profile.platform == platform)
            and (name is None or self.vault.live["user"][rep.profile.user_id]["permission_set"] == name)
        ]
        count = max(1, round(fault.share * len(candidates))) if candidates else 0
        return rng.sample(candidates, count)

    def run_day(self, day: int) -> None:
        """Simulate until the end of a day, counted from 0."""
        self.scheduler.run_until(self.start + (day + 1) * DAY)

    def schedule(self, task: Coroutine[Any, Any, Any], day: float, hour: float) -> None:
        """Start a task at an hour of a simulated day, UTC."""
        self.scheduler.spawn(task, max(0.0, self.start + day * DAY + hour * 3600 - self.scheduler.now))
