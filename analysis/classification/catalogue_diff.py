"""Compare the causes that two catalogues assign to the errors of a store."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.base.errors import AnalysisError
from analysis.classification.catalogue import Catalogue, Rule, load_catalogue, read_documents
from analysis.classification.classifier import FIELDS, classify

COMPARISON_COLUMNS = ("cause_before", "cause_after", "rule_before", "rule_after", "events", "message")


def read_catalogue(path: Path) -> Catalogue:
    """Read a draft: the folder of a catalogue, or a file of rules to add to the newest catalogue.

    A rule without `order` in such a file is tried before all others. Raises AnalysisError with the reason if the
    draft is not valid.
    """
    try:
        if path.is_dir():
            return Catalogue.model_validate(read_documents(path))
        return _add_rules(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:  # a TOML, pydantic or Unicode error is a ValueError
        lines = str(error).splitlines()
        raise AnalysisError(
            f"{path} is not a cause catalogue: {' '.join(lines[:3])}",
            next_step="Compare it with the newest folder in analysis/classification/causes/.",
        ) from error


def _add_rules(draft: dict[str, Any]) -> Catalogue:
    if other := sorted(draft.keys() - {"rule", "version"}):
        raise ValueError(f"a file of rules to add has only version and [[rule]], not {', '.join(other)}")
    newest = load_catalogue()
    added = [Rule.model_validate(rule) for rule in draft.get("rule", [])]
    version = draft.get("version", newest.version)
    return Catalogue(**(dict(newest) | {"version": version, "rule": (*added, *newest.rule)}))


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
