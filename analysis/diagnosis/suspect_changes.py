"""Suspect changes: configuration changes and version rollouts that explain the start of an issue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import exp, log
from typing import Any

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.diagnosis.exposure import Booleans, Exposure, Floats, load_exposure
from analysis.diagnosis.fit import fit_at_adoption, fit_at_time, fit_scope
from analysis.issues.details import UnknownIssue
from analysis.query.filters import Filters
from analysis.query.runner import run_query
from analysis.sync_failures.kinds import load_failure_kinds

_SIGNIFICANT = 0.05
_MIN_AFFECTED = 2
_FIRST_DAYS = 0.02  # share of all time; a version seen this early was rolled out before the data starts

# Prior weights for what a change touches. They do not depend on the time of a change, so the test of its time
# stays valid.
_SAME_FIELD, _SAME_OBJECT, _IN_MESSAGE, _FITS_CAUSE, _OTHER_OBJECT = 20.0, 8.0, 20.0, 6.0, 0.2
_MAX_SCOPE_PENALTY = 4.0  # natural logarithm of the largest reduction for reaching the wrong users
_KINDS_OF_CAUSE: Mapping[str, tuple[str, ...]] = {
    "permission": ("permission_set", "user"),
    "visibility": ("territory", "vmoc", "permission_set"),
    "validation": ("validation_rule", "field"),
    "required": ("field", "object", "validation_rule"),
    "picklist": ("field",),
    "date-limit": ("setting",),
    "sync-configuration": ("vmoc", "setting", "object"),
    "vmoc": ("vmoc",),
    "metadata": ("object", "field"),
    "local-state": ("app_version",),
    "version": ("app_version",),
    "mobile-app": ("app_version",),
}

_CHANGES = """
SELECT change_id, epoch(changed_at) AS at, kind, target, object, field, scope, before, after
FROM config_change ORDER BY changed_at, change_id
"""
_ISSUE = """
SELECT mode(object) AS object, mode(field) AS field, mode(cause) AS cause, any_value(failure_kind) AS failure_kind,
    mode(message) FILTER (WHERE failure_kind IS NULL) AS message
FROM issue_event WHERE issue_id = $issue
"""
_CANDIDATE_COUNTS = """
SELECT (SELECT count(*) FROM sync_tracking__v), (SELECT count(*) FROM config_change),
    (SELECT count(DISTINCT version__v) FROM sync_tracking__v)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspectChange:
    """A change that fits the start of an issue better than chance.

    `change_id` is that of the `config_change` row, or `version VERSION` for a rollout without a row.
    `scope` describes the users that it reached. `affected_in_scope` is the share of affected users that it
    reached before their first hit, `unaffected_in_scope` the share of users in scope who were never hit.
    `lag` is the time from the change to the first hit after it in its scope. `relation` describes the relation
    to the issue; it is empty if none is known. `p_value` is adjusted for the number of changes; `score` orders
    the list.
    """

    change_id: str
    changed_at: datetime
    kind: str
    target: str
    scope: str
    before: str | None
    after: str | None
    affected: int
    affected_in_scope: float
    unaffected_in_scope: float
    lag: timedelta
    relation: str
    p_value: float
    score: float


@dataclass(frozen=True, slots=True)
class _ScoredChange:
    row: Mapping[str, Any]
    weight: float
    relation: str
    reached: Booleans
    since: Floats
    ratio: float
    p_value: float


