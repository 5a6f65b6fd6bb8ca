"""Triage state: what users decide about issues, stored in SQLite beside the store."""
