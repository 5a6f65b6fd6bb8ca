"""`synclens simulate`: simulate a fleet, or check invariants over many seeds."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

import ingest
from analysis.findings import update_findings
from ingest.config_records import ContextRow
from sync_engine.simulator.fleet.fleet import START
from sync_engine.simulator.fleet.run import simulate_fleet
from sync_engine.simulator.fleet.scenario import Scenario, load_scenario
from sync_engine.simulator.stress.seeds import run_seeds
from sync_engine.simulator.stress.shrink import shrink_seed
from sync_engine.telemetry import Telemetry
from synclens import console
from synclens.clock import now
from synclens.engine_configuration import configuration_rows
from synclens.options import DEFAULT_STORE, StoreOption
from synclens.scenario_option import SCENARIO_NAMES, require_scenarios
from synclens.triage_file import existing_triage


def simulate(
    store: StoreOption = DEFAULT_STORE,
    seed: Annotated[int, typer.Option(help="Random seed. The same seed produces identical output.")] = 1,
    devices: Annotated[int, typer.Option(min=1, help="Number of simulated devices.")] = 60,
    days: Annotated[int, typer.Option(min=1, help="Number of simulated days.")] = 14,
    scenario: Annotated[
        str, typer.Option(callback=require_scenarios, help=f"Fault scenario: {SCENARIO_NAMES}.")
    ] = "demo",
    start: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="First simulated day, in UTC.")
    ] = START,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="Number of seeds to check invariants with, instead of loading a fleet."),
    ] = None,
    first_seed: Annotated[int, typer.Option(help="First seed for --seeds.")] = 0,
    jobs: Annotated[
        int, typer.Option(min=1, help="Number of processes for --seeds; one per core is fastest.")
    ] = 1,
    shrink: Annotated[
        int | None,
        typer.Option(help="Seed of the storm scenario to reduce to the faults that break an invariant."),
    ] = None,
) -> None:
    """Simulate a fleet with the reference engine and load its telemetry into the store.

    With --seeds, run that many small simulations with many faults instead, check every invariant, and store nothing.
    Exits 1 and prints the seed if an invariant is violated. --shrink finds the faults of a seed that matter.

    Examples:
      synclens simulate --seed 7 --devices 60 --days 14 --store demo.duckdb

      synclens simulate --scenario storm --seeds 10000 --jobs 2

    """
    loaded_scenario = load_scenario(scenario)
    if shrink is not None:
        _shrink(shrink)
    elif seeds is not None:
        _check_seeds(loaded_scenario, first_seed, seeds, jobs)
    else:
        simulate_into_store(
            store, loaded_scenario, seed=seed, devices=devices, days=days, start=start.replace(tzinfo=UTC)
        )


def simulate_into_store(
    path: Path, scenario: Scenario, *, seed: int, devices: int, days: int, start: datetime
) -> None:
    """Simulate a fleet into the store at `path`, then update its findings."""
    started = now()
    end = start + timedelta(days=days)
    context: list[Telemetry | ContextRow] = []
    with console.progress(f"Simulating {devices} devices over {days} days", days) as advance:
        rows: list[Telemetry | ContextRow] = list(
            simulate_fleet(
                scenario=scenario,
                seed=seed,
                device_count=devices,
                days=days,
                start=start,
                on_day=lambda *_: advance(),
                on_end=lambda vault: context.extend(configuration_rows(vault, end)),
            )
        )
    source = f"simulation {scenario.name} seed {seed}, {devices} devices, {days} days"
    with ingest.open_store(path, read_only=False) as store:
        reports = ingest.append(store, rows + context, source=source, started_at=started, clock=now)
        update = update_findings(store, existing_triage(path), at=now())
    for report in reports:
        console.info(f"  {report.kind}: {report.rows_in} rows, {report.rows_new} new")
    console.info(f"{update.events} errors in {update.issues} issues.")


def _check_seeds(scenario: Scenario, first_seed: int, count: int, jobs: int) -> None:
    with console.progress(f"Simulating {count} seeds of {scenario.name}", count) as advance:
        report = run_seeds(
            scenario,
            first_seed=first_seed,
            count=count,
            jobs=jobs,
            on_seed=lambda *_: advance(),
            timer=time.perf_counter,
        )
    for violation in report.violations:
        console.print_output(f"seed {violation.seed}: {violation.reason}")
    console.print_output(report.summary())
    if report.violations:
        raise typer.Exit(console.EXIT_PROBLEM_FOUND)


def _shrink(seed: int) -> None:
    with console.progress(f"Removing faults from seed {seed}", None) as advance:
        result = shrink_seed(seed, on_world=lambda *_: advance())
    if result is None:
        console.print_output(f"Seed {seed} violates no invariant.")
        return
    console.print_output(str(result))
    raise typer.Exit(console.EXIT_PROBLEM_FOUND)