def suspects(
    connection: DuckDBPyConnection,
    issue_id: str | None = None,
    *,
    onset: datetime | None = None,
    limit: int = 5,
    seed: int = 0,
    **filters: object,
) -> list[SuspectChange]:
    """Rank the changes that could have caused an issue; an empty list means no suspect.

    The candidates are all rows of `config_change` and all versions that appeared during the data. Each is scored
    by how well it separates days with a hit from days without, per user, before and after, inside and outside of
    its scope. Its p-value is how rarely a random time separates them as well (for a rollout: a random order of
    adoption). P-values are adjusted by a weighted Bonferroni bound (Genovese et al. 2006): a change of the object,
    the field or the kind of cause of the issue may fit its start a little less closely.

    A change after `onset` (UTC) is no suspect. Without `issue_id`, failed syncs are the hits. At least two known
    users must be affected: errors without a user have no suspect. Raises UnknownIssue.
    """
    selected = Filters.of(**filters)
    exposure = load_exposure(connection, issue_id, selected)
    if issue_id is not None and not exposure.hit.any() and not _issue_exists(connection, issue_id):
        raise UnknownIssue(issue_id)
    if exposure.affected_users.sum() < _MIN_AFFECTED:
        return []
    attributes = _issue_attributes(connection, issue_id, selected)
    rows = _list_candidates(connection, exposure, selected, onset)
    scored = [_score_change(row, exposure, attributes, seed) for row in rows]
    weights = _weigh_changes(scored, exposure)
    adjusted = [
        change.p_value * sum(weights) / weight for change, weight in zip(scored, weights, strict=True)
    ]
    significant = [
        _build_suspect(change, exposure, p_value)
        for change, p_value in zip(scored, adjusted, strict=True)
        if change.ratio > 0 and p_value <= _SIGNIFICANT
    ]
    significant.sort(key=lambda suspect: (-suspect.score, suspect.changed_at, suspect.change_id))
    return significant[:limit]


def why_unjudged(connection: DuckDBPyConnection) -> str | None:
    """Return why suspects cannot be judged with the loaded data; None if they can."""
    syncs, changes, versions = connection.execute(_CANDIDATE_COUNTS).fetchall()[0]
    if not syncs:
        return (
            "Suspects cannot be judged: no syncs are loaded, so it is unknown who worked without this issue. "
            "Load sync tracking records."
        )
    if not changes and versions < 2:
        return (
            "Suspects cannot be judged: no configuration changes and only one app version are loaded. "
            "Load the audit trails."
        )
    return None


def _issue_exists(connection: DuckDBPyConnection, issue_id: str) -> bool:
    sql = "SELECT 1 FROM issue_event WHERE issue_id = $issue LIMIT 1"
    return connection.execute(sql, {"issue": issue_id}).fetchone() is not None


def _issue_attributes(
    connection: DuckDBPyConnection, issue_id: str | None, filters: Filters
) -> dict[str, str]:
    if issue_id is None:
        return {}
    row = run_query(connection, _ISSUE, filters, {"issue": issue_id}).iloc[0]
    return {str(name): row[name] for name in row.index if isinstance(row[name], str)}


def _list_candidates(
    connection: DuckDBPyConnection, exposure: Exposure, filters: Filters, onset: datetime | None
) -> list[dict[str, Any]]:
    """List the changes within the data, and version rollouts without a row."""
    rows = [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in run_query(connection, _CHANGES, filters).to_dict("records")
    ]
    known_versions = {row["target"] for row in rows if row["kind"] == "app_version"}
    rows += [
        {"change_id": f"version {version}", "at": first_seen, "kind": "app_version", "target": version}
        for version, first_seen in _list_rollouts(exposure)
        if version not in known_versions
    ]
    last = exposure.seconds[exposure.hit].max()
    if onset is not None:
        aware = onset if onset.tzinfo else onset.replace(tzinfo=UTC)
        last = min(last, aware.timestamp())
    return [row for row in rows if exposure.seconds[0] <= row["at"] <= last]


def _list_rollouts(exposure: Exposure) -> list[tuple[str, float]]:
    first_days_end = exposure.seconds[0] + _FIRST_DAYS * (exposure.seconds[-1] - exposure.seconds[0])
    versions = sorted({version for version in exposure.app_version if isinstance(version, str)})
    rollouts = [(version, float(exposure.adoption_times(version).min())) for version in versions]
    return [(version, first_seen) for version, first_seen in rollouts if first_seen > first_days_end]


