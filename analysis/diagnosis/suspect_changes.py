"""Suspect changes: configuration changes and version rollouts that explain the start of an issue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import exp, log

import numpy as np
from duckdb import DuckDBPyConnection

from analysis.diagnosis.change_groups import ChangeGroup, ChangeRow, load_change_groups
from analysis.diagnosis.change_relation import IssueFeatures, Relation, load_issue_features, relate
from analysis.diagnosis.exposure import Booleans, Exposure, Floats, load_exposure, names_one_user
from analysis.diagnosis.fit import add_user_evidence, fit_at_adoption, fit_at_time, fit_scope
from analysis.issues.details import UnknownIssue
from analysis.query.filters import Filters

_SIGNIFICANT = 0.05
_MIN_AFFECTED = _MIN_VERSIONS = 2
_NO_VERSION_FITS = (
    "No app version fits the start of this issue. Whether a configuration change does is unknown:"
)
_MIN_REACHED = 0.5  # share of the affected users that a suspect reached before their first hit

# Prior weight of all changes of one relation together, compared with no change at all. They do not depend on the
# time of a change, so the test of its time stays valid.
_PRIOR: Mapping[Relation, float] = {
    Relation.STATED: 1000.0,
    Relation.NAMED: 10.0,
    Relation.FITS_OBJECT: 2.0,
    Relation.FITS_CAUSE: 1.5,
    Relation.OPEN: 1.0,
    Relation.UNLIKELY: 0.1,
    Relation.CONTRARY: 0.02,
}
# Natural logarithm of the largest reduction for reaching the wrong users. What the errors name needs no scope.
_MAX_SCOPE_PENALTY, _MAX_SCOPE_PENALTY_NAMED = 4.0, 1.0
# Log likelihood ratios; below them, hits are hardly more frequent after the change. The second is for changes that
# only their time speaks for.
_MIN_RATIO, _MIN_RATIO_OF_TIME = 2.0, 4.0


_CANDIDATE_COUNTS = """
WITH period AS (
    SELECT min(seen_at) AS first_seen, max(seen_at) AS last_seen FROM (
        SELECT sync_start_datetime__v AS seen_at FROM sync_tracking__v UNION ALL SELECT occurred_at FROM sync_error
    )
)
SELECT (SELECT count(*) FROM sync_tracking__v), (SELECT count(*) FROM config_change),
    (SELECT count(*) FROM config_change, period WHERE changed_at BETWEEN first_seen AND last_seen),
    (SELECT count(*) FROM config_change
     WHERE changed_at <= (SELECT min(occurred_at) FROM issue_event WHERE issue_id = $issue)),
    (SELECT count(DISTINCT version__v) FROM sync_tracking__v),
    (SELECT count(DISTINCT coalesce(user_id, device_id)) FROM issue_event WHERE issue_id = $issue)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspectChange:
    """A change that fits the start of an issue better than chance.

    `change_id` is that of the `config_change` row, or `version VERSION` for a rollout without a row. `change_ids`
    are all rows of the same change, such as the accounts of one realignment; the row that is closest to the issue
    is first, and `kind`, `target`, `before` and `after` are its own.
    `scope` describes the users that it reached. `affected_in_scope` is the share of affected users that it
    reached before their first hit, `unaffected_in_scope` the share of users in scope who were never hit.
    `lag` is the time from the change to the first hit after it in its scope. `relation` describes the relation
    to the issue; it is empty if none is known. `named` is true if the errors name what was changed; such
    suspects come first. `stated` is true if they also state its new value, whatever the time of the change.
    `p_value` is adjusted for the number of changes; `score` orders the list.
    """

    change_id: str
    change_ids: tuple[str, ...]
    changed_at: datetime
    changed_by: str | None
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
    named: bool
    stated: bool
    p_value: float
    score: float


