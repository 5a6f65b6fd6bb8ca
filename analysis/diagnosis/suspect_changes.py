"""Suspect change: which change of configuration, or which roll-out of a version, came before and explains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import exp, log
from typing import Any

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.diagnosis.exposure import Booleans, Exposure, Floats, load_exposure
from analysis.diagnosis.fit import fit_at_adoption, fit_at_time, fit_of_scope
from analysis.issues.details import UnknownIssue
from analysis.query.filters import Filters
from analysis.query.runner import run_query

_SIGNIFICANT = 0.05
_AFFECTED_AT_LEAST = 2
_FIRST_DAYS = 0.02  # share of all time; a version seen that early was there before we looked

# How much more a change is suspected for what it touches, before its time is looked at. What a change
# touches and whom it reaches says nothing of when it was made, so that these weights leave the test honest.
_SAME_FIELD, _SAME_OBJECT, _NAMED, _FITS_CAUSE, _OTHER_OBJECT = 20.0, 8.0, 20.0, 6.0, 0.2
_WRONG_PEOPLE = 4.0  # at most e to this power less suspected for reaching other people than the affected
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
SELECT mode(object) AS object, mode(field) AS field, mode(cause) AS cause, mode(message) AS message
FROM error WHERE issue_id = $issue
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspectChange:
    """A change that explains an onset better than a random moment would, best first in a list.

    `change_id` is that of the `config_change` row, or `version VERSION` for a roll-out that no row tells of.
    `scope` says in words whom it reached. `affected_in_scope` is the share of the affected that it had
    reached when they were first hit, `unaffected_in_scope` the share of those in scope who were never hit,
    `lag` the time from the change to the first hit after it in its scope. `relation` says what it has to do
    with the issue, empty for nothing known. `p_value` is adjusted for the number of changes, `score` orders
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
class _Change:
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
    most: int = 5,
    seed: int = 0,
    **filters: object,
) -> list[SuspectChange]:
    """Rank the changes that could have caused an issue; an empty list means: no suspect.

    Looks at every row of `config_change` and at every version that appeared while we looked, and asks of each
    how well it separates days with a hit from days without one, per user, before and after, in and out of its
    scope; then how rarely a random moment (for a roll-out: a random order of adoption) separates them as
    well. The answer is held to a weighted Bonferroni bound (Genovese et al. 2006): a change that touches the
    object, the field or the kind of cause of the issue may be a little less punctual than one that does not.
    What came after `onset` (UTC) is no suspect. Without `issue_id`, failed syncs are the hits. At least two
    people must be affected, and known: errors that name no user have no suspect. Raises UnknownIssue.
    """
    chosen = Filters.of(**filters)
    known = load_exposure(connection, issue_id, chosen)
    if issue_id is not None and not known.hit.any() and not _exists(connection, issue_id):
        raise UnknownIssue(issue_id)
    if known.affected_users.sum() < _AFFECTED_AT_LEAST:
        return []
    about = _about(connection, issue_id, chosen)
    rows = _candidates(connection, known, chosen, onset)
    judged = [_judged(row, known, about, seed) for row in rows]
    weights = _weights(judged, known)
    adjusted = [
        change.p_value * sum(weights) / weight for change, weight in zip(judged, weights, strict=True)
    ]
    named = [
        _suspect(change, known, p_value)
        for change, p_value in zip(judged, adjusted, strict=True)
        if change.ratio > 0 and p_value <= _SIGNIFICANT
    ]
    return sorted(named, key=lambda one: (-one.score, one.changed_at, one.change_id))[:most]


def _exists(connection: DuckDBPyConnection, issue_id: str) -> bool:
    found = connection.execute("SELECT 1 FROM finding WHERE issue_id = $issue LIMIT 1", {"issue": issue_id})
    return found.fetchone() is not None


def _about(connection: DuckDBPyConnection, issue_id: str | None, filters: Filters) -> dict[str, str]:
    if issue_id is None:
        return {}
    row = run_query(connection, _ISSUE, filters, {"issue": issue_id}).iloc[0]
    return {str(name): row[name] for name in row.index if isinstance(row[name], str)}


