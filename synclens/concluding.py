"""Concluding on a store, minding what people decided about it: their corrections and grouping rules."""

from __future__ import annotations

from pathlib import Path

from duckdb import DuckDBPyConnection

import analysis
from analysis.findings import conclude_minding
from dashboard.launcher import state_path
from synclens.clock import now


def conclude(store: DuckDBPyConnection, path: Path) -> analysis.Conclusion:
    """Classify and group every error of `store`, the file at `path`, minding what people decided."""
    if not state_path(path).exists():
        return analysis.conclude(store)
    return conclude_minding(store, analysis.TriageState.beside(path), at=now())
