-- title: Adoption of app versions
-- unit: share of syncs, 0 to 1
-- good: neither
-- period: now
-- Share of tracked syncs made with each app version in the last 24 and the last 6 hours before `until` or the
-- reference time, and its best day so far. A version is adopted if it has at least a tenth of the syncs of the last
-- 24 hours, replaced if it had a tenth on an earlier day but no longer does, and low otherwise. Syncs without a
-- version are shown as "unknown".
WITH placed AS (
    SELECT
        coalesce(app_version, 'unknown') AS app_version,
        coalesce(device_id, user_id) AS device,
        cast(started_at AS DATE) AS day,
        started_at,
        date_diff('second', started_at, as_of) / 3600e0 AS hours_ago
    FROM sync
    CROSS JOIN reference
),
by_day AS (
    SELECT app_version, day, count(*) * 1e0 / sum(count(*)) OVER (PARTITION BY day) AS share
    FROM placed
    GROUP BY app_version, day
),
best AS (
    SELECT app_version, max(share) AS best_day_share FROM by_day GROUP BY app_version
),
whole AS (
    SELECT
        count(*) FILTER (WHERE hours_ago <= 24) AS syncs_24h,
        count(*) FILTER (WHERE hours_ago <= 6) AS syncs_6h
    FROM placed
),
per_version AS (
    SELECT
        p.app_version,
        count(*) AS syncs,
        count(DISTINCT p.device) AS devices,
        min(p.started_at) AS first_seen,
        max(p.started_at) AS last_seen,
        count(*) FILTER (WHERE p.hours_ago <= 24) * 1e0 / nullif(max(w.syncs_24h), 0) AS share_24h,
        count(*) FILTER (WHERE p.hours_ago <= 6) * 1e0 / nullif(max(w.syncs_6h), 0) AS share_6h
    FROM placed AS p
    CROSS JOIN whole AS w
    GROUP BY p.app_version
)
SELECT
    v.app_version, v.syncs, v.devices, v.first_seen, v.last_seen, v.share_24h, v.share_6h, b.best_day_share,
    CASE WHEN v.share_24h >= 0.1 THEN 'adopted' WHEN b.best_day_share >= 0.1 THEN 'replaced' ELSE 'low' END
        AS stage
FROM per_version AS v
JOIN best AS b ON b.app_version = v.app_version
ORDER BY v.syncs DESC, v.app_version