def _score_change(
    row: dict[str, Any], exposure: Exposure, attributes: Mapping[str, str], seed: int
) -> _ScoredChange:
    weight, relation = _describe_relation(row, attributes)
    since = exposure.adoption_times(row["target"]) if row["kind"] == "app_version" else None
    if since is not None and np.isfinite(since).any():
        reached = np.isfinite(since)
        ratio, p_value = fit_at_adoption(exposure, since, seed)
    else:
        reached = exposure.users_in_scope(row["kind"], row["target"], row.get("scope"))
        since = np.where(reached, row["at"], np.inf)
        ratio, p_value = fit_at_time(exposure, reached, row["at"])
    return _ScoredChange(row, weight, relation, reached, since, ratio, p_value)


def _weigh_changes(scored: Sequence[_ScoredChange], exposure: Exposure) -> list[float]:
    """Weigh relation and scope: half the log likelihood by which a scope is worse than the best one."""
    scope_fits = [
        0.0 if change.row["kind"] == "app_version" else fit_scope(exposure, change.reached)
        for change in scored
    ]
    best = max(scope_fits, default=0.0)
    return [
        change.weight * exp(-min((best - scope_fit) / 2, _MAX_SCOPE_PENALTY))
        if change.row["kind"] != "app_version"
        else change.weight
        for change, scope_fit in zip(scored, scope_fits, strict=True)
    ]


def _describe_relation(row: Mapping[str, Any], attributes: Mapping[str, str]) -> tuple[float, str]:
    """Compare what a change touches with the issue; return a weight and a description."""
    if row.get("object") and row["object"] == attributes.get("object"):
        if row.get("field") and row["field"] == attributes.get("field"):
            return _SAME_FIELD, f"touches the same field, {row['object']}.{row['field']}"
        return _SAME_OBJECT, f"touches the same object, {row['object']}"
    if len(row["target"]) > 3 and row["target"] in attributes.get("message", ""):
        return _IN_MESSAGE, f"the error message names {row['target']}"
    if row.get("object") and attributes.get("object"):
        return _OTHER_OBJECT, ""
    for name, kinds in _possible_causes(attributes):
        if row["kind"] in kinds:
            article = "an" if row["kind"][0] in "aeiou" else "a"
            return _FITS_CAUSE, f"{article} {row['kind']} can cause {name}"
    return 1.0, ""


def _possible_causes(attributes: Mapping[str, str]) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield what the issue is, as text, and the kinds of changes that can cause it."""
    failure = load_failure_kinds().get(attributes.get("failure_kind", ""))
    if failure is not None:
        yield failure.noun, failure.changes
    for word, kinds in _KINDS_OF_CAUSE.items():
        if word in attributes.get("cause", ""):
            yield attributes["cause"], kinds


def _build_suspect(change: _ScoredChange, exposure: Exposure, p_value: float) -> SuspectChange:
    row, affected = change.row, exposure.affected_users
    after = exposure.seconds[exposure.hit & (exposure.seconds >= change.since[exposure.user_index])]
    first_hit = np.full(len(affected), np.inf)
    np.minimum.at(first_hit, exposure.user_index[exposure.hit], exposure.seconds[exposure.hit])
    affected_in_scope = affected & (first_hit >= change.since)
    at = datetime.fromtimestamp(row["at"], UTC).replace(tzinfo=None)
    return SuspectChange(
        change_id=row["change_id"],
        changed_at=at,
        kind=row["kind"],
        target=row["target"],
        scope=_describe_scope(change),
        before=row.get("before"),
        after=row.get("after"),
        affected=int(affected.sum()),
        affected_in_scope=float(affected_in_scope.sum() / affected.sum()),
        unaffected_in_scope=float((change.reached & ~affected).sum() / max(1, change.reached.sum())),
        lag=timedelta(seconds=float(after.min() - row["at"])) if len(after) else timedelta(0),
        relation=change.relation,
        p_value=p_value,
        score=change.ratio + log(change.weight),
    )


def _describe_scope(change: _ScoredChange) -> str:
    if change.row["kind"] == "app_version":
        return f"those with {change.row['target']}"
    if change.reached.all():
        return "everyone"
    return change.row.get("scope") or f"those with {change.row['target']}"
