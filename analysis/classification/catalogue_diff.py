"""Compare the causes that two catalogues assign to the errors of a store."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pandas as pd
from duckdb import DuckDBPyConnection
from pydantic import ValidationError

from analysis.base.errors import AnalysisError
from analysis.classification.catalogue import Catalogue, load_catalogue
from analysis.classification.classifier import FIELDS, classify

COMPARISON_COLUMNS = ("cause_before", "cause_after", "rule_before", "rule_after", "events", "message")


def read_catalogue(path: Path) -> Catalogue:
    """Read a catalogue file. Raises AnalysisError with the reason if the file is not a valid catalogue."""
    try:
        return Catalogue.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, ValidationError, UnicodeDecodeError) as error:
        lines = str(error).splitlines()
        raise AnalysisError(
            f"{path} is not a cause catalogue: {' '.join(lines[:3])}",
            next_step="Compare the file with the newest one in analysis/classification/causes/.",
        ) from error


def compare_catalogues(
    connection: DuckDBPyConnection, after: Catalogue | None = None, before: Catalogue | None = None
) -> pd.DataFrame:
    """List the causes that differ between two catalogues for the errors of a store.

    Both default to the newest published catalogue. Only their rules are compared, without context rules and manual
    corrections. Returns one row per kind of change with COMPARISON_COLUMNS, most events first.
    """
    events = connection.execute(f"SELECT {', '.join(FIELDS)} FROM sync_error ORDER BY event_id").df()
    old, new = (classify(events, catalogue or load_catalogue()) for catalogue in (before, after))
    findings = pd.DataFrame({
        "cause_before": old["cause"], "cause_after": new["cause"],
        "rule_before": old["rule"], "rule_after": new["rule"], "message": events["message"],
    })  # fmt: skip
    changes = findings[findings["cause_before"] != findings["cause_after"]]
    keys = ["cause_before", "cause_after", "rule_before", "rule_after"]
    counts = changes.groupby(keys, as_index=False).agg(
        events=("message", "size"), message=("message", "first")
    )
    return counts.sort_values(["events", *keys], ascending=[False, True, True, True, True], ignore_index=True)
