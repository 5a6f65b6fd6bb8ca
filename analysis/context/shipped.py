"""What went live just before: for errors that their words leave open, the one change that fits in time and place."""

from __future__ import annotations

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.catalogue import UNKNOWN
from analysis.context.verdicts import HINT, apply

DAYS = 7
_USERS_AT_LEAST = 2
_KEY = ["error_type", "object", "operation", "phase"]


def settle_shipped(connection: DuckDBPyConnection, events: pd.DataFrame, found: pd.DataFrame) -> None:
    """Name the cause of errors without one by the only change on their object in the days before they began."""
    open_ = ((found["cause"] == UNKNOWN) | (found["confidence"] <= HINT)) & events["object"].notna()
    if not open_.any():
        return
    asked = events.loc[open_, [*_KEY, "user_id", "occurred_at"]].fillna(dict.fromkeys(_KEY, ""))
    connection.register("asked", asked)
    try:
        facts = connection.execute(_FACTS, {"days": DAYS, "users": _USERS_AT_LEAST}).df()
    finally:
        connection.unregister("asked")
    joined = asked[_KEY].merge(facts, on=_KEY, how="left").set_axis(asked.index)
    apply(found, joined.loc[joined["cause"].notna(), ["cause", "confidence", "said"]])


_FACTS = """
WITH begun AS (
    SELECT error_type, object, operation, phase, min(occurred_at) AS since, count(DISTINCT user_id) AS users
    FROM asked GROUP BY ALL
),
fitting AS (
    SELECT b.error_type, b.object, b.operation, b.phase, c.kind, c.target, c.changed_at,
        CASE WHEN c.kind = 'validation_rule' AND NOT regexp_matches(lower(coalesce(c.after, '')), 'active=false')
                THEN 'validation-rule'
            WHEN c.kind = 'field' AND c.after IS NULL THEN 'schema-mismatch'
            WHEN c.kind = 'field' AND regexp_matches(lower(c.after), 'required.{0,3}(true|yes)') THEN 'required-field'
            WHEN c.kind = 'vmoc' AND b.phase IN ('download', 'apply') THEN 'sync-configuration' END AS cause
    FROM begun AS b JOIN config_change AS c ON c.object = b.object
        AND c.changed_at BETWEEN b.since - to_days(CAST($days AS INTEGER)) AND b.since
    WHERE b.users >= $users
)
SELECT error_type, object, operation, phase, min(cause) AS cause, 0.72 AS confidence,
    concat('The only change on ', object, ' in the ', CAST($days AS INTEGER),
        ' days before the first of these errors: ', min(kind), ' ', min(target), ' at ',
        strftime(max(changed_at), '%Y-%m-%d %H:%M'), ' UTC.') AS said
FROM fitting GROUP BY error_type, object, operation, phase
HAVING count(DISTINCT target) = 1 AND count(DISTINCT cause) = 1 AND min(cause) IS NOT NULL
"""
