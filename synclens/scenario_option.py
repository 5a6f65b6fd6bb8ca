"""The check that options with scenario names share."""

from __future__ import annotations

from typing import TypeVar

import typer

from sync_engine.simulator.fleet.scenario import SCENARIOS

SCENARIO_NAMES = ", ".join(sorted(SCENARIOS))

Names = TypeVar("Names", str, list[str] | None)


def require_scenarios(names: Names) -> Names:
    """Return the value of an option if every scenario in it exists. Raises BadParameter."""
    for name in [names] if isinstance(names, str) else names or []:
        if name not in SCENARIOS:
            raise typer.BadParameter(f"there is no scenario {name!r}; use one of: {SCENARIO_NAMES}")
    return names
