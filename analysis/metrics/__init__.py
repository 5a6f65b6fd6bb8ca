"""Metrics. Each is one .sql file in this folder; `registry` loads them."""
