-- title: Stuck devices
-- unit: devices
-- good: lower is better
-- period: now
-- Devices that try and fail: the last attempt is more than 24 hours after the last success, with at least three
-- attempts since. A device that never succeeded counts from its first attempt. Errors of a sync that left no tracking
-- record are failed attempts; those of Autosync only if they shut the device out, because Autosync leaves no trace of a
-- success. Canceled and unfinished syncs are attempts too, but a device with no other attempts since its last success
-- is not stuck. If a sync names no device, its user counts as the device.
WITH attempted AS (
    SELECT device, user_id, started_at, outcome FROM sync_attempt WHERE outcome <> 'failed_autosync'
),
per_device AS (
    SELECT
        device,
        min(started_at) AS first_attempt,
        max(started_at) AS last_attempt,
        max(CASE WHEN outcome IN ('succeeded', 'succeeded_with_upload_errors') THEN started_at END) AS last_success
    FROM attempted
    GROUP BY device
),
since_success AS (
    SELECT
        p.device,
        max(n.user_id) AS user_id,
        max(p.last_attempt) AS last_attempt,
        max(p.last_success) AS last_success,
        count(*) AS attempts_since,
        count(*) FILTER (WHERE n.outcome IN ('failed', 'failed_upload', 'failed_download')) AS failures_since,
        max(date_diff('second', coalesce(p.last_success, p.first_attempt), p.last_attempt)) / 3600e0 AS hours_stuck
    FROM per_device AS p
    JOIN attempted AS n ON n.device = p.device AND (p.last_success IS NULL OR n.started_at > p.last_success)
    GROUP BY p.device
)
SELECT device, user_id, last_attempt, last_success, attempts_since, failures_since, hours_stuck
FROM since_success
WHERE hours_stuck > 24 AND attempts_since >= 3 AND failures_since >= 1
ORDER BY hours_stuck DESC, device
