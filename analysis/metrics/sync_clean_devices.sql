-- title: Devices without a failed sync
-- unit: share of devices, 0 to 1
-- good: higher is better
-- Share of devices that had no failed sync in the time, among devices with at least one sync that succeeded or
-- failed, with the 95 % Wilson interval. Where a sync names no device, its user stands for it, because Vault's
-- tracking record names the user only. Canceled and unfinished syncs are not failures.
WITH per_device AS (
    SELECT
        coalesce(device_id, user_id) AS device,
        count(*) FILTER (WHERE outcome IN ('failed', 'failed_upload', 'failed_download')) AS failures
    FROM sync
    WHERE outcome NOT IN ('canceled', 'unfinished') AND coalesce(device_id, user_id) IS NOT NULL
    GROUP BY coalesce(device_id, user_id)
),
counted AS (
    SELECT count(*) AS devices, count(*) FILTER (WHERE failures = 0) AS clean FROM per_device
),
shares AS (
    SELECT *, devices AS n, clean * 1e0 / nullif(devices, 0) AS share FROM counted
)
SELECT
    devices, clean, share,
    (share + 1.92073e0 / n - 1.959964e0 * sqrt(share * (1 - share) / n + 0.960365e0 / (n * n))) / (1 + 3.841459e0 / n) AS low,
    (share + 1.92073e0 / n + 1.959964e0 * sqrt(share * (1 - share) / n + 0.960365e0 / (n * n))) / (1 + 3.841459e0 / n) AS high
FROM shares
WHERE devices > 0
