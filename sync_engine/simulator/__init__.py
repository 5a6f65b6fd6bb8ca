"""A deterministic world around the engine: fleets that emit telemetry, and small worlds full of faults."""

from sync_engine.simulator.faults import CALM, FaultPlan
from sync_engine.simulator.fleet import START, Fleet
from sync_engine.simulator.playing import play, simulate_fleet
from sync_engine.simulator.scenario import SCENARIOS, Plant, Scenario, load_scenario
from sync_engine.simulator.seeds import SeedReport, SeedViolation, run_seeds
from sync_engine.simulator.shrinking import Shrunk, shrink
from sync_engine.simulator.storm import Run, simulate

__all__ = [
    "CALM",
    "SCENARIOS",
    "START",
    "FaultPlan",
    "Fleet",
    "Plant",
    "Run",
    "Scenario",
    "SeedReport",
    "SeedViolation",
    "Shrunk",
    "load_scenario",
    "play",
    "run_seeds",
    "shrink",
    "simulate",
    "simulate_fleet",
]
