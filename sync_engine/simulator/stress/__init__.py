"""Simulate small worlds with many faults and check invariants."""
