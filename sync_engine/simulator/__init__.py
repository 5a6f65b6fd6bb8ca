"""Deterministic simulators: `fleet` produces telemetry, `stress` checks invariants under faults."""
