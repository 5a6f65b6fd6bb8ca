"""Conclude on every error of a store: its cause with the evidence, and the issue it belongs to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.base.duckdb_frames import lent
from analysis.classification.catalogue import CAUSES, UNKNOWN, Catalogue, load_catalogue
from analysis.classification.classifier import FIELDS, classify
from analysis.classification.context.refinement import settle_by_context
from analysis.grouping.corrections import Correction, corrected
from analysis.grouping.fingerprint import Content, contents_of, fingerprints
from analysis.grouping.issue_ids import GROUPING, replay, templates
from analysis.grouping.merge_rules import apply_rules
from analysis.triage.id_migration import follow
from analysis.triage.states import TriageState

CORRECTED = "corrected-by-a-person"
REGROUPED_COLUMNS = ("issue_before", "issue_after", "grouping_before", "events", "message")


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How many error events were concluded on, into how many issues, and how many stay without a cause."""

    events: int
    issues: int
    unknown: int


def conclude(
    connection: DuckDBPyConnection,
    *,
    corrections: Sequence[Correction] = (),
    rules: Sequence[Mapping[str, Any]] = (),
    catalogue: Catalogue | None = None,
) -> Conclusion:
    """Classify and group all of `sync_error`, and rewrite `finding` in one transaction.

    `corrections` are what people said errors really are; they win, the newest of them over the others. `rules`
    are the merge and unmerge rules of the triage state. `connection` must be able to write.
    """
    chosen = catalogue or load_catalogue()
    events = connection.execute(_EVENTS).df()
    found = events[["event_id"]].join(classify(events, chosen))
    found["evidence"] = [[] for _ in range(len(found))]
    found = settle_by_context(connection, events, found)
    found["issue_id"] = apply_rules(events, issue_ids(events), rules)
    if corrections:
        found = _corrected(found, corrected(contents_of(events), corrections))
    found["retryable"] = [CAUSES[cause].retry for cause in found["cause"]]
    found["side"] = [", ".join(CAUSES[cause].side) for cause in found["cause"]]
    _store(connection, found, chosen)
    return Conclusion(len(found), found["issue_id"].nunique(), int((found["cause"] == UNKNOWN).sum()))


def conclude_minding(
    connection: DuckDBPyConnection, triage: TriageState, *, at: datetime, catalogue: Catalogue | None = None
) -> Conclusion:
    """Conclude as `conclude` does, minding what people decided, and let their decisions follow the errors.

    `at` is the moment that the activity log gives for what follows. A run that is cut short between the store
    and the state file is made up for by the next.
    """
    before = placed(connection)
    said: dict[str, list[Content]] = {}
    for content, issue in before.values():
        said.setdefault(issue, []).append(content)
    triage.settle(said, at=at)
    concluded = conclude(
        connection, corrections=triage.correction_rules(), rules=triage.rules(), catalogue=catalogue
    )
    follow(triage, placed(connection), before, at=at)
    return concluded


def placed(connection: DuckDBPyConnection) -> dict[str, tuple[Content, str]]:
    """In which issue each content of the store is by its findings: fingerprint, a sample, the issue."""
    events = connection.execute(_PLACED).df()
    contents, issues = contents_of(events), list(map(str, events["issue_id"]))
    samples: dict[str, tuple[Content, str]] = {}
    for name, content, issue in zip(fingerprints(contents), contents, issues, strict=True):
        samples[name] = min(samples.get(name, (content, issue)), (content, issue))
    return samples


def regrouped(connection: DuckDBPyConnection, rules: Sequence[Mapping[str, Any]] = ()) -> pd.DataFrame:
    """What the grouping of this version would change in the issues of a store; nothing is written.

    One row with REGROUPED_COLUMNS for each piece of an issue that would not stay as it is: the issue now and
    then, the version that made it, its errors in this piece, and its most usual message there. Largest first.
    """
    events = connection.execute(_REGROUPED).df()
    after = apply_rules(events, issue_ids(events), rules)
    changed = replay(
        dict(zip(events["event_id"], events["issue_id"], strict=True)),
        dict(zip(events["event_id"], after, strict=True)),
    )
    moved = events.assign(issue_after=after)
    moved = moved[moved["issue_id"].isin(changed.keys())].fillna({"message": ""})
    pieces = moved.groupby(["issue_id", "issue_after"], as_index=False).agg(
        grouping=("grouping", "max"),
        events=("event_id", "size"),
        message=("message", lambda said: said.mode().iloc[0]),
    )
    named = pieces.rename(columns={"issue_id": "issue_before", "grouping": "grouping_before"})
    return named.sort_values(
        ["events", "issue_before", "issue_after"], ascending=[False, True, True], ignore_index=True
    )[list(REGROUPED_COLUMNS)]


def issue_ids(events: pd.DataFrame) -> list[str]:
    """The issue of each event: a hash of its error type, object, operation, phase and message template.

    Templates are settled among the messages of the same error type, object, operation and phase.
    """
    ids = [""] * len(events)
    contents = contents_of(events)
    said = [content.message for content in contents]
    alike: dict[tuple[str, ...], list[int]] = {}
    for row, content in enumerate(contents):
        alike.setdefault(content[:-1], []).append(row)
    for values, rows in alike.items():
        for row, template in zip(rows, templates([said[row] for row in rows]), strict=True):
            ids[row] = _id((*values, template))
    return ids


# Distinct: a store says few different things, however many errors it holds.
_PLACED = f"""
SELECT DISTINCT f.issue_id, {", ".join(f"e.{name}" for name in Content._fields)}
FROM finding AS f JOIN sync_error AS e ON e.event_id = f.event_id
"""
_REGROUPED = f"""
SELECT e.event_id, f.issue_id, f."grouping", {", ".join(f"e.{name}" for name in Content._fields)}
FROM finding AS f JOIN sync_error AS e ON e.event_id = f.event_id
ORDER BY e.event_id
"""
_EVENTS = f"""
SELECT event_id, occurred_at, user_id, device_id, sync_id, app_version, {", ".join(FIELDS)}
FROM sync_error ORDER BY event_id
"""


def _id(parts: Sequence[str]) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:12]


def _corrected(found: pd.DataFrame, given: Sequence[Correction | None]) -> pd.DataFrame:
    # A cause that this catalogue no longer has cannot be given; the correction stays for one that has it.
    causes = [rule.cause if rule is not None and rule.cause in CAUSES else None for rule in given]
    said = pd.Series([cause is not None for cause in causes], index=found.index, dtype=bool)
    found.loc[said, "cause"] = [cause for cause in causes if cause is not None]
    found.loc[said, "confidence"] = 1.0
    found.loc[said, "rule"] = CORRECTED
    return found


def _store(connection: DuckDBPyConnection, found: pd.DataFrame, catalogue: Catalogue) -> None:
    rows = found.assign(catalogue=catalogue.version, grouping=GROUPING)
    with lent(connection, "concluded", rows):
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
        connection.commit()
