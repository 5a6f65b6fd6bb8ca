"""`synclens demo`: simulate a fleet, load it, and serve the dashboard."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from sync_engine.simulator.fleet.scenario import load_scenario
from synclens import console
from synclens.commands.dashboard import PortOption, dashboard
from synclens.commands.load import load_files
from synclens.commands.simulate import simulate_into_store
from synclens.commands.triage import triage
from synclens.load_report import print_load_reports
from synclens.options import StoreOption

DEMO_START = datetime(2026, 11, 2, tzinfo=UTC)  # the two weeks that the sample export covers


def demo(
    store: StoreOption = Path("demo.duckdb"),
    seed: Annotated[int, typer.Option(help="Random seed. The same seed produces an identical fleet.")] = 7,
    devices: Annotated[int, typer.Option(min=1, help="Number of simulated devices.")] = 60,
    days: Annotated[int, typer.Option(min=1, help="Number of simulated days.")] = 14,
    port: PortOption = 8501,
    files: Annotated[
        list[Path] | None, typer.Option("--load", help="Additional file to load. Repeatable.")
    ] = None,
    serve: Annotated[bool, typer.Option(help="Serve the dashboard when the data is loaded.")] = True,
) -> None:
    """Simulate a fleet, load it, print the triage summary, and serve the dashboard.

    Example: synclens demo --seed 7 --no-serve
    """
    console.info(f"Writing to {store}. A second run with the same seed changes nothing.")
    simulate_into_store(store, load_scenario("demo"), seed=seed, devices=devices, days=days, start=DEMO_START)
    if files:
        print_load_reports(load_files(store, files))
    triage(store)
    if serve:
        dashboard(store, port)