@dataclass(frozen=True, slots=True)
class _ScoredChange:
    """A change with its relation to the issue, the users that it reached since when, and its fit."""

    group: ChangeGroup
    relation: Relation
    description: str
    rows: tuple[ChangeRow, ...]
    reached: Booleans
    since: Floats
    ratio: float
    p_value: float

    @property
    def is_rollout(self) -> bool:
        return self.group.kind == "app_version"


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

    The candidates are all changes of `config_change` (rows of one time, kind and author are one change) and all
    versions that appeared during the data. Each is scored by how well it separates days with a hit from days without,
    per user, before and after, inside and outside of its scope. Its p-value is how rarely a random time separates
    them as well (for a rollout: a random order of adoption, compared within days). P-values are adjusted by prior
    weights: a change of what the errors name, or that can cause them, may fit their start less closely, and one that
    cannot must fit far better. A suspect reached at least half of the affected users before their first hit.

    A change after `onset` (UTC) is no suspect. Without `issue_id`, the hits are syncs that failed or had
    upload errors. At least two known users must be affected: errors without a user have no suspect. Raises
    UnknownIssue.
    """
    selected = Filters.of(**filters)
    exposure = load_exposure(connection, issue_id, selected)
    if issue_id is not None and not exposure.hit.any() and not _issue_exists(connection, issue_id):
        raise UnknownIssue(issue_id)
    if exposure.affected_users.sum() < _MIN_AFFECTED:
        return []
    issue = load_issue_features(connection, issue_id, selected)
    scored = [
        _score_change(group, exposure, issue, seed)
        for group in _list_candidates(connection, exposure, selected, onset)
    ]
    possible = [change for change in scored if _is_possible(change, exposure)]
    significant = [
        _build_suspect(change, exposure, change.p_value / weight, weight)
        for change, weight in zip(possible, _weigh_changes(possible, scored, exposure), strict=True)
        if change.p_value / weight <= _SIGNIFICANT
    ]
    significant.sort(
        key=lambda suspect: (not suspect.named, -suspect.score, suspect.changed_at, suspect.change_id)
    )
    return significant[:limit]


def why_unjudged(connection: DuckDBPyConnection, issue_id: str | None = None) -> str | None:
    """Return what is not known about the changes before an issue, and what to load; None if nothing is missing.

    Show it instead of "no change fits" if `suspects` returns nothing.
    """
    counts = connection.execute(_CANDIDATE_COUNTS, {"issue": issue_id}).fetchall()[0]
    syncs, changes, changes_within, changes_before, versions, users = counts
    reasons = {
        "Suspects cannot be judged: no syncs are loaded, so it is unknown who worked without this issue. "
        "Load sync tracking records.": not syncs,
        "Suspects cannot be judged: fewer than two users or devices of this issue are known. "
        "Load errors with a user or a sync id.": issue_id is not None and users < _MIN_AFFECTED,
        "Suspects cannot be judged: no configuration changes and only one app version are loaded. "
        "Load the audit trails.": not changes and versions < _MIN_VERSIONS,
        f"{_NO_VERSION_FITS} none are loaded. Load the audit trails.": not changes,
        f"{_NO_VERSION_FITS} all loaded changes are from before or after the loaded syncs and errors. "
        "Load the audit trails of the same days.": not changes_within,
        f"{_NO_VERSION_FITS} the loaded changes begin after its first error. "
        "Load the audit trails of the days before.": issue_id is not None and not changes_before,
    }
    return next((reason for reason, applies in reasons.items() if applies), None)


def _issue_exists(connection: DuckDBPyConnection, issue_id: str) -> bool:
    sql = "SELECT 1 FROM issue_event WHERE issue_id = $issue LIMIT 1"
    return connection.execute(sql, {"issue": issue_id}).fetchone() is not None


def _list_candidates(
    connection: DuckDBPyConnection, exposure: Exposure, filters: Filters, onset: datetime | None
) -> list[ChangeGroup]:
    """List the changes within the data, and version rollouts without a row."""
    groups = load_change_groups(connection, filters)
    known_versions = {row.target for group in groups for row in group.rows if row.kind == "app_version"}
    groups += [
        _rollout_without_row(version, first_seen)
        for version, first_seen in _list_rollouts(exposure)
        if version not in known_versions
    ]
    last = exposure.seconds[exposure.hit].max()
    if onset is not None:
        aware = onset if onset.tzinfo else onset.replace(tzinfo=UTC)
        last = min(last, aware.timestamp())
    return [group for group in groups if exposure.seconds[0] <= group.at <= last]


def _list_rollouts(exposure: Exposure) -> list[tuple[str, float]]:
    """List versions with when they were first seen, if most of their users had another version before."""
    first_seen = exposure.first_days
    rollouts = []
    for version in sorted({version for version in exposure.app_version if isinstance(version, str)}):
        since = exposure.adoption_times(version)
        users = np.isfinite(since)
        if 2 * (since[users] > first_seen[users]).sum() > users.sum():
            rollouts.append((version, float(since.min())))
    return rollouts


def _rollout_without_row(version: str, first_seen: float) -> ChangeGroup:
    row = ChangeRow(
        change_id=f"version {version}", at=first_seen, changed_at=_to_datetime(first_seen), changed_by=None,
        kind="app_version", target=version, object=None, field=None, scope=None, before=None, after=None, detail=None,
    )  # fmt: skip
    return ChangeGroup(rows=(row,), reverted_at=float("inf"))


def _score_change(group: ChangeGroup, exposure: Exposure, issue: IssueFeatures, seed: int) -> _ScoredChange:
    relation, description, rows = relate(group, issue)
    if group.kind == "app_version":
        since = np.minimum.reduce([exposure.adoption_times(row.target) for row in rows])
        if np.isfinite(since).any():
            ratio, p_value = fit_at_adoption(exposure, since, seed)
            reached = np.isfinite(since)
            return _ScoredChange(group, relation, description, rows, reached, since, ratio, p_value)
    reached = exposure.users_in_scopes(group.kind, [(row.target, row.scope) for row in rows])
    since = np.where(reached, group.at, np.inf)
    ratio, p_value = fit_at_time(exposure, reached, group.at, group.reverted_at)
    if relation > Relation.UNLIKELY and not reached.all() and all(names_one_user(row.scope) for row in rows):
        p_value = add_user_evidence(exposure, reached, group.at, p_value)
    return _ScoredChange(group, relation, description, rows, reached, since, ratio, p_value)


def _weigh_changes(
    possible: Sequence[_ScoredChange], scored: Sequence[_ScoredChange], exposure: Exposure
) -> list[float]:
    """Weigh relation and scope: half the log likelihood by which a scope is worse than the best one.

    The weight of a relation is shared by its changes: each of two changes that fit the cause must fit twice as well.
    Changes that only their time speaks for share it with all that were tried, as every one could fit by chance.
    """
    counts = Counter(change.relation for change in possible if change.relation > Relation.OPEN)
    counts.update(change.relation for change in scored if change.relation <= Relation.OPEN)
    scope_fits = [0.0 if change.is_rollout else fit_scope(exposure, change.reached) for change in possible]
    best = max(
        (
            fit
            for change, fit in zip(possible, scope_fits, strict=True)
            if change.relation > Relation.CONTRARY
        ),
        default=0.0,
    )
    return [
        _PRIOR[change.relation] / counts[change.relation] * exp(-_scope_penalty(change, best - scope_fit))
        for change, scope_fit in zip(possible, scope_fits, strict=True)
    ]


def _scope_penalty(change: _ScoredChange, worse_by: float) -> float:
    if change.is_rollout:
        return 0.0
    largest = _MAX_SCOPE_PENALTY_NAMED if change.relation >= Relation.NAMED else _MAX_SCOPE_PENALTY
    return min(max(worse_by, 0.0) / 2, largest)


def _is_possible(change: _ScoredChange, exposure: Exposure) -> bool:
    """Return whether a change raised the rate of hits and reached most affected users before.

    Of a change that the errors state, most hits must be later: a wrong clock dates some before their cause.
    """
    if change.relation is Relation.STATED:
        later = exposure.seconds >= change.since[exposure.user_index]
        return bool((exposure.hit & later).sum() >= _MIN_REACHED * exposure.hit.sum())
    min_ratio = _MIN_RATIO if change.relation > Relation.OPEN else _MIN_RATIO_OF_TIME
    return change.ratio >= min_ratio and _share_reached(change, exposure.first_hits) >= _MIN_REACHED


def _share_reached(change: _ScoredChange, first_hits: Floats) -> float:
    """Return the share of affected users that a change reached before their first hit."""
    affected = np.isfinite(first_hits)
    return float((affected & (first_hits >= change.since)).sum() / affected.sum())


def _build_suspect(change: _ScoredChange, exposure: Exposure, p_value: float, weight: float) -> SuspectChange:
    row, affected = change.rows[0], exposure.affected_users
    after = exposure.seconds[exposure.hit & (exposure.seconds >= change.since[exposure.user_index])]
    others = [other.change_id for other in change.group.rows if other.change_id != row.change_id]
    return SuspectChange(
        change_id=row.change_id,
        change_ids=(row.change_id, *others),
        changed_at=_to_datetime(row.at),
        changed_by=row.changed_by,
        kind=row.kind,
        target=row.target,
        scope=_describe_scope(change),
        before=row.before,
        after=row.after,
        affected=int(affected.sum()),
        affected_in_scope=_share_reached(change, exposure.first_hits),
        unaffected_in_scope=float((change.reached & ~affected).sum() / max(1, change.reached.sum())),
        lag=timedelta(seconds=float(after.min() - row.at)) if len(after) else timedelta(0),
        relation=change.description,
        named=change.relation >= Relation.NAMED,
        stated=change.relation is Relation.STATED,
        p_value=p_value,
        score=change.ratio + log(weight),
    )


def _to_datetime(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def _describe_scope(change: _ScoredChange) -> str:
    row = change.rows[0]
    if change.is_rollout:
        return f"those with {row.target}"
    if change.reached.all():
        return "everyone"
    if len({other.scope for other in change.rows}) > 1:
        return f"{int(change.reached.sum())} users"
    return row.scope or f"those with {row.target}"
