-- title: Risk of app versions
-- unit: ratio of failure rates
-- good: lower is better
-- Failure rate of the syncs of one app version divided by that of all other versions, compared within days (Mantel and
-- Haenszel), with its 95 % interval (Greenland and Robins): a version that is rolled out after an incident is not
-- credited with its end. Only UTC days with syncs of both sides count for the ratio, `other_failure_rate` and `enough`.
-- Half an event is added on each side so that zero failures do not cause an infinite ratio. Act only if `enough` is true
-- (30 finished syncs and 5 devices on both sides). A ratio does not prove that the version is the cause: users who
-- update first may differ from the others. Canceled and unfinished syncs are not counted.
WITH finished AS (
    SELECT
        coalesce(app_version, 'unknown') AS app_version,
        coalesce(device_id, user_id) AS device,
        cast(started_at AS DATE) AS day,
        CASE WHEN outcome IN ('failed', 'failed_upload', 'failed_download') THEN 1 ELSE 0 END AS bad
    FROM sync
    WHERE outcome NOT IN ('canceled', 'unfinished')
),
totals AS (
    SELECT
        app_version, count(*) AS syncs, sum(bad) AS failures, count(DISTINCT device) AS devices
    FROM finished
    GROUP BY app_version
),
by_day AS (
    SELECT day, count(*) AS syncs, sum(bad) AS failures FROM finished GROUP BY day
),
by_version AS (
    SELECT app_version, day, count(*) * 1e0 AS n1, sum(bad) * 1e0 AS a FROM finished GROUP BY app_version, day
),
shared AS (
    SELECT
        v.app_version, v.day, v.n1, v.a, d.syncs - v.n1 AS n0, d.failures - v.a AS c, d.syncs * 1e0 AS n
    FROM by_version AS v
    JOIN by_day AS d ON d.day = v.day AND d.syncs > v.n1
),
shared_devices AS (
    SELECT
        s.app_version,
        count(DISTINCT CASE WHEN f.app_version = s.app_version THEN f.device END) AS devices,
        count(DISTINCT CASE WHEN f.app_version <> s.app_version THEN f.device END) AS other_devices
    FROM shared AS s
    JOIN finished AS f ON f.day = s.day
    GROUP BY s.app_version
),
sums AS (
    SELECT
        app_version,
        sum(n1) AS shared_syncs,
        sum(n0) AS other_syncs,
        sum(c) AS other_failures,
        sum(a * n0 / n) + 0.5 * sum(n0) / sum(n) AS observed,
        sum(c * n1 / n) + 0.5 * sum(n1) / sum(n) AS expected,
        sum(n1 * n0 * (a + c) / (n * n) - a * c / n) + sum(n1) * sum(n0) / (sum(n) * sum(n)) AS spread
    FROM shared
    GROUP BY app_version
),
ratios AS (
    SELECT *, ln(observed / expected) AS middle, 1.959964e0 * sqrt(spread / (observed * expected)) AS reach
    FROM sums
)
SELECT
    t.app_version, t.syncs, t.failures, t.devices,
    t.failures * 1e0 / t.syncs AS failure_rate,
    r.other_failures / r.other_syncs AS other_failure_rate,
    exp(r.middle) AS risk_ratio,
    exp(r.middle - r.reach) AS low,
    exp(r.middle + r.reach) AS high,
    coalesce(
        r.shared_syncs >= 30 AND s.devices >= 5 AND r.other_syncs >= 30 AND s.other_devices >= 5, false
    ) AS enough
FROM totals AS t
LEFT JOIN ratios AS r ON r.app_version = t.app_version
LEFT JOIN shared_devices AS s ON s.app_version = t.app_version
ORDER BY risk_ratio DESC, t.app_version
