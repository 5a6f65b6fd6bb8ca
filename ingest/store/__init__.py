"""The DuckDB store: open, migrate, merge, delete."""
