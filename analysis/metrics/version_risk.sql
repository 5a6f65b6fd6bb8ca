-- title: Risk of app versions
-- unit: ratio of failure rates
-- good: lower is better
-- Failure rate of the syncs of one app version divided by that of all other versions, with its 95 % interval by the
-- logarithm of the ratio; half an event is added on each side so that zero failures do not cause an infinite ratio.
-- Act only if `enough` is true (30 finished syncs and 5 devices on both sides). A ratio does not prove that the
-- version is the cause: users who update first may differ from the others. Canceled and unfinished syncs are not
-- counted.
WITH finished AS (
    SELECT
        coalesce(app_version, 'unknown') AS app_version,
        coalesce(device_id, user_id) AS device,
        CASE WHEN outcome IN ('failed', 'failed_upload', 'failed_download') THEN 1 ELSE 0 END AS bad
    FROM sync
    WHERE outcome NOT IN ('canceled', 'unfinished')
),
versions AS (
    SELECT DISTINCT app_version FROM finished
),
sides AS (
    SELECT
        v.app_version,
        count(*) FILTER (WHERE f.app_version = v.app_version) AS syncs,
        count(*) FILTER (WHERE f.app_version = v.app_version AND f.bad = 1) AS failures,
        count(DISTINCT CASE WHEN f.app_version = v.app_version THEN f.device END) AS devices,
        count(*) FILTER (WHERE f.app_version <> v.app_version) AS other_syncs,
        count(*) FILTER (WHERE f.app_version <> v.app_version AND f.bad = 1) AS other_failures,
        count(DISTINCT CASE WHEN f.app_version <> v.app_version THEN f.device END) AS other_devices
    FROM versions AS v
    CROSS JOIN finished AS f
    GROUP BY v.app_version
),
ratios AS (
    SELECT
        *,
        ln((failures + 0.5) / (syncs + 1.0)) - ln((other_failures + 0.5) / (other_syncs + 1.0)) AS middle,
        1.959964e0 * sqrt(1 / (failures + 0.5) - 1 / (syncs + 1.0)
            + 1 / (other_failures + 0.5) - 1 / (other_syncs + 1.0)) AS reach
    FROM sides
)
SELECT
    app_version, syncs, failures, devices,
    failures * 1e0 / syncs AS failure_rate,
    other_failures * 1e0 / nullif(other_syncs, 0) AS other_failure_rate,
    CASE WHEN other_syncs > 0 THEN exp(middle) END AS risk_ratio,
    CASE WHEN other_syncs > 0 THEN exp(middle - reach) END AS low,
    CASE WHEN other_syncs > 0 THEN exp(middle + reach) END AS high,
    syncs >= 30 AND devices >= 5 AND other_syncs >= 30 AND other_devices >= 5 AS enough
FROM ratios
ORDER BY risk_ratio DESC, app_version
