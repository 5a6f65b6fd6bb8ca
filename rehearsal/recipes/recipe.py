"""How each cause is planted in the engine, and what may mend it: the steps of its playbook, carried out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rehearsal.issue_case import MOST_NAMED, Case
from rehearsal.result import Unit
from rehearsal.sandbox import Shape, Stage
from sync_engine.json_docs import JsonDict

Act = Callable[[Stage], None]


@dataclass(frozen=True, slots=True)
class Way:
    """One thing to try; the stage syncs once more after it."""

    name: str
    who: str
    act: Act


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to rebuild one kind of trouble. `unfit` gives the reason when it cannot be for this case.

    `refused_as` is the cause under which the engine's Vault refuses such a record, where it is another one.
    `visit` has further fields of the call that a device is assumed to hold, which every device then holds.
    """

    assumes: str
    plant: Act
    ways: tuple[Way, ...]
    unit: Unit = "records"
    shape: Shape | None = None
    refused_as: str | None = None
    visit: JsonDict = field(default_factory=dict)
    before: Act = field(default=lambda _: None)
    unfit: Callable[[Case], str | None] = field(default=lambda _: None)


def nothing(_: Stage) -> None:
    """Change nothing."""


def right_ways(case: Case, name: str, give: Callable[[Stage, tuple[str, ...]], None]) -> tuple[Way, ...]:
    """Give a right back in every permission set that the case knows of; where they are few, in each alone too."""
    everywhere = Way(f"{name}{case.in_sets}", "admin", lambda stage: give(stage, stage.permission_sets))
    few = case.sets if 1 < len(case.sets) <= MOST_NAMED else ()
    return (everywhere, *(Way(f"{name} in {one} alone", "admin", _in_one(give, one)) for one in few))


def _in_one(give: Callable[[Stage, tuple[str, ...]], None], name: str) -> Act:
    return lambda stage: give(stage, (name,))


AGAIN = Way("Only sync again", "user", nothing)
