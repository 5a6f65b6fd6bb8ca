"""What a change of the rules would change: today's findings against those of another catalogue."""

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
    """Read a catalogue that is being written. Raises AnalysisError, which says what is wrong with the file."""
    try:
        return Catalogue.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, ValidationError, UnicodeDecodeError) as error:
        first = str(error).splitlines()
        raise AnalysisError(
            f"{path} is not a cause catalogue: {' '.join(first[:3])}",
            next_step="Compare it with the newest file in analysis/classification/causes/.",
        ) from error


def compare_catalogues(
    connection: DuckDBPyConnection, after: Catalogue | None = None, before: Catalogue | None = None
) -> pd.DataFrame:
    """How the rules of `after` judge the errors of a store, where that differs from `before`.

    Both are the newest published catalogue unless given. Only rules are compared; context and people's
    corrections are left out. One row per kind of change with CHANGE_COLUMNS, most events first.
    """
    events = connection.execute(f"SELECT {', '.join(FIELDS)} FROM sync_error ORDER BY event_id").df()
    old, new = (classify(events, each or load_catalogue()) for each in (before, after))
    both = pd.DataFrame({
        "cause_before": old["cause"], "cause_after": new["cause"],
        "rule_before": old["rule"], "rule_after": new["rule"], "message": events["message"],
    })  # fmt: skip
    changed = both[both["cause_before"] != both["cause_after"]]
    keys = ["cause_before", "cause_after", "rule_before", "rule_after"]
    counted = changed.groupby(keys, as_index=False).agg(
        events=("message", "size"), message=("message", "first")
    )
    return counted.sort_values(
        ["events", *keys], ascending=[False, True, True, True, True], ignore_index=True
    )
