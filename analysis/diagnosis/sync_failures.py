"""Assess a sync-failure issue: what can be excluded, what is open, and which data to get next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from duckdb import DuckDBPyConnection

from analysis.base.text import pluralize
from analysis.query.filters import Filters
from analysis.query.runner import run_query_rows
from analysis.sync_failures.kinds import FailureKind, load_failure_kinds
from analysis.sync_failures.next_data import NextDatum, rank_next_data

_MIN_OTHERS = 5  # users who synced meanwhile, for an exclusion
_MIN_PER_VALUE = 3  # users with a value
_SIMILAR = 0.5  # smallest ratio of two shares that counts as similar
_MAX_VALUES = 4  # listed in one sentence
_NAMED_USERS = 3
_SERVER = ("server-unavailable", "server-quota")
_LASTING = (
    "password-expired", "sign-in-failed", "access-policy", "app-outdated", "tls-certificate", "server-quota",
    "sync-configuration", "schema-mismatch",
)  # fmt: skip
_ATTRIBUTES = {
    "app_version": "app version", "platform": "platform", "country": "country",
    "security_profile": "security profile",
}  # fmt: skip

_FACTS = """
WITH affected AS (
    SELECT coalesce(user_id, device_id) AS who, min(occurred_at) AS first, max(occurred_at) AS last
    FROM issue_event WHERE issue_id = $issue GROUP BY 1
),
hour AS (SELECT DISTINCT date_trunc('hour', occurred_at) AS hour FROM issue_event WHERE issue_id = $issue),
good AS (
    SELECT coalesce(s.user_id, s.device_id) AS who, s.started_at, s.uploads
    FROM detailed_sync AS s JOIN hour AS h ON h.hour = date_trunc('hour', s.started_at)
    WHERE s.outcome IN ('succeeded', 'succeeded_with_upload_errors')
)
SELECT
    (SELECT count(*) FROM issue_event WHERE issue_id = $issue) AS syncs,
    (SELECT count(*) FROM affected) AS users,
    (SELECT count(*) FROM good WHERE who NOT IN (SELECT who FROM affected)) AS other_syncs,
    (SELECT count(DISTINCT who) FROM good WHERE who NOT IN (SELECT who FROM affected)) AS other_users,
    (SELECT count(DISTINCT a.who) FROM affected AS a JOIN detailed_sync AS s
        ON coalesce(s.user_id, s.device_id) = a.who AND s.started_at > a.first AND s.started_at < a.last
        WHERE s.outcome IN ('succeeded', 'succeeded_with_upload_errors')) AS recovered_users
"""
_BY_VALUE = """
WITH period AS (
    SELECT min(occurred_at) AS first, max(occurred_at) AS last FROM issue_event WHERE issue_id = $issue
),
active AS (
    SELECT DISTINCT coalesce(s.user_id, s.device_id) AS who, s.{attribute} AS value
    FROM sync AS s JOIN period AS p ON s.started_at BETWEEN p.first AND p.last
    WHERE s.{attribute} IS NOT NULL
),
hit AS (
    SELECT DISTINCT coalesce(user_id, device_id) AS who, {attribute} AS value
    FROM issue_event WHERE issue_id = $issue
)
SELECT a.value, count(*) AS users, count(h.who) AS affected
FROM active AS a LEFT JOIN hit AS h ON h.who = a.who AND h.value = a.value
GROUP BY a.value HAVING count(*) >= {least} ORDER BY users DESC, a.value
"""
_USERS = """
SELECT coalesce(user_id, device_id) AS who FROM issue_event WHERE issue_id = $issue
GROUP BY 1 ORDER BY count(*) DESC, max(occurred_at) DESC, 1 LIMIT {limit}
"""
_ISSUE = """
SELECT any_value(failure_kind) AS kind, any_value(message) AS title, min(occurred_at) AS first_seen,
    max(occurred_at) AS last_seen
