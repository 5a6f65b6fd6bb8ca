-- title: Syncs by day and outcome
-- unit: syncs
-- good: lower is better
-- Tracked syncs per day (UTC) by outcome, with the affected devices and the share of failures among syncs that
-- succeeded or failed. A day without syncs has no row. Autosync is not counted.
SELECT
    cast(started_at AS DATE) AS day,
    count(*) AS syncs,
    count(*) FILTER (WHERE outcome IN ('failed', 'failed_upload', 'failed_download')) AS failed,
    count(*) FILTER (WHERE outcome = 'succeeded_with_upload_errors') AS with_upload_errors,
    count(*) FILTER (WHERE outcome = 'canceled') AS canceled,
    count(*) FILTER (WHERE outcome = 'unfinished') AS unfinished,
    count(DISTINCT CASE WHEN outcome IN ('failed', 'failed_upload', 'failed_download')
        THEN coalesce(device_id, user_id) END) AS devices_with_failure,
    count(*) FILTER (WHERE outcome IN ('failed', 'failed_upload', 'failed_download')) * 1e0
        / nullif(count(*) FILTER (WHERE outcome NOT IN ('canceled', 'unfinished')), 0) AS failure_rate
FROM sync
GROUP BY cast(started_at AS DATE)
ORDER BY day
