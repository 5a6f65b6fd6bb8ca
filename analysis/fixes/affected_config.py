"""What of the configuration an issue touches: the permission sets of those hit, and the VMOCs of its objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from duckdb import DuckDBPyConnection

from analysis.fixes.issue_context import SharedAttribute

MOST_SETS = 3  # a list of all sets that everybody has points nowhere

# Permission sets of the users hit: how many of them hold each, and whether it speaks of what the errors name.
_SETS = """
WITH hit AS (
    SELECT DISTINCT e.user_id, e.object, coalesce(e.field, '') AS field, e.operation
    FROM error AS e WHERE e.issue_id = $issue_id AND e.user_id IS NOT NULL
),
held AS (
    SELECT u.user_id, trim(unnest(string_split(u.permission_sets, ','))) AS permission_set
    FROM current_user_info AS u WHERE u.user_id IN (SELECT user_id FROM hit)
),
now AS (
    SELECT * FROM permission_grant
    QUALIFY row_number() OVER (PARTITION BY permission_set, object, field ORDER BY as_of DESC) = 1
),
refusing AS (
    SELECT DISTINCT g.permission_set
    FROM now AS g JOIN hit AS h ON g.object = h.object AND g.field IN ('*', h.field)
    WHERE NOT coalesce(CASE
        WHEN g.field = '*' AND h.operation = 'create' THEN g.can_create
        WHEN g.field = '*' AND h.operation = 'delete' THEN g.can_delete
        WHEN h.operation IN ('create', 'update') THEN g.can_edit
        ELSE g.can_read END, false)
)
SELECT h.permission_set, count(DISTINCT h.user_id) AS users,
    (SELECT count(DISTINCT user_id) FROM held) AS of_users,
    bool_or(r.permission_set IS NOT NULL) AS refuses
FROM held AS h LEFT JOIN refusing AS r ON r.permission_set = h.permission_set
WHERE h.permission_set <> ''
GROUP BY h.permission_set
ORDER BY users DESC, h.permission_set
"""
_VMOCS = """
WITH now AS (
    SELECT * FROM vmoc QUALIFY row_number() OVER (PARTITION BY vmoc_id ORDER BY as_of DESC) = 1
)
SELECT coalesce(nullif(name, ''), vmoc_id) FROM now
WHERE coalesce(active, true) AND object IN
    (SELECT object FROM error WHERE issue_id = $issue_id AND object IS NOT NULL)
ORDER BY 1
"""


def find_permission_sets(
    connection: DuckDBPyConnection,
    issue_id: str,
    common: Iterable[SharedAttribute],
    change: Mapping[str, Any] | None,
) -> tuple[str, ...]:
    """The permission sets to look at for an issue, at most three, the likeliest first.

    The set that was changed before the start; then those that those hit share and others lack; then those of
    theirs that refuse what the errors ask for, where grants are loaded; else what all of them hold. Empty
    where the store does not know which sets they hold, or where that says nothing.
    """
    held = connection.execute(_SETS, {"issue_id": issue_id}).fetchall()
    changed = [change["target"]] if change is not None and change["kind"] == "permission_set" else []
    shared = [one.value for one in common if one.attribute == "permission_set"]
    refusing = [name for name, _, _, refuses in held if refuses]
    pointed = [*changed, *shared, *refusing]
    everybodys = [name for name, users, of_users, _ in held if users == of_users]
    found = dict.fromkeys(map(str, pointed or everybodys))
    return tuple(found)[:MOST_SETS] if pointed or len(found) <= MOST_SETS else ()


def find_vmocs(
    connection: DuckDBPyConnection, issue_id: str, change: Mapping[str, Any] | None
) -> tuple[str, ...]:
    """The VMOCs by which the objects of an issue come to devices, by name; the one that was changed first."""
    found = [row[0] for row in connection.execute(_VMOCS, {"issue_id": issue_id}).fetchall()]
    changed = (
        [change["target"]] if change is not None and change["kind"] == "vmoc" and change["target"] else []
    )
    return tuple(dict.fromkeys(map(str, [*changed, *found])))
