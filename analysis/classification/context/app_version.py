"""Do only old versions of the app fail? Then the app is too old, whatever the message says."""

from __future__ import annotations

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.classification.context.overrides import apply, ask, leaves_open, told

CAUSES = ("app-outdated",)
_DEVICES_AT_LEAST = 3
_CHANCE = 0.01
_KEY = ["error_type", "http_status", "object", "operation", "phase"]


def settle_versions(connection: DuckDBPyConnection, events: pd.DataFrame, found: pd.DataFrame) -> None:
    """Settle errors alike in type, object, operation and phase that no device above some version meets.

    Meanwhile devices of the same platform with newer versions have to sync without errors (with uploads,
    where the errors are about uploads), those with the failing versions hardly ever, and chance must not
    explain it: all failing devices among the older ones has a probability of at most 1 %.
    """
    about = leaves_open(found, CAUSES) & events["app_version"].notna() & events["device_id"].notna()
    if not about.any():
        return
    asked = events.loc[about, [*_KEY, "platform", "device_id", "app_version", "occurred_at"]]
    asked["http_status"] = asked["http_status"].fillna(0).astype(int)
    asked = asked.fillna(dict.fromkeys([*_KEY, "platform"], ""))
    facts = ask(connection, _FACTS, asked, devices=_DEVICES_AT_LEAST, chance=_CHANCE)
    apply(found, told(asked, facts, _KEY))


# 25.10 comes after 25.9: versions compare as lists of their numbers.
_FACTS = """
WITH failing AS (
    SELECT *,
        list_transform(string_split(app_version, '.'), lambda part: coalesce(try_cast(part AS INTEGER), 0)) AS number
    FROM asked
),
alike AS (
    SELECT error_type, http_status, object, operation, phase, count(DISTINCT device_id) AS devices,
        max_by(app_version, number) AS named, min(occurred_at) AS since, max(occurred_at) AS until
    FROM failing GROUP BY ALL HAVING count(DISTINCT device_id) >= $devices
),
-- platforms need not number alike: each is compared with itself
newest AS (
    SELECT error_type, http_status, object, operation, phase, platform, max(number) AS newest
    FROM failing GROUP BY ALL
),
-- by the hour, and from the first full one on, so that few rows meet many groups
synced AS (
    SELECT DISTINCT device_id, coalesce(platform, '') AS platform, date_trunc('hour', started_at) AS hour,
        outcome = 'succeeded' AS clean, coalesce(uploads, 0) > 0 AS uploads,
        list_transform(string_split(app_version, '.'), lambda part: coalesce(try_cast(part AS INTEGER), 0)) AS number
    FROM sync WHERE device_id IS NOT NULL AND app_version IS NOT NULL
    AND started_at BETWEEN (SELECT min(since) FROM alike) AND (SELECT max(until) FROM alike)
),
met AS (
    SELECT a.*, s.device_id, s.number > n.newest AS is_newer,
        s.clean AND (s.uploads OR a.phase <> 'upload') AS well
    FROM alike AS a JOIN newest AS n USING (error_type, http_status, object, operation, phase)
    JOIN synced AS s ON s.hour BETWEEN a.since AND a.until AND (n.platform = '' OR s.platform IN ('', n.platform))
),
counted AS (
    SELECT error_type, http_status, object, operation, phase, named, devices, since,
        count(DISTINCT device_id) FILTER (WHERE is_newer AND well) AS newer,
        count(DISTINCT device_id) FILTER (WHERE is_newer) AS all_newer,
        count(DISTINCT device_id) FILTER (WHERE NOT is_newer AND well) AS older
    FROM met GROUP BY ALL
)
SELECT error_type, http_status, object, operation, phase, 'app-outdated' AS cause, 0.85 AS confidence,
    concat('Only devices with version ', named, ' or older meet it, ', devices, ' of them since ',
        strftime(since, '%Y-%m-%d %H:%M'), ' UTC, while ', newer,
        ' with newer versions synced without errors.') AS said
FROM counted
WHERE newer >= $devices AND older * 5 <= devices
    -- all of the failing devices among the older ones: hypergeometric, nobody newer was drawn
    -- drawn blindly among all of them, would the failing devices all be old ones?
    AND exp(lgamma(devices + older + 1) - lgamma(older + 1)
        - lgamma(devices + older + all_newer + 1) + lgamma(older + all_newer + 1)) <= $chance
"""
