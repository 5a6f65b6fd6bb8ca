"""A deterministic world around the engine: fleets that emit telemetry, and small worlds full of faults."""

from sync_engine.simulator.fleet import START, simulate_fleet
from sync_engine.simulator.scenario import SCENARIOS, Plant, Scenario, load_scenario

__all__ = ["SCENARIOS", "START", "Plant", "Scenario", "load_scenario", "simulate_fleet"]
