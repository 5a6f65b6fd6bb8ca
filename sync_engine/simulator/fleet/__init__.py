"""Simulate a fleet of devices over days and emit its telemetry."""
