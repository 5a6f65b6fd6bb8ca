"""What surrounds an issue: what its users share, what changed before it, and what the store does not tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from analysis.base.duckdb_frames import to_plain_rows
from analysis.diagnosis.suspect_changes import SuspectChange, suspects
from analysis.issues.listing import UnknownIssue

_ENOUGH = 3  # users; what fewer have in common says nothing
_NEARLY_ALL = 0.8
_WATCH = timedelta(days=7)  # how long before the start a change is looked for
_KINDS_OF: Mapping[str, tuple[str, ...]] = {
    "object-permission": ("permission_set",),
    "field-permission": ("permission_set", "field"),
    "record-visibility": ("territory",),
    "required-field": ("field", "object"),
    "picklist-value": ("field", "picklist"),
    "invalid-value": ("field",),
    "validation-rule": ("validation_rule",),
    "sync-configuration": ("vmoc",),
    "schema-mismatch": ("field", "object"),
}

# Everybody who synced or met an error, with each attribute value as a row; were they hit by the issue?
_SHARED = """
WITH hit AS (SELECT DISTINCT user_id FROM error WHERE issue_id = $issue_id AND user_id IS NOT NULL),
everybody AS (
    SELECT user_id FROM detailed_sync WHERE user_id IS NOT NULL
    UNION SELECT user_id FROM error WHERE user_id IS NOT NULL
),
versions AS (
    SELECT user_id, app_version FROM error WHERE issue_id = $issue_id
    UNION
    SELECT user_id, app_version FROM detailed_sync WHERE user_id NOT IN (SELECT user_id FROM hit)
),
attribute AS (
    SELECT user_id, 'permission_set' AS kind, trim(unnest(string_split(permission_sets, ','))) AS value
    FROM current_user_info
    UNION SELECT user_id, 'security_profile', security_profile FROM current_user_info
    UNION SELECT user_id, 'application_profile', application_profile FROM current_user_info
    UNION SELECT user_id, 'territory', territory FROM current_user_info
    UNION SELECT user_id, 'country', country FROM current_user_info
    UNION SELECT user_id, 'app_version', app_version FROM versions
),
told AS (SELECT user_id, kind, value FROM attribute WHERE value IS NOT NULL AND value <> ''),
-- Of whom the store does not know the attribute, it is not known that they lack the value.
known AS (
    SELECT kind, count(DISTINCT t.user_id) FILTER (WHERE h.user_id IS NOT NULL) AS all_hit,
        count(DISTINCT t.user_id) FILTER (WHERE h.user_id IS NULL) AS all_spared
    FROM told AS t JOIN everybody AS e ON e.user_id = t.user_id LEFT JOIN hit AS h ON h.user_id = t.user_id
    GROUP BY kind
)
SELECT a.kind AS attribute, a.value,
    count(DISTINCT a.user_id) FILTER (WHERE h.user_id IS NOT NULL) AS users_hit, any_value(k.all_hit) AS all_hit,
    count(DISTINCT a.user_id) FILTER (WHERE h.user_id IS NULL) AS users_spared,
    any_value(k.all_spared) AS all_spared,
    (SELECT count(*) FROM everybody) - any_value(k.all_hit + k.all_spared) AS unknown
FROM told AS a
JOIN everybody AS e ON e.user_id = a.user_id
JOIN known AS k ON k.kind = a.kind
LEFT JOIN hit AS h ON h.user_id = a.user_id
GROUP BY a.kind, a.value
ORDER BY attribute, value
"""
_CHANGES = """
SELECT change_id, changed_at, changed_by, kind, target, object, field, scope, before, after
FROM config_change
WHERE changed_at BETWEEN $earliest AND $since OR change_id = $suspect
ORDER BY changed_at DESC, change_id
"""
_GAPS = """
SELECT
    (SELECT count(*) FROM pending_record
     WHERE device_id IN (SELECT device_id FROM error WHERE issue_id = $issue_id)),
    least((SELECT min(occurred_at) FROM error), (SELECT min(started_at) FROM tracked_sync)),
    (SELECT count(*) FROM config_change),
    (SELECT count(*) FROM current_user_info
     WHERE user_id IN (SELECT user_id FROM error WHERE issue_id = $issue_id))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedAttribute:
    """An attribute value that nearly all users of an issue share and clearly fewer of the others have.

    `all_hit` and `all_spared` count the users whose attribute is known, `unknown` those of whom it is not.
    """

    attribute: str
    value: str
    users_hit: int
    all_hit: int
    users_spared: int
    all_spared: int
    unknown: int = 0


