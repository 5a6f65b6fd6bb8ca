-- title: Time to sync
-- unit: seconds
-- good: lower is better
-- Median, 75th and 95th percentile of the documented duration of finished syncs, per sync type and refresh mode;
-- types are never pooled. The duration is wall time and includes the time in the background or on pause, so hours
-- are normal for a non-blocking sync; active_median counts active time only and is empty if it was not recorded.
-- Unfinished and canceled syncs have no duration and are only counted: `estimate_durations` includes them in its
-- estimate.
SELECT
    sync_type,
    refresh_mode,
    count(*) FILTER (WHERE outcome NOT IN ('canceled', 'unfinished') AND duration_seconds IS NOT NULL) AS syncs,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY CASE WHEN outcome NOT IN ('canceled', 'unfinished')
        THEN duration_seconds END) AS median,
    percentile_cont(0.75) WITHIN GROUP (ORDER BY CASE WHEN outcome NOT IN ('canceled', 'unfinished')
        THEN duration_seconds END) AS p75,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY CASE WHEN outcome NOT IN ('canceled', 'unfinished')
        THEN duration_seconds END) AS p95,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY CASE WHEN outcome NOT IN ('canceled', 'unfinished')
        THEN active_seconds END) AS active_median,
    count(*) FILTER (WHERE outcome = 'unfinished') AS unfinished,
    count(*) FILTER (WHERE outcome = 'canceled') AS canceled
FROM sync
GROUP BY sync_type, refresh_mode
ORDER BY sync_type, refresh_mode
