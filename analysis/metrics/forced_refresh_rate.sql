-- title: Database refreshes
-- unit: share of syncs, 0 to 1
-- good: lower is better
-- Database refreshes as a share of all tracked syncs, and the number of devices that made one. A refresh is the
-- most expensive fix. A sync counts as a refresh if the API name of its type contains "refresh", because customers
-- name the types. Whether a user or an administrator requested it is known only if the engine records a trigger.
SELECT
    cast(date_trunc('week', started_at) AS DATE) AS week,
    count(*) AS syncs,
    count(*) FILTER (WHERE lower(sync_type) LIKE '%refresh%') AS refreshes,
    count(DISTINCT CASE WHEN lower(sync_type) LIKE '%refresh%' THEN coalesce(device_id, user_id) END) AS devices,
    count(*) FILTER (WHERE lower(sync_type) LIKE '%refresh%' AND trigger = 'forced') AS forced,
    count(*) FILTER (WHERE lower(sync_type) LIKE '%refresh%') * 1e0 / count(*) AS share
FROM sync
GROUP BY cast(date_trunc('week', started_at) AS DATE)
ORDER BY week
