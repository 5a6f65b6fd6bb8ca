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
from synclens.commands.simulate import play
from synclens.commands.triage import triage
from synclens.options import StoreOption

DEMO_START = datetime(2026, 11, 2, tzinfo=UTC)  # the fortnight of the sample export beside it


def demo(
    store: StoreOption = Path("demo.duckdb"),
    seed: Annotated[int, typer.Option(help="One seed, one fleet.")] = 7,
    devices: Annotated[int, typer.Option(min=1)] = 60,
    days: Annotated[int, typer.Option(min=1)] = 14,
    port: PortOption = 8501,
    also: Annotated[list[Path] | None, typer.Option(help="A file to load beside the simulation.")] = None,
    serve: Annotated[bool, typer.Option(help="Serve the dashboard at the end.")] = True,
) -> None:
    """Simulate a fleet, load it and the files named with --also, print the summary, serve the pages.

    Example: synclens demo --seed 7 --no-serve
    """
    console.info(f"Writing to {store}. The same seed gives the same fleet; a second run changes nothing.")
    play(store, load_scenario("demo"), seed=seed, devices=devices, days=days, start=DEMO_START)
    for report in load_files(store, also or []):
        name = Path(report.source).name
        console.info(f"{name}: {report.rows_in} rows in, {report.rows_rejected} rejected and kept.")
    triage(store)
    if serve:
        dashboard(store, port)
