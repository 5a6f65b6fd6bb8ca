"""Scenarios: named TOML files that list the faults and decoys to inject."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

FOLDER = files("sync_engine.simulator") / "scenarios"
SCENARIOS: tuple[str, ...] = tuple(
    sorted(path.name.removesuffix(".toml") for path in FOLDER.iterdir() if path.name.endswith(".toml"))
)
"""Names of the scenarios."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault that a scenario injects, or a decoy that changes something harmless.

    It starts at `day` and `hour` in UTC, counted from the first simulated day, and lasts `days`, or forever if
    None. `share` is the share of devices or users that it affects.
    """

    name: str
    kind: str
    day: float = 0.0
    hour: float = 9.0
    days: float | None = None
    share: float = 1.0
    rate: float = 1.0
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A named scenario. `background_rate` is the rate of everyday network errors per exchange."""

    name: str
    title: str
    faults: tuple[Fault, ...] = ()
    background_rate: float = 0.004
    population: dict[str, Any] = field(default_factory=dict)
    swarm: bool = False


_FAULT_FIELDS = ("name", "kind", "day", "hour", "days", "share", "rate")


def load_scenario(name: str) -> Scenario:
    """Return the scenario of this name. Raises ValueError with the existing names if there is none."""
    if name not in SCENARIOS:
        raise ValueError(f"there is no scenario {name!r}; use one of: {', '.join(SCENARIOS)}")
    return parse_scenario(name, (FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def parse_scenario(name: str, text: str) -> Scenario:
    """Read a scenario from TOML text."""
    doc = tomllib.loads(text)
    faults = tuple(
        Fault(
            **{key: value for key, value in table.items() if key in _FAULT_FIELDS},
            options={key: value for key, value in table.items() if key not in _FAULT_FIELDS},
        )
        for table in doc.get("fault", [])
    )
    return Scenario(
        name=name,
        title=doc["title"],
        faults=faults,
        background_rate=doc.get("background", 0.004),
        population=doc.get("population", {}),
        swarm=doc.get("swarm", False),
    )
