"""Open the triage state that belongs to a store."""

from __future__ import annotations

from pathlib import Path

from analysis.triage.database import triage_path
from analysis.triage.states import TriageState


def existing_triage(store: Path) -> TriageState | None:
    """Open the triage state of the store at `store`; None if no decision has been made yet."""
    return TriageState.for_store(store) if triage_path(store).exists() else None
