-- title: Devices without a failed sync
-- unit: share of devices, 0 to 1
-- good: higher is better
-- Share of devices that had no failed sync in the period, among devices with at least one sync that succeeded or
-- failed, with the 95 % Wilson interval. If a sync names no device, its user counts as the device, because Vault's
-- tracking record names only the user. Canceled and unfinished syncs are not failures.
WITH per_device AS (
    SELECT
        coalesce(device_id, user_id) AS device,
        count(*) FILTER (WHERE outcome IN ('failed', 'failed_upload', 'failed_download')) AS failures
    FROM sync
    WHERE outcome NOT IN ('canceled', 'unfinished') AND coalesce(device_id, user_id) IS NOT NULL
    GROUP BY coalesce(device_id, user_id)
),
counted AS (
    SELECT count(*) AS n, count(*) FILTER (WHERE failures = 0) AS clean FROM per_device
)
SELECT
    n AS devices, clean, clean * 1e0 / n AS share,
    wilson_low(clean, n) AS low,
    wilson_high(clean, n) AS high
FROM counted
WHERE n > 0
