-- title: Silent devices
-- unit: devices
-- good: lower is better
-- period: now
-- Devices that stopped trying: no attempt for more than three times their median pause between syncs, more than one
-- and a half times nearly their longest pause (98 %, so that nights and weekends count as normal), and more than a
-- day, up to `until` or the reference time. An error of the device is an attempt, whether the sync was tracked or not.
-- A device that syncs weekly is not silent after two days. Devices with fewer than five syncs have no usual pause yet
-- and are left out. A device that only uses autosync without errors looks silent, because autosync leaves no tracking
-- record.
WITH named AS (
    SELECT coalesce(device_id, user_id) AS device, user_id, started_at
    FROM sync
    WHERE coalesce(device_id, user_id) IS NOT NULL
),
failed AS (
    SELECT coalesce(device_id, user_id) AS device, max(occurred_at) AS last_error
    FROM error
    WHERE coalesce(device_id, user_id) IS NOT NULL
    GROUP BY coalesce(device_id, user_id)
),
paused AS (
    SELECT
        device, user_id, started_at,
        date_diff('second', lag(started_at) OVER (PARTITION BY device ORDER BY started_at), started_at) / 3600e0
            AS pause_hours
    FROM named
),
usual AS (
    SELECT
        device,
        max(user_id) AS user_id,
        count(*) AS syncs,
        max(started_at) AS last_sync,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY pause_hours) AS usual_pause_hours,
        percentile_cont(0.98) WITHIN GROUP (ORDER BY pause_hours) AS long_pause_hours
    FROM paused
    GROUP BY device
),
per_device AS (
    SELECT u.*, CASE WHEN f.last_error > u.last_sync THEN f.last_error ELSE u.last_sync END AS last_attempt
    FROM usual AS u
    LEFT JOIN failed AS f ON f.device = u.device
)
SELECT
    device, user_id, syncs, last_attempt, usual_pause_hours, long_pause_hours,
    date_diff('second', last_attempt, as_of) / 3600e0 AS hours_silent
FROM per_device
CROSS JOIN reference
WHERE syncs >= 5
    AND date_diff('second', last_attempt, as_of) / 3600e0 > 24
    AND date_diff('second', last_attempt, as_of) / 3600e0 > 3 * usual_pause_hours
    AND date_diff('second', last_attempt, as_of) / 3600e0 > 1.5e0 * long_pause_hours
ORDER BY hours_silent DESC, device
