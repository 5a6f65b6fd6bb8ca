"""Conclude on every error of a store: its cause with the evidence, and the issue it belongs to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.catalogue import CAUSES, UNKNOWN, Catalogue, load_catalogue
from analysis.classify import FIELDS, classify
from analysis.context import settle_by_context
from analysis.grouping import GROUPING, templates
from analysis.grouping.rules import apply_rules

CORRECTED = "corrected-by-a-person"
_KEY = ("error_type", "object", "operation", "phase")


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How many error events were concluded on, into how many issues, and how many stay without a cause."""

    events: int
    issues: int
    unknown: int


def conclude(
    connection: DuckDBPyConnection,
    *,
    corrections: Mapping[str, str] | None = None,
    rules: Sequence[Mapping[str, Any]] = (),
    catalogue: Catalogue | None = None,
) -> Conclusion:
    """Classify and group all of `sync_error`, and rewrite `finding` in one transaction.

    `corrections` maps an issue id or an event id to the cause that a person gave it; it wins. `rules` are the
    merge and unmerge rules of the triage state. `connection` must be able to write.
    """
    chosen = catalogue or load_catalogue()
    events = connection.execute(_EVENTS).df()
    found = events[["event_id"]].join(classify(events, chosen))
    found["evidence"] = [[] for _ in range(len(found))]
    found = settle_by_context(connection, events, found)
    found["issue_id"] = apply_rules(events, issue_ids(events), rules)
    found = _corrected(found, corrections or {})
    found["retryable"] = [CAUSES[cause].retry for cause in found["cause"]]
    found["side"] = [", ".join(CAUSES[cause].side) for cause in found["cause"]]
    _store(connection, found, chosen)
    return Conclusion(len(found), found["issue_id"].nunique(), int((found["cause"] == UNKNOWN).sum()))


def issue_ids(events: pd.DataFrame) -> list[str]:
    """The issue of each event: a hash of its error type, object, operation, phase and message template.

    Templates are settled among the messages of the same error type, object, operation and phase.
    """
    ids = [""] * len(events)
    key = [_text(events, name) for name in _KEY]
    said = ["" if pd.isna(message) else str(message) for message in events["message"]]
    alike: dict[tuple[str, ...], list[int]] = {}
    for row, values in enumerate(zip(*key, strict=True)):
        alike.setdefault(tuple(map(str, values)), []).append(row)
    for values, rows in alike.items():
        for row, template in zip(rows, templates([said[row] for row in rows]), strict=True):
            ids[row] = _id((*values, template))
    return ids


_EVENTS = f"""
SELECT event_id, occurred_at, user_id, device_id, sync_id, app_version, {", ".join(FIELDS)}
FROM sync_error ORDER BY event_id
"""


def _text(events: pd.DataFrame, name: str) -> pd.Series:
    return events[name].fillna("").astype("str")


def _id(parts: Sequence[str]) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:12]


def _corrected(found: pd.DataFrame, corrections: Mapping[str, str]) -> pd.DataFrame:
    given = found["event_id"].map(corrections).fillna(found["issue_id"].map(corrections))
    said = given.notna()
    found.loc[said, "cause"] = given[said]
    found.loc[said, "confidence"] = 1.0
    found.loc[said, "rule"] = CORRECTED
    return found


def _store(connection: DuckDBPyConnection, found: pd.DataFrame, catalogue: Catalogue) -> None:
    rows = found.assign(catalogue=catalogue.version, grouping=GROUPING)
    connection.register("concluded", rows)
    connection.begin()
    try:
        connection.execute("DELETE FROM finding")
        connection.execute(
            """INSERT INTO finding BY NAME
            SELECT event_id, issue_id, cause, confidence, rule, also::VARCHAR[] AS also,
                evidence::VARCHAR[] AS evidence, retryable, side, catalogue, "grouping"
            FROM concluded"""
        )
    except BaseException:
        connection.rollback()
        raise
    finally:
        connection.unregister("concluded")
    connection.commit()
