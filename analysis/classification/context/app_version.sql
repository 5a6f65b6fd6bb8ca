-- title: App version
-- reads: app-outdated
-- decides: app-outdated
-- overrules: nothing
-- key: error_type http_status object operation phase
-- why: An error that only old app versions report, while newer versions on the same platform sync without errors
--   (with uploads, if the error is an upload error), is a version problem. Devices with the failing versions must
--   hardly ever sync without errors, and chance must not explain the difference.
-- threshold: devices = 3 devices: fewer failing or newer devices are weak evidence.
-- threshold: chance = 0.01 probability: the failing devices could all be old ones by chance in at most 1 % of draws.
WITH failing AS (
    -- versions compare as lists of their numbers: 25.10 comes after 25.9
    SELECT *,
        list_transform(string_split(app_version, '.'), lambda part: coalesce(try_cast(part AS INTEGER), 0)) AS number
    FROM candidate
),
alike AS (
    SELECT error_type, http_status, object, operation, phase, count(DISTINCT device_id) AS devices,
        max_by(app_version, number) AS newest_failing, min(occurred_at) AS since, max(occurred_at) AS until
    FROM failing GROUP BY ALL HAVING count(DISTINCT device_id) >= $devices
),
-- platforms can number their versions differently, so each is compared with itself
newest AS (
    SELECT error_type, http_status, object, operation, phase, platform, max(number) AS newest
    FROM failing GROUP BY ALL
),
-- by the hour, from the first full hour on, so that few rows join with many groups
synced AS (
    SELECT DISTINCT device_id, coalesce(platform, '') AS platform, date_trunc('hour', started_at) AS hour,
        outcome = 'succeeded' AS clean, coalesce(uploads, 0) > 0 AS uploads,
        list_transform(string_split(app_version, '.'), lambda part: coalesce(try_cast(part AS INTEGER), 0)) AS number
    FROM sync WHERE device_id IS NOT NULL AND app_version IS NOT NULL
    AND started_at BETWEEN (SELECT min(since) FROM alike) AND (SELECT max(until) FROM alike)
),
compared AS (
    SELECT a.*, s.device_id, s.number > n.newest AS is_newer,
        s.clean AND (s.uploads OR a.phase <> 'upload') AS without_errors
    FROM alike AS a JOIN newest AS n USING (error_type, http_status, object, operation, phase)
    JOIN synced AS s ON s.hour BETWEEN a.since AND a.until AND (n.platform = '' OR s.platform IN ('', n.platform))
),
counted AS (
    SELECT error_type, http_status, object, operation, phase, newest_failing, devices, since,
        count(DISTINCT device_id) FILTER (WHERE is_newer AND without_errors) AS newer,
        count(DISTINCT device_id) FILTER (WHERE is_newer) AS all_newer,
        count(DISTINCT device_id) FILTER (WHERE NOT is_newer AND without_errors) AS older
    FROM compared GROUP BY ALL
)
SELECT error_type, http_status, object, operation, phase, 'app-outdated' AS cause, 0.85 AS confidence,
    concat('Only devices with version ', newest_failing, ' or older have this error, ', devices,
        ' of them since ', strftime(since, '%Y-%m-%d %H:%M'), ' UTC, while ', newer,
        ' with newer versions synced without errors.') AS evidence
FROM counted
WHERE newer >= $devices AND older * 5 <= devices
    -- hypergeometric: the probability that a random draw of the failing devices contains no newer one
    AND exp(lgamma(devices + older + 1) - lgamma(older + 1)
        - lgamma(devices + older + all_newer + 1) + lgamma(older + all_newer + 1)) <= $chance
