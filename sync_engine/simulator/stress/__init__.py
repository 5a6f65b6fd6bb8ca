"""Simulate small worlds full of faults and check invariants."""
