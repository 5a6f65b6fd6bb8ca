-- title: Freshness of devices
-- unit: devices
-- good: neither
-- period: now
-- Time since the last successful tracked sync of each device, up to `until` or the reference time: number and share
-- of devices per age. A device that never succeeded is "never". Devices without any tracked sync are not included
-- (see silent_devices). A device that only uses autosync looks older than it is, because autosync leaves no
-- record.
WITH per_device AS (
    SELECT
        coalesce(device_id, user_id) AS device,
        max(CASE WHEN outcome IN ('succeeded', 'succeeded_with_upload_errors') THEN started_at END) AS last_success
    FROM sync
    WHERE coalesce(device_id, user_id) IS NOT NULL
    GROUP BY coalesce(device_id, user_id)
),
aged AS (
    SELECT date_diff('second', last_success, as_of) / 86400e0 AS days FROM per_device CROSS JOIN reference
),
placed AS (
    SELECT
        CASE WHEN days IS NULL THEN 5 WHEN days > 7 THEN 4 WHEN days > 3 THEN 3 WHEN days > 1 THEN 2 ELSE 1 END AS place,
        CASE WHEN days IS NULL THEN 'never' WHEN days > 7 THEN 'over 7 days' WHEN days > 3 THEN '3 to 7 days'
            WHEN days > 1 THEN '1 to 3 days' ELSE 'within 1 day' END AS age
    FROM aged
)
SELECT age, count(*) AS devices, count(*) * 1e0 / sum(count(*)) OVER () AS share
FROM placed
GROUP BY place, age
ORDER BY place
