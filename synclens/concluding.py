"""Concluding on a store, minding what people decided about it: their corrections and grouping rules."""

from __future__ import annotations

from pathlib import Path

from duckdb import DuckDBPyConnection

import analysis
from dashboard.launch import state_path


def conclude(store: DuckDBPyConnection, path: Path) -> analysis.Conclusion:
    """Classify and group every error of `store`, the file at `path`, minding what people decided."""
    if not state_path(path).exists():
        return analysis.conclude(store)
    triage = analysis.TriageState.beside(path)
    return analysis.conclude(store, corrections=triage.corrections(), rules=triage.rules())
