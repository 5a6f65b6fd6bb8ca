"""Who else does the same? A refusal that follows a permission set, and spares everybody else, is one of rights."""

from __future__ import annotations

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.classification.context.overrides import apply, ask, leaves_open, told

CAUSES = ("object-permission", "field-permission")
_USERS_AT_LEAST, _SHARE_AT_LEAST, _CHANCE = 3, 0.5, 0.01
_KEY = ["error_type", "object", "field", "operation", "phase"]


def settle_peers(connection: DuckDBPyConnection, events: pd.DataFrame, found: pd.DataFrame) -> None:
    """Settle refusals on one object and field by whom they hit: holders of one permission set, and nobody else.

    At least half of the set's holders who synced meanwhile are hit, at least three people with other sets
    synced without failing, and chance explains it in at most one of 100 cases, minding how many sets there are.
    """
    about = leaves_open(found, CAUSES) & events["object"].notna() & events["user_id"].notna()
    about &= found["also"].map(bool) | found["cause"].isin(
        CAUSES
    )  # of words that say nothing it says nothing
    if not about.any():
        return
    asked = events.loc[about, [*_KEY, "user_id", "occurred_at"]].fillna(dict.fromkeys(_KEY, ""))
    limits = {"users": _USERS_AT_LEAST, "share": _SHARE_AT_LEAST, "chance": _CHANCE}
    apply(found, told(asked, ask(connection, _FACTS, asked, **limits), _KEY))


_FACTS = """
WITH hit AS (
    SELECT error_type, object, field, operation, phase, user_id, min(occurred_at) AS since, max(occurred_at) AS until
    FROM asked GROUP BY ALL
),
alike AS (
    SELECT error_type, object, field, operation, phase, count(DISTINCT user_id) AS hit,
        min(since) AS since, max(until) AS until
    FROM hit GROUP BY ALL
    HAVING count(DISTINCT user_id) >= $users
),
member AS (
    SELECT DISTINCT user_id, trim(unnest(string_split(permission_sets, ','))) AS permission_set
    FROM current_user_info WHERE permission_sets IS NOT NULL
),
synced AS (
    SELECT user_id, CAST(started_at AS DATE) AS day,
        bool_or(outcome = 'succeeded' AND coalesce(uploads, 1) > 0) AS through
    FROM sync
    WHERE day BETWEEN (SELECT CAST(min(since) AS DATE) FROM alike) AND (SELECT max(until) FROM alike)
    AND user_id IN (SELECT user_id FROM member)
    GROUP BY ALL
),
there AS (
    SELECT a.error_type, a.object, a.field, a.operation, a.phase, s.user_id, bool_or(s.through) AS through
    FROM alike AS a JOIN synced AS s ON s.day BETWEEN CAST(a.since AS DATE) AND a.until GROUP BY ALL
    UNION ALL
    SELECT h.error_type, h.object, h.field, h.operation, h.phase, h.user_id, false FROM hit AS h
),
people AS (
    SELECT t.error_type, t.object, t.field, t.operation, t.phase, t.user_id, bool_or(t.through) AS through,
        bool_or(h.user_id IS NOT NULL) AS is_hit
    FROM there AS t LEFT JOIN hit AS h USING (error_type, object, field, operation, phase, user_id) GROUP BY ALL
),
everybody AS (
    SELECT error_type, object, field, operation, phase, count(*) AS seen FROM people GROUP BY ALL
),
sets AS (SELECT count(DISTINCT permission_set) AS many FROM member),
held AS (
    SELECT p.error_type, p.object, p.field, p.operation, p.phase, m.permission_set,
        count(*) AS holders, count_if(p.is_hit) AS holders_hit
    FROM people AS p JOIN member AS m ON m.user_id = p.user_id GROUP BY ALL
),
judged AS (
    SELECT h.*, a.hit, e.seen, a.since,
        (SELECT count(*) FROM people AS p WHERE p.error_type = h.error_type AND p.object = h.object
            AND p.field = h.field AND p.operation = h.operation AND p.phase = h.phase AND p.through AND NOT p.is_hit
            AND p.user_id NOT IN (SELECT user_id FROM member AS m WHERE m.permission_set = h.permission_set)
        ) AS spared,
        -- drawn blindly, would all who are hit hold this very set?
        exp(lgamma(h.holders + 1) - lgamma(h.holders - a.hit + 1)
            - lgamma(e.seen + 1) + lgamma(e.seen - a.hit + 1)) * s.many AS chance
    FROM held AS h JOIN alike AS a USING (error_type, object, field, operation, phase)
    JOIN everybody AS e USING (error_type, object, field, operation, phase), sets AS s
    WHERE h.holders_hit = a.hit AND a.hit >= $share * h.holders
)
SELECT error_type, object, field, operation, phase,
    CASE WHEN field = '' THEN 'object-permission' ELSE 'field-permission' END AS cause, 0.85 AS confidence,
    concat('All ', hit, ' users who meet it hold permission set ', permission_set, '. Of those who synced ',
        'meanwhile, ', holders - hit, ' others with it and ', spared, ' without it did not meet it.') AS said
FROM judged WHERE spared >= $users AND chance <= $chance
QUALIFY row_number() OVER (
    PARTITION BY error_type, object, field, operation, phase ORDER BY chance, permission_set) = 1
"""
