"""Configuration that an issue involves: permission sets of the affected users, and VMOCs of its objects."""

from __future__ import annotations

from collections.abc import Iterable

from duckdb import DuckDBPyConnection

from analysis.fixes.config_change import ConfigChange
from analysis.fixes.issue_context import SharedAttribute

MAX_SETS = 3  # more sets that all affected users hold do not narrow the search

# Permission sets of the affected users: how many hold each, and whether it denies what the errors request.
_SETS = """
WITH request AS (
    SELECT DISTINCT e.user_id, e.object, coalesce(e.field, '') AS field, e.operation
    FROM issue_event AS e WHERE e.issue_id = $issue_id AND e.user_id IS NOT NULL
),
assignment AS (
    SELECT u.user_id, trim(unnest(string_split(u.permission_sets, ','))) AS permission_set
    FROM current_user_info AS u WHERE u.user_id IN (SELECT user_id FROM request)
),
current_grant AS (
    SELECT * FROM permission_grant
    QUALIFY row_number() OVER (PARTITION BY permission_set, object, field ORDER BY as_of DESC) = 1
),
denying AS (
    SELECT DISTINCT g.permission_set
    FROM current_grant AS g JOIN request AS r ON g.object = r.object AND g.field IN ('*', r.field)
    WHERE NOT coalesce(CASE
        WHEN g.field = '*' AND r.operation = 'create' THEN g.can_create
        WHEN g.field = '*' AND r.operation = 'delete' THEN g.can_delete
        WHEN r.operation IN ('create', 'update') THEN g.can_edit
        ELSE g.can_read END, false)
)
SELECT a.permission_set, count(DISTINCT a.user_id) AS users,
    (SELECT count(DISTINCT user_id) FROM assignment) AS total_users,
    bool_or(d.permission_set IS NOT NULL) AS denies
FROM assignment AS a LEFT JOIN denying AS d ON d.permission_set = a.permission_set
WHERE a.permission_set <> ''
GROUP BY a.permission_set
ORDER BY users DESC, a.permission_set
"""
_VMOCS = """
WITH current_vmoc AS (
    SELECT * FROM vmoc QUALIFY row_number() OVER (PARTITION BY vmoc_id ORDER BY as_of DESC) = 1
)
SELECT coalesce(nullif(name, ''), vmoc_id) FROM current_vmoc
WHERE coalesce(active, true) AND object IN
    (SELECT object FROM issue_event WHERE issue_id = $issue_id AND object IS NOT NULL)
ORDER BY 1
"""


def find_permission_sets(
    connection: DuckDBPyConnection,
    issue_id: str,
    shared: Iterable[SharedAttribute],
    change: ConfigChange | None,
) -> tuple[str, ...]:
    """List at most three permission sets to check for an issue, the most likely first.

    The order is: the set that was changed before the start; sets that the affected users share and others do
    not have; sets of theirs that deny what the errors request, if grants are loaded; else the sets that all
    affected users hold. Empty if the store does not know their sets, or if more than three are left.
    """
    assignments = connection.execute(_SETS, {"issue_id": issue_id}).fetchall()
    likely = [
        *([change.target] if change is not None and change.kind == "permission_set" else []),
        *(attribute.value for attribute in shared if attribute.attribute == "permission_set"),
        *(name for name, _, _, denies in assignments if denies),
    ]
    held_by_all = [name for name, users, total_users, _ in assignments if users == total_users]
    names = tuple(dict.fromkeys(likely or held_by_all))
    return names[:MAX_SETS] if likely or len(names) <= MAX_SETS else ()


def find_vmocs(connection: DuckDBPyConnection, issue_id: str, change: ConfigChange | None) -> tuple[str, ...]:
    """List the names of the VMOCs that deliver the objects of an issue, a changed VMOC first."""
    names = [row[0] for row in connection.execute(_VMOCS, {"issue_id": issue_id}).fetchall()]
    changed = [change.target] if change is not None and change.kind == "vmoc" and change.target else []
    return tuple(dict.fromkeys([*changed, *names]))
