"""What went live just before: for errors that their words leave open, the one change that fits in time and place."""

from __future__ import annotations

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.classification.context.overrides import apply, ask, told, vague

DAYS = 7
PAUSE_DAYS = 3
_USERS_AT_LEAST = 2
_KEY = ["error_type", "object", "field", "operation", "phase"]


def settle_shipped(connection: DuckDBPyConnection, events: pd.DataFrame, found: pd.DataFrame) -> None:
    """Name the cause of errors without one by the only change on their object in the days before they began."""
    open_ = vague(found) & events["object"].notna()
    if not open_.any():
        return
    asked = events.loc[open_, ["event_id", *_KEY, "user_id", "occurred_at"]].fillna(dict.fromkeys(_KEY, ""))
    facts = ask(connection, _FACTS, asked, days=DAYS, pause=PAUSE_DAYS, users=_USERS_AT_LEAST)
    apply(found, told(asked, facts, ["event_id"]))


# A change of the very field that the errors name is asked before those of the whole object; one that was taken
# back before they began is none. Errors alike that stay away for days begin anew.
_FACTS = """
WITH paced AS (
    SELECT *, occurred_at - lag(occurred_at) OVER (
        PARTITION BY error_type, object, field, operation, phase ORDER BY occurred_at) AS pause
    FROM asked
),
episodes AS (
    SELECT *, count(*) FILTER (pause > to_days(CAST($pause AS INTEGER))) OVER (
        PARTITION BY error_type, object, field, operation, phase ORDER BY occurred_at) AS episode
    FROM paced
),
begun AS (
    SELECT error_type, object, field, operation, phase, episode, min(occurred_at) AS since,
        count(DISTINCT user_id) AS users
    FROM episodes GROUP BY ALL HAVING count(DISTINCT user_id) >= $users
),
changed AS (
    SELECT *, lower(coalesce(after, '')) AS is_now, coalesce(field, '') IN ('', '*') AS whole,
        lead(changed_at) OVER (PARTITION BY kind, target, object, field ORDER BY changed_at, change_id) AS undone_at,
        lead(after) OVER (PARTITION BY kind, target, object, field ORDER BY changed_at, change_id) AS undone_to
    FROM config_change
),
fitting AS (
    SELECT b.*, c.kind, c.target, c.changed_at, c.change_id, c.whole,
        CASE WHEN regexp_matches(lower(c.kind), 'trigger|workflow|flow|action|automation|job|sdk')
                    AND NOT regexp_matches(c.is_now, 'active=false') AND b.phase = 'upload' THEN 'server-automation'
            WHEN c.kind = 'validation_rule' AND NOT regexp_matches(c.is_now, 'active=false') THEN 'validation-rule'
            WHEN c.kind = 'field' AND c.after IS NULL THEN 'schema-mismatch'
            WHEN c.kind = 'field' AND regexp_matches(c.is_now, 'required.{0,3}(true|yes)') THEN 'required-field'
            WHEN c.kind = 'picklist' OR c.kind = 'field' AND regexp_matches(c.is_now, 'picklist|values')
                THEN 'picklist-value'
            WHEN c.kind = 'vmoc' AND b.phase IN ('download', 'apply') THEN 'sync-configuration' END AS cause
    FROM begun AS b JOIN changed AS c ON c.object = b.object AND (c.whole OR c.field = b.field)
        AND c.changed_at BETWEEN b.since - to_days(CAST($days AS INTEGER)) AND b.since
    WHERE NOT coalesce(c.undone_at <= b.since AND c.undone_to IS NOT DISTINCT FROM c.before, false)
        AND NOT regexp_matches(c.is_now, 'active=false')
    QUALIFY c.whole = bool_and(c.whole) OVER (
        PARTITION BY b.error_type, b.object, b.field, b.operation, b.phase, b.episode)
),
verdict AS (
    SELECT error_type, object, field, operation, phase, episode, min(cause) AS cause,
        concat('The only change on ', object, CASE WHEN any_value(whole) THEN '' ELSE '.' || field END, ' in the ',
            $days, ' days before the first of these errors: ', min(kind), ' ', min(target), ' at ',
            strftime(max(changed_at), '%Y-%m-%d %H:%M'), ' UTC.') AS said
    FROM fitting GROUP BY error_type, object, field, operation, phase, episode
    HAVING count(DISTINCT (kind, target)) = 1 AND count(DISTINCT cause) = 1 AND bool_and(cause IS NOT NULL)
)
SELECT e.event_id, v.cause, 0.72 AS confidence, v.said
FROM episodes AS e JOIN verdict AS v USING (error_type, object, field, operation, phase, episode)
"""
