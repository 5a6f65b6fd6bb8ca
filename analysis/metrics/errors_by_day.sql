-- title: Errors by day and cause
-- unit: error events
-- good: lower is better
-- Error events and affected devices per day (UTC) and cause. A day without errors has no row.
SELECT
    cast(occurred_at AS DATE) AS day,
    cause,
    count(*) AS events,
    count(DISTINCT coalesce(device_id, user_id)) AS devices
FROM error
GROUP BY cast(occurred_at AS DATE), cause
ORDER BY day, cause
