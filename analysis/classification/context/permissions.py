"""May the user do it? Permission sets, their changes, object metadata and territories answer, in that order.

`INSUFFICIENT_ACCESS` and "no such column" mean four things: no right on the object, none on a field, a record
out of sight, or a field that is gone. What the store holds about rights decides; where it holds nothing, a
territory that was moved away shortly before speaks for visibility.
"""

from __future__ import annotations

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.classification.context.overrides import apply, ask, leaves_open, told

CAUSES = ("object-permission", "field-permission", "record-visibility", "schema-mismatch")
MOVED_DAYS = 14
# Where the object's rights are in order and the named field's are not, "no access" means the field.
_OVER = {"field-permission": ("object-permission", "record-visibility")}
_KEY = ["user_id", "object", "field", "operation"]


def settle_rights(connection: DuckDBPyConnection, events: pd.DataFrame, found: pd.DataFrame) -> None:
    """Settle what rights, metadata and territories decide, for every event that names an object."""
    about = leaves_open(found, CAUSES) & events["object"].notna() & events["user_id"].notna()
    if not about.any():
        return
    asked = events.loc[about, _KEY].assign(field=events.loc[about, "field"].fillna(""))
    asked["operation"] = events.loc[about, "operation"].fillna("query")
    asked["at"] = events.loc[about, "occurred_at"]
    distinct: pd.DataFrame = asked.groupby(_KEY, as_index=False).agg(at=("at", "min"))
    facts = ask(connection, _FACTS, distinct, days=MOVED_DAYS)
    verdicts = told(asked, facts, _KEY)
    # That a territory was moved says nothing of words that do not speak of access at all.
    silent = verdicts["cause"].eq("record-visibility") & ~found.loc[verdicts.index, "cause"].isin(CAUSES)
    silent &= found.loc[verdicts.index, "also"].map(frozenset(CAUSES).isdisjoint)
    apply(found, verdicts[~silent], _OVER)