def shared_attributes(connection: DuckDBPyConnection, issue_id: str) -> list[SharedAttribute]:
    """List what at least 80 % of an issue's users have, and at most half as many of the others by share.

    Looks at permission sets, profiles, territory, country and app version. Empty below three users.
    """
    rows = to_plain_rows(connection.execute(_SHARED, {"issue_id": issue_id}).df())
    return [SharedAttribute(**row) for row in rows if _stands_out(row)]


def _stands_out(row: Mapping[str, Any]) -> bool:
    if row["all_hit"] < _ENOUGH or row["users_hit"] < _NEARLY_ALL * row["all_hit"] or not row["all_spared"]:
        return False
    return bool(row["users_spared"] / row["all_spared"] <= 0.5 * row["users_hit"] / row["all_hit"])


def attributed_change(
    connection: DuckDBPyConnection,
    issue_id: str,
    since: datetime,
    *,
    cause: str,
    named: Mapping[str, Sequence[str]],
    shared: Iterable[str],
) -> dict[str, Any] | None:
    """Find the change that an issue is put down to: the first suspect, else a change of the very same thing.

    A suspect (analysis.changes) explains the start better than a random moment would: `certain` is true. For
    issues too small to judge, a change in the week before `since` counts that touched the field which the
    errors name, their object in a way that fits the cause, or something that nearly all users hit have in
    common; the newest of the closest fit. `certain` is false then. None is an answer.
    """
    found = _suspected(connection, issue_id)
    bound = {"earliest": since - _WATCH, "since": since, "suspect": found[0].change_id if found else None}
    rows = to_plain_rows(connection.execute(_CHANGES, bound).df())
    if found:
        row = next((row for row in rows if row["change_id"] == found[0].change_id), _told_by(found[0]))
        return row | {"certain": True, "p_value": found[0].p_value}
    common = set(shared)
    fits = [_fit(row, cause, named, common) for row in rows]
    best = max(fits, default=0)
    return rows[fits.index(best)] | {"certain": False, "p_value": None} if best else None


def _suspected(connection: DuckDBPyConnection, issue_id: str) -> list[SuspectChange]:
    try:
        return suspects(connection, issue_id, most=1)
    except UnknownIssue:  # its errors name no user, so nobody can be compared
        return []


def _told_by(suspect: SuspectChange) -> dict[str, Any]:
    """Describe a roll-out that no row of configuration tells of."""
    row = {
        name: getattr(suspect, name) for name in ("change_id", "kind", "target", "scope", "before", "after")
    }
    nobody = dict.fromkeys(("changed_by", "object", "field"))
    return row | nobody | {"changed_at": suspect.changed_at.isoformat()}


def _fit(change: Mapping[str, Any], cause: str, named: Mapping[str, Sequence[str]], shared: set[str]) -> int:
    same_object = change["object"] in named.get("object", ())
    same_field = same_object and change["field"] in named.get("field", ())
    scope = str(change["scope"] or "").rpartition("=")[2]
    same_kind = same_object and change["kind"] in _KINDS_OF.get(cause, ())
    return 4 * same_field + 2 * same_kind + bool({change["target"], scope} & shared)


def data_gaps(connection: DuckDBPyConnection, issue_id: str, since: datetime) -> list[str]:
    """Say what the store does not tell about an issue, so that nobody reads silence as an answer."""
    pending, first, changes, users = connection.execute(_GAPS, {"issue_id": issue_id}).fetchone() or (
        0,
        None,
        0,
        0,
    )
    found = {
        "No device of this issue has told what waits on it: no pending records are loaded.": not pending,
        "The errors begin where the data begin, so they may be older.":
            first is not None and since - first < timedelta(days=1),
        "No configuration changes are loaded, so none can be suspected.": not changes,
        "Nothing is loaded about the users, so what they share is not known.": not users,
    }  # fmt: skip
    return [sentence for sentence, holds in found.items() if holds]
