"""Were limits on calls used up? The API usage log counts what is left, and other errors of those minutes tell."""

from __future__ import annotations

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.classification.context.overrides import HINT, apply, ask, told, vague

CAUSES = ("rate-limit",)
MINUTES = 5
_DEVICES_AT_LEAST = 3


def settle_limits(connection: DuckDBPyConnection, events: pd.DataFrame, found: pd.DataFrame) -> None:
    """Settle errors that may be a used-up limit by what the same five minutes show, Vault's own window for calls.

    Either the usage log counts no call left, or several devices, or the very same user, were told of a limit in
    plain words. Errors about one record are not asked unless their own rule thinks of limits.
    """
    beside = pd.Series(["rate-limit" in also for also in found["also"]], index=found.index)
    about = (
        beside | (found["cause"].eq("rate-limit") & vague(found)) | (vague(found) & events["object"].isna())
    )
    if not about.any():
        return
    columns = ["event_id", "user_id", "device_id", "occurred_at"]
    asked = events.loc[about, columns].assign(plain=False)
    said = found["cause"].isin(CAUSES) & (found["confidence"] > HINT) & ~about
    both = pd.concat([asked, events.loc[said, columns].assign(plain=True)])
    facts = ask(connection, _FACTS, both, minutes=MINUTES, devices=_DEVICES_AT_LEAST)
    apply(found, told(asked, facts, ["event_id"]))


_FACTS = """
WITH opened AS (
    SELECT event_id, user_id, occurred_at, epoch_ms(occurred_at) // 60_000 AS minute FROM asked WHERE NOT plain
),
-- a limit that is used up is told of up to five minutes before and after
plain AS (
    SELECT user_id, coalesce(device_id, user_id) AS device_id, epoch_ms(occurred_at) // 60_000 + step AS minute
    FROM asked, range(-CAST($minutes AS BIGINT), CAST($minutes AS BIGINT) + 1) AS steps(step) WHERE plain
),
everywhere AS (SELECT minute, count(DISTINCT device_id) AS devices FROM plain GROUP BY minute),
own AS (SELECT minute, user_id, count(*) AS errors FROM plain GROUP BY minute, user_id),
used_up AS (
    SELECT minute + step AS minute, min(remaining) AS remaining FROM (
        SELECT epoch_ms(occurred_at) // 60_000 AS minute,
            try_cast(json_extract_string(try_cast(extra AS JSON), '$.burst_limit_remaining') AS BIGINT) AS remaining
        FROM sync_error WHERE extra LIKE '%burst_limit_remaining%'
    ), range(CAST($minutes AS BIGINT)) AS steps(step)
    WHERE remaining <= 0 GROUP BY ALL
)
SELECT o.event_id, 'rate-limit' AS cause, CASE WHEN u.minute IS NOT NULL THEN 0.9 ELSE 0.8 END AS confidence,
    CASE WHEN u.minute IS NOT NULL THEN
            concat('The API usage log counts no call left of the burst limit in the ', $minutes, ' minutes before.')
        WHEN e.devices >= $devices THEN
            concat(e.devices, ' devices were told of a used-up limit within ', $minutes, ' minutes of it.')
        ELSE concat('The same user was told of a used-up limit within ', $minutes, ' minutes of it.') END AS said
FROM opened AS o
LEFT JOIN used_up AS u ON u.minute = o.minute
LEFT JOIN everywhere AS e ON e.minute = o.minute
LEFT JOIN own AS w ON w.minute = o.minute AND w.user_id = o.user_id
WHERE u.minute IS NOT NULL OR e.devices >= $devices OR w.errors > 0
QUALIFY row_number() OVER (PARTITION BY o.event_id ORDER BY u.remaining) = 1
"""