FROM issue_event WHERE issue_id = $issue
"""
_UNLOADED = {
    "sync_user": "Users are not loaded, so profiles, permission sets and territories cannot be compared.",
    "config_change": "Configuration changes are not loaded, so only app versions can be suspects.",
    "sync_error": "No error events are loaded, so the cause is unknown.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """Something that is not the reason, the evidence in one sentence, and the causes that it excludes."""

    what: str
    evidence: str
    causes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncFailureAssessment:
    """What tracking shows about a sync-failure issue.

    `open_causes` are the causes that remain, `open_questions` sentences about what is not known. `next_data` is
    ordered by the share of the open causes that each decides.
    """

    issue_id: str
    kind: str
    title: str
    description: str
    first_seen: datetime
    last_seen: datetime
    users: int
    syncs: int
    excluded: tuple[Exclusion, ...]
    open_causes: tuple[str, ...]
    open_questions: tuple[str, ...]
    next_data: tuple[NextDatum, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the assessment as values that JSON can hold; times are ISO text."""
        values = {name: getattr(self, name) for name in self.__slots__}
        times = {name: values[name].isoformat() for name in ("first_seen", "last_seen")}
        lists = {name: list(values[name]) for name in ("open_causes", "open_questions")}
        excluded = [
            {"what": item.what, "evidence": item.evidence, "causes": list(item.causes)}
            for item in self.excluded
        ]
        next_data = [datum.to_dict() for datum in self.next_data]
        return values | times | lists | {"excluded": excluded, "next_data": next_data}


def assess_sync_failure(connection: DuckDBPyConnection, issue_id: str) -> SyncFailureAssessment | None:
    """Assess one sync-failure issue; None if the issue consists of errors or does not exist."""
    (issue,) = _rows(connection, _ISSUE, issue_id)
    if issue["kind"] is None:
        return None
    kind = load_failure_kinds()[issue["kind"]]
    (facts,) = _rows(connection, _FACTS, issue_id)
    excluded = tuple(_exclusions(connection, issue_id, kind, facts))
    excluded_causes = {cause for item in excluded for cause in item.causes}
    open_causes = tuple(cause for cause in kind.causes if cause not in excluded_causes)
    users = [str(row["who"]) for row in _rows(connection, _USERS.format(limit=_NAMED_USERS), issue_id)]
    return SyncFailureAssessment(
        issue_id=issue_id,
        kind=kind.name,
        title=issue["title"],
        description=kind.description,
        first_seen=issue["first_seen"],
        last_seen=issue["last_seen"],
        users=facts["users"],
        syncs=facts["syncs"],
        excluded=excluded,
        open_causes=open_causes,
        open_questions=(kind.open_question, *_unloaded(connection)),
        next_data=tuple(rank_next_data(connection, kind.name, open_causes, users)),
    )


def _rows(connection: DuckDBPyConnection, sql: str, issue_id: str) -> list[dict[str, Any]]:
    return run_query_rows(connection, sql, Filters(), {"issue": issue_id})


def _exclusions(
    connection: DuckDBPyConnection, issue_id: str, kind: FailureKind, facts: Mapping[str, int]
) -> Iterator[Exclusion]:
    if kind.excludes:
        evidence = kind.exclusion_evidence.replace("{syncs}", pluralize(facts["syncs"], "sync"))
        yield Exclusion(what=kind.excludes, evidence=evidence)
    if facts["other_users"] >= _MIN_OTHERS:
        others = (
            f"{pluralize(facts['other_syncs'], 'sync')} of {pluralize(facts['other_users'], 'other user')}"
        )
        yield Exclusion(
            what="Vault as a whole", evidence=f"In the same hours {others} succeeded.", causes=_SERVER
        )
    if kind.is_failure and 2 * facts["recovered_users"] >= facts["users"]:
        count = f"{facts['recovered_users']} of {pluralize(facts['users'], 'affected user')}"
        yield Exclusion(
            what="A lasting refusal",
            evidence=f"{count} synced successfully between two of these syncs.",
            causes=_LASTING if kind.name != "records-refused" else (),
        )
    for attribute, label in _ATTRIBUTES.items():
        rows = _rows(connection, _BY_VALUE.format(attribute=attribute, least=_MIN_PER_VALUE), issue_id)
        if _is_similar(rows):
            shares = ", ".join(
                f"{row['affected']} of {row['users']} with {row['value']}" for row in rows[:_MAX_VALUES]
            )
            more = f" and {len(rows) - _MAX_VALUES} more values" if len(rows) > _MAX_VALUES else ""
            causes = ("app-outdated",) if attribute == "app_version" else ()
            yield Exclusion(
                what=f"One {label}", evidence=f"Users of each are affected: {shares}{more}.", causes=causes
            )


def _is_similar(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether users with each value are affected about equally often."""
    shares = [row["affected"] / row["users"] for row in rows]
    return len(shares) > 1 and min(shares) > 0 and min(shares) >= _SIMILAR * max(shares)


def _unloaded(connection: DuckDBPyConnection) -> Iterator[str]:
    for table, sentence in _UNLOADED.items():
        if not connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]:
            yield sentence