# Rights add up over a user's permission sets. A snapshot from before the event counts more than one from after.
_FACTS = """
WITH member AS (
    SELECT DISTINCT a.user_id, trim(unnest(string_split(u.permission_sets, ','))) AS permission_set
    FROM (SELECT DISTINCT user_id FROM asked) AS a JOIN current_user_info AS u ON u.user_id = a.user_id
    WHERE u.permission_sets IS NOT NULL
),
stated AS (
    SELECT a.user_id, a.object, a.field, a.operation, m.permission_set, g.field = '*' AS whole,
        g.as_of <= a.at AS known_then,
        CASE WHEN g.field = '*' AND a.operation = 'create' THEN g.can_create
            WHEN g.field = '*' AND a.operation = 'delete' THEN g.can_delete
            WHEN a.operation = 'query' OR g.can_read = false THEN g.can_read
            ELSE g.can_edit END AS allowed
    FROM asked AS a
    JOIN member AS m ON m.user_id = a.user_id
    JOIN permission_grant AS g ON g.permission_set = m.permission_set AND g.object = a.object
        AND (g.field = '*' OR g.field = a.field)
    -- a snapshot from after the error tells of the time of the error only if nothing was changed in between
    WHERE g.as_of <= a.at OR NOT EXISTS (
        SELECT 1 FROM config_change AS c WHERE c.kind = 'permission_set' AND c.target = m.permission_set
            AND c.object = a.object AND c.changed_at > a.at AND c.changed_at <= g.as_of)
    QUALIFY row_number() OVER (
        PARTITION BY a.user_id, a.object, a.field, a.operation, m.permission_set, g.field
        ORDER BY g.as_of <= a.at DESC, abs(epoch(g.as_of) - epoch(a.at))) = 1
),
granted AS (
    SELECT user_id, object, field, operation,
        string_agg(DISTINCT permission_set, ', ' ORDER BY permission_set) AS sets,
        bool_or(allowed) FILTER (WHERE whole) AS on_object,
        bool_or(allowed) FILTER (WHERE NOT whole) AS on_field,
        bool_or(allowed AND known_then) FILTER (WHERE whole) AS surely_on_object,
        bool_or(allowed AND known_then) FILTER (WHERE NOT whole) AS surely_on_field
    FROM stated GROUP BY ALL
),
revoked AS (
    SELECT a.user_id, a.object, a.field, a.operation, c.target, c.changed_at, lower(coalesce(c.after, '')) AS after,
        coalesce(c.field, '') IN ('', '*') AS whole
    FROM asked AS a
    JOIN member AS m ON m.user_id = a.user_id
    JOIN config_change AS c ON c.kind = 'permission_set' AND c.target = m.permission_set
        AND c.object = a.object AND c.changed_at <= a.at AND coalesce(c.field, '') IN ('', '*', a.field)
    QUALIFY row_number() OVER (
        PARTITION BY a.user_id, a.object, a.field, a.operation, c.target, whole ORDER BY c.changed_at DESC) = 1
),
taken AS (
    SELECT r.* FROM revoked AS r
    LEFT JOIN granted AS g USING (user_id, object, field, operation)
    WHERE regexp_matches(r.after, CASE
            WHEN r.operation = 'query' THEN 'read=false'
            WHEN r.whole AND r.operation = 'create' THEN 'create=false'
            WHEN r.whole AND r.operation = 'delete' THEN 'delete=false'
            ELSE '(edit|read)=false' END)
        -- rights add up: what another set grants is not lost
        AND NOT coalesce(CASE WHEN r.whole THEN g.surely_on_object ELSE g.surely_on_field END, false)
    QUALIFY row_number() OVER (
        PARTITION BY user_id, object, field, operation ORDER BY r.whole DESC, r.changed_at DESC, r.target) = 1
),
removed AS (
    SELECT a.user_id, a.object, a.field, a.operation
    FROM asked AS a JOIN config_change AS c ON c.kind = 'field' AND c.object = a.object AND c.field = a.field
        AND c.changed_at <= a.at
    GROUP BY ALL HAVING arg_max(coalesce(c.after, '') = '', c.changed_at)
),
described AS (SELECT DISTINCT object FROM object_field),
gone AS (
    SELECT a.user_id, a.object, a.field, a.operation
    FROM asked AS a JOIN described AS d ON d.object = a.object
    -- what Vault writes itself is on every object, and few exports list it
    WHERE a.field NOT IN ('', 'id', 'mobile_id__v', 'created_by__v', 'modified_by__v', 'created_date__v',
            'modified_date__v') AND NOT EXISTS (
        SELECT 1 FROM object_field AS f
        WHERE f.object = a.object AND f.name = a.field AND coalesce(f.active, true))
    UNION SELECT user_id, object, field, operation FROM removed
),
moved AS (
    SELECT a.user_id, a.object, a.field, a.operation, any_value(c.before) AS territory, max(c.changed_at) AS at
    FROM asked AS a
    JOIN current_user_info AS u ON u.user_id = a.user_id
    JOIN config_change AS c ON c.kind = 'territory' AND c.changed_at <= a.at
        AND c.changed_at >= a.at - to_days(CAST($days AS INTEGER))
        AND list_contains(list_transform(string_split(u.territory, ','), lambda t: trim(t)), c.before)
    GROUP BY ALL
)
SELECT a.user_id, a.object, a.field, a.operation,
    CASE WHEN g.on_object = false THEN 'object-permission'
        WHEN g.on_field = false THEN 'field-permission'
        WHEN t.target IS NOT NULL THEN
            CASE WHEN t.whole THEN 'object-permission' ELSE 'field-permission' END
        WHEN x.object IS NOT NULL THEN 'schema-mismatch'
        WHEN v.territory IS NOT NULL AND a.field = '' AND a.operation NOT IN ('create', 'query')
            THEN 'record-visibility' END AS cause,
    CASE WHEN g.on_object = false OR g.on_field = false OR t.target IS NOT NULL THEN 0.97
        WHEN x.object IS NOT NULL THEN 0.9 ELSE 0.85 END AS confidence,
    CASE WHEN g.on_object = false THEN
            concat('No permission set of the user (', g.sets, ') grants ',
                CASE a.operation WHEN 'query' THEN 'read' ELSE a.operation END, ' on ', a.object, '.')
        WHEN g.on_field = false THEN
            concat('No permission set of the user (', g.sets, ') grants it on ', a.object, '.', a.field, '.')
        WHEN t.target IS NOT NULL THEN
            concat('Permission set ', t.target, ' lost it on ', a.object,
                CASE WHEN t.whole THEN '' ELSE concat('.', a.field) END, ' at ',
                strftime(t.changed_at, '%Y-%m-%d %H:%M'), ' UTC, before the error.')
        WHEN x.object IS NOT NULL THEN
            concat('When it was met, the Vault had no active field ', a.field, ' on ', a.object, '.')
        ELSE concat('Territory ', v.territory, ' of the user lost records at ',
            strftime(v.at, '%Y-%m-%d %H:%M'), ' UTC, shortly before.') END AS said
FROM asked AS a
LEFT JOIN granted AS g USING (user_id, object, field, operation)
LEFT JOIN taken AS t USING (user_id, object, field, operation)
LEFT JOIN gone AS x USING (user_id, object, field, operation)
LEFT JOIN moved AS v USING (user_id, object, field, operation)
"""