def _candidates(
    connection: DuckDBPyConnection, known: Exposure, filters: Filters, onset: datetime | None
) -> list[dict[str, Any]]:
    """List the changes inside the time that we know, and roll-outs without a row of their own."""
    rows = [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in run_query(connection, _CHANGES, filters).to_dict("records")
    ]
    told = {row["target"] for row in rows if row["kind"] == "app_version"}
    rows += [
        {"change_id": f"version {version}", "at": first, "kind": "app_version", "target": version}
        for version, first in _rollouts(known)
        if version not in told
    ]
    last = known.seconds[known.hit].max()
    if onset is not None:
        aware = onset if onset.tzinfo else onset.replace(tzinfo=UTC)
        last = min(last, aware.timestamp())
    return [row for row in rows if known.seconds[0] <= row["at"] <= last]


def _rollouts(known: Exposure) -> list[tuple[str, float]]:
    early = known.seconds[0] + _FIRST_DAYS * (known.seconds[-1] - known.seconds[0])
    versions = sorted({version for version in known.app_version if isinstance(version, str)})
    first = [(version, float(known.adoption_times(version).min())) for version in versions]
    return [(version, at) for version, at in first if at > early]


def _judged(row: dict[str, Any], known: Exposure, about: Mapping[str, str], seed: int) -> _Change:
    weight, relation = _relation(row, about)
    since = known.adoption_times(row["target"]) if row["kind"] == "app_version" else None
    if since is not None and np.isfinite(since).any():
        reached = np.isfinite(since)
        ratio, p_value = fit_at_adoption(known, since, seed)
    else:
        reached = known.users_in_scope(row["kind"], row["target"], row.get("scope"))
        since = np.where(reached, row["at"], np.inf)
        ratio, p_value = fit_at_time(known, reached, row["at"])
    return _Change(row, weight, relation, reached, since, ratio, p_value)


def _weights(judged: Sequence[_Change], known: Exposure) -> list[float]:
    """Weigh relation and people: half the log likelihood by which a scope falls behind the best one."""
    people = [
        0.0 if change.row["kind"] == "app_version" else fit_of_scope(known, change.reached)
        for change in judged
    ]
    best = max(people, default=0.0)
    return [
        change.weight * exp(-min((best - alone) / 2, _WRONG_PEOPLE))
        if change.row["kind"] != "app_version"
        else change.weight
        for change, alone in zip(judged, people, strict=True)
    ]


def _relation(row: Mapping[str, Any], about: Mapping[str, str]) -> tuple[float, str]:
    """Weigh what a change touches against what the issue is about, and say it in words."""
    if row.get("object") and row["object"] == about.get("object"):
        if row.get("field") and row["field"] == about.get("field"):
            return _SAME_FIELD, f"touches the same field, {row['object']}.{row['field']}"
        return _SAME_OBJECT, f"touches the same object, {row['object']}"
    if len(row["target"]) > 3 and row["target"] in about.get("message", ""):
        return _NAMED, f"the error message names {row['target']}"
    if row.get("object") and about.get("object"):
        return _OTHER_OBJECT, ""
    for word, kinds in _KINDS_OF_CAUSE.items():
        if word in about.get("cause", "") and row["kind"] in kinds:
            return _FITS_CAUSE, f"a {row['kind']} can cause {about['cause']}"
    return 1.0, ""


def _suspect(change: _Change, known: Exposure, p_value: float) -> SuspectChange:
    row, affected = change.row, known.affected_users
    after = known.seconds[known.hit & (known.seconds >= change.since[known.user_index])]
    first_hit = np.full(len(affected), np.inf)
    np.minimum.at(first_hit, known.user_index[known.hit], known.seconds[known.hit])
    caught = affected & (first_hit >= change.since)
    at = datetime.fromtimestamp(row["at"], UTC).replace(tzinfo=None)
    return SuspectChange(
        change_id=row["change_id"],
        changed_at=at,
        kind=row["kind"],
        target=row["target"],
        scope=_in_words(change),
        before=row.get("before"),
        after=row.get("after"),
        affected=int(affected.sum()),
        affected_in_scope=float(caught.sum() / affected.sum()),
        unaffected_in_scope=float((change.reached & ~affected).sum() / max(1, change.reached.sum())),
        lag=timedelta(seconds=float(after.min() - row["at"])) if len(after) else timedelta(0),
        relation=change.relation,
        p_value=p_value,
        score=change.ratio + log(change.weight),
    )


def _in_words(change: _Change) -> str:
    if change.row["kind"] == "app_version":
        return f"those with {change.row['target']}"
    return (
        "everyone"
        if change.reached.all()
        else change.row.get("scope") or f"those with {change.row['target']}"
    )
