"""Update the findings of a store: the cause, the evidence and the issue of each error event."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.base.duckdb_frames import registered_frame
from analysis.classification.catalogue import CAUSES, UNKNOWN, Catalogue, load_catalogue
from analysis.classification.classifier import FIELDS, classify
from analysis.classification.context.refinement import refine_by_context
from analysis.grouping.corrections import Correction, match_corrections
from analysis.grouping.fingerprint import Content, compute_fingerprints, extract_contents
from analysis.grouping.issue_ids import GROUPING_VERSION, compare_groupings, find_templates
from analysis.grouping.merge_rules import GroupingRule, apply_grouping_rules
from analysis.sync_failures.detection import find_sync_failures
from analysis.triage.id_migration import SYNC_PREFIX, migrate_decisions
from analysis.triage.states import TriageState

CORRECTION_RULE_ID = "corrected-by-a-person"
REGROUPING_COLUMNS = ("issue_before", "issue_after", "grouping_before", "events", "message")


@dataclass(frozen=True, slots=True)
class FindingsUpdate:
    """Counts after an update: error events, their issues, and the events whose cause is unknown.

    `sync_failure_issues` are the issues of failed syncs without an error event.
    """

    events: int
    issues: int
    unknown: int
    sync_failure_issues: int


def update_findings(
    connection: DuckDBPyConnection,
    triage: TriageState | None = None,
    *,
    at: datetime | None = None,
    catalogue: Catalogue | None = None,
) -> FindingsUpdate:
    """Classify and group every row of `sync_error` and every failed sync without one, and rewrite both findings.

    `connection` must be writable; the tables are rewritten in one transaction. With `triage`, manual corrections
    replace the causes of the rules (a newer correction replaces an older one), merge rules apply to the issues,
    and decisions on an issue follow its errors, or failed syncs, to their new issue. `at` is then required: it is
    the timestamp of the new entries in the activity log. If a run stops between the store and the triage state, the
    next run completes it.
    """
    if triage is None:
        return _write_findings(connection, (), (), catalogue)
    if at is None:
        raise TypeError("update_findings() with a triage state also needs `at`")
    before: dict[str, set[str]] = {}
    contents_by_issue: dict[str, list[Content]] = {}
    for (name, issue), content in _read_contents(connection).items():
        before.setdefault(name, set()).add(issue)
        contents_by_issue.setdefault(issue, []).append(content)
    for name, (_, issue) in _map_outer_syncs_to_issues(connection).items():
        before[name] = {issue}
    triage.bind_to_contents(contents_by_issue, at=at)
    update = _write_findings(connection, triage.correction_rules(), triage.grouping_rules(), catalogue)
    now = map_contents_to_issues(connection) | _map_outer_syncs_to_issues(connection)
    migrate_decisions(triage, now, before, at=at)
    return update


def map_contents_to_issues(connection: DuckDBPyConnection) -> dict[str, tuple[Content, str]]:
    """Map the fingerprint of each content in the store to a sample of it and its issue."""
    samples: dict[str, tuple[Content, str]] = {}
    for (name, issue), content in _read_contents(connection).items():
        samples[name] = min(samples.get(name, (content, issue)), (content, issue))
    return samples


def _read_contents(connection: DuckDBPyConnection) -> dict[tuple[str, str], Content]:
    """Map each fingerprint in the store, with each of its issues, to a sample of its content.

    One fingerprint can have several issues if an earlier version of the grouping wrote the findings.
    """
    events = connection.execute(_CONTENTS_AND_ISSUES).df()
    contents = extract_contents(events)
    samples: dict[tuple[str, str], Content] = {}
    for fingerprint, content, issue in zip(
        compute_fingerprints(contents), contents, map(str, events["issue_id"]), strict=True
    ):
        key = fingerprint, issue
        samples[key] = min(samples.get(key, content), content)
    return samples


def _map_outer_syncs_to_issues(connection: DuckDBPyConnection) -> dict[str, tuple[Content, str]]:
    """Map the first and last sync of each user in a sync-failure issue to the issue, as if they were contents.

    Decisions on an issue follow these syncs if its id changes. Older data change the first ones, newer data the last.
    """
    rows = connection.execute(_OUTER_SYNCS).fetchall()
    return {
        f"{SYNC_PREFIX}{sync}": (Content(message=str(sync)), str(issue))
        for issue, *syncs in rows
        for sync in syncs
    }


def preview_regrouping(connection: DuckDBPyConnection, rules: Sequence[GroupingRule] = ()) -> pd.DataFrame:
    """List the issues that the current grouping version would change; nothing is written.

    One row with REGROUPING_COLUMNS for each pair of an old and a new issue that share events: both ids, the
    grouping version of the old one, the number of shared events and their most frequent message. Most events
    first.
    """
    events = connection.execute(_GROUPED_EVENTS).df()
    new_issues = apply_grouping_rules(events, assign_issue_ids(events), rules)
    changes = compare_groupings(
        dict(zip(events["event_id"], events["issue_id"], strict=True)),
        dict(zip(events["event_id"], new_issues, strict=True)),
    )
    moved = events.assign(issue_after=new_issues)
    moved = moved[moved["issue_id"].isin(changes.keys())].fillna({"message": ""})
    pairs = moved.groupby(["issue_id", "issue_after"], as_index=False).agg(
        grouping=("grouping", "max"),
        events=("event_id", "size"),
        message=("message", lambda messages: messages.mode().iloc[0]),
    )
    renamed = pairs.rename(columns={"issue_id": "issue_before", "grouping": "grouping_before"})
    return renamed.sort_values(
        ["events", "issue_before", "issue_after"], ascending=[False, True, True], ignore_index=True
    )[list(REGROUPING_COLUMNS)]


def assign_issue_ids(events: pd.DataFrame) -> list[str]:
    """Return the issue id of each event: a hash of its content with the message template.

    The template of a message depends only on messages with the same error type, object, operation and phase.
    """
    ids = [""] * len(events)
    contents = extract_contents(events)
    rows_by_key: dict[tuple[str, ...], list[int]] = {}
    for row, content in enumerate(contents):
        rows_by_key.setdefault(content[:-1], []).append(row)
    for key, rows in rows_by_key.items():
        messages = [contents[row].message for row in rows]
        for row, template in zip(rows, find_templates(messages), strict=True):
            ids[row] = _hash((*key, template))
    return ids


def describe_possible_causes(also: Sequence[str], chances: Sequence[float]) -> list[str]:
    """Return the sentence on the likelier causes of an unknown error and their chances; none if none is likely."""
    named = [
        f"{CAUSES[cause].title} ({chance:.0%})"
        for cause, chance in zip(also, chances, strict=False)
        if chance >= LEAST_CHANCE
    ]
    return [f"The message does not state the cause. Possible: {', '.join(named)}."] if named else []


def read_events(connection: DuckDBPyConnection) -> pd.DataFrame:
    """Read the columns of `sync_error` that classification, context rules and grouping use."""
    return connection.execute(_EVENTS).df()


def classify_events(events: pd.DataFrame, catalogue: Catalogue | None = None) -> pd.DataFrame:
    """Classify events by the catalogue alone: event_id, the columns of `classify`, and empty `evidence`."""
    findings = events[["event_id"]].join(classify(events, catalogue))
    findings["evidence"] = [[] for _ in range(len(findings))]
    return findings


LEAST_CHANCE = 0.05
"""Causes with a smaller chance are not named."""

# DISTINCT, because a store has few different contents, however many errors it holds.
_CONTENTS_AND_ISSUES = f"""
SELECT DISTINCT f.issue_id, {", ".join(f"e.{name}" for name in Content._fields)}
FROM finding AS f JOIN sync_error AS e ON e.event_id = f.event_id
"""
_OUTER_SYNCS = """
SELECT f.issue_id, arg_min(f.sync_id, (s.started_at, s.sync_id)), arg_max(f.sync_id, (s.started_at, s.sync_id))
FROM sync_finding AS f JOIN detailed_sync AS s ON s.sync_id = f.sync_id
WHERE f.issue_id IS NOT NULL
GROUP BY f.issue_id, s.user_id ORDER BY ALL
"""
_GROUPED_EVENTS = f"""
SELECT e.event_id, f.issue_id, f."grouping", {", ".join(f"e.{name}" for name in Content._fields)}
FROM finding AS f JOIN sync_error AS e ON e.event_id = f.event_id
ORDER BY e.event_id
"""
_EVENTS = f"""
SELECT event_id, occurred_at, user_id, device_id, sync_id, app_version, {", ".join(FIELDS)}
FROM sync_error ORDER BY event_id
"""


def _write_findings(
    connection: DuckDBPyConnection,
    corrections: Sequence[Correction],
    rules: Sequence[GroupingRule],
    catalogue: Catalogue | None,
) -> FindingsUpdate:
    catalogue = catalogue or load_catalogue()
    events = read_events(connection)
    findings = refine_by_context(connection, events, classify_events(events, catalogue))
    findings["issue_id"] = apply_grouping_rules(events, assign_issue_ids(events), rules)
    if corrections:
        findings = _correct(findings, match_corrections(extract_contents(events), corrections))
    findings["evidence"] = [
        [*evidence, *describe_possible_causes(also, chances)] if cause == UNKNOWN else evidence
        for cause, also, chances, evidence in zip(
            *(findings[name] for name in ("cause", "also", "chances", "evidence")), strict=True
        )
    ]
    findings["retryable"] = [CAUSES[cause].retry for cause in findings["cause"]]
    findings["side"] = [", ".join(CAUSES[cause].side) for cause in findings["cause"]]
    failed_syncs = find_sync_failures(connection)
    _replace_findings(connection, findings, catalogue, failed_syncs)
    unknown = int((findings["cause"] == UNKNOWN).sum())
    return FindingsUpdate(
        len(findings), findings["issue_id"].nunique(), unknown, failed_syncs["issue_id"].nunique()
    )


def _hash(parts: Sequence[str]) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:12]


def _correct(findings: pd.DataFrame, corrections: Sequence[Correction | None]) -> pd.DataFrame:
    # A correction whose cause is missing from this catalogue is skipped, and kept for one that has the cause.
    causes = [rule.cause if rule is not None and rule.cause in CAUSES else None for rule in corrections]
    is_corrected = pd.Series([cause is not None for cause in causes], index=findings.index, dtype=bool)
    findings.loc[is_corrected, "cause"] = [cause for cause in causes if cause is not None]
    findings.loc[is_corrected, "confidence"] = 1.0
    findings.loc[is_corrected, "rule"] = CORRECTION_RULE_ID
    return findings


def _replace_findings(
    connection: DuckDBPyConnection, findings: pd.DataFrame, catalogue: Catalogue, failed_syncs: pd.DataFrame
) -> None:
    rows = findings.assign(catalogue=catalogue.version, grouping=GROUPING_VERSION)
    with (
        registered_frame(connection, "new_finding", rows),
        registered_frame(connection, "new_sync_finding", failed_syncs),
    ):
        connection.begin()
        try:
            connection.execute("DELETE FROM finding")
            connection.execute(
                """INSERT INTO finding BY NAME
                SELECT event_id, issue_id, cause, confidence, rule, also::VARCHAR[] AS also,
                    evidence::VARCHAR[] AS evidence, retryable, side, catalogue, "grouping"
                FROM new_finding"""
            )
            connection.execute("DELETE FROM sync_finding")
            connection.execute("INSERT INTO sync_finding BY NAME SELECT * FROM new_sync_finding")
        except BaseException:
            connection.rollback()
            raise
        connection.commit()
