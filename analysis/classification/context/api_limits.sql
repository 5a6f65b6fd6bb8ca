-- title: API limits
-- reads: rate-limit
-- decides: rate-limit
-- overrules: nothing
-- key: event_id
-- why: When a call limit is used up, other errors and the API usage log of the same minutes show it. Either the
--   usage log counts no call left, or several devices or the same user got a plain limit error.
-- threshold: minutes = 5 minutes: Vault counts the calls of the burst limit in windows of five minutes.
-- threshold: devices = 3 devices: two devices with a limit error at the same time can be a coincidence.
WITH unclear AS (
    SELECT event_id, user_id, occurred_at, epoch_ms(occurred_at) // 60_000 AS minute FROM candidate WHERE NOT plain
),
-- a used-up limit can be reported up to five minutes before and after the error
plain AS (
    SELECT user_id, coalesce(device_id, user_id) AS device_id, epoch_ms(occurred_at) // 60_000 + step AS minute
    FROM candidate, range(-CAST($minutes AS BIGINT), CAST($minutes AS BIGINT) + 1) AS steps(step) WHERE plain
),
by_minute AS (SELECT minute, count(DISTINCT device_id) AS devices FROM plain GROUP BY minute),
by_user AS (SELECT minute, user_id, count(*) AS errors FROM plain GROUP BY minute, user_id),
used_up AS (
    SELECT minute + step AS minute, min(remaining) AS remaining FROM (
        SELECT epoch_ms(occurred_at) // 60_000 AS minute,
            try_cast(json_extract_string(try_cast(extra AS JSON), '$.burst_limit_remaining') AS BIGINT) AS remaining
        FROM sync_error WHERE extra LIKE '%burst_limit_remaining%'
    ), range(CAST($minutes AS BIGINT)) AS steps(step)
    WHERE remaining <= 0 GROUP BY ALL
)
SELECT o.event_id, 'rate-limit' AS cause, CASE WHEN u.minute IS NOT NULL THEN 0.9 ELSE 0.8 END AS confidence,
    CASE WHEN u.minute IS NOT NULL THEN
            concat('The API usage log shows no calls left of the burst limit in the ', $minutes, ' minutes before.')
        WHEN d.devices >= $devices THEN
            concat(d.devices, ' devices reported an exceeded limit within ', $minutes, ' minutes of this error.')
        ELSE concat('The same user got a limit error within ', $minutes, ' minutes of this error.') END AS evidence
FROM unclear AS o
LEFT JOIN used_up AS u ON u.minute = o.minute
LEFT JOIN by_minute AS d ON d.minute = o.minute
LEFT JOIN by_user AS w ON w.minute = o.minute AND w.user_id = o.user_id
WHERE u.minute IS NOT NULL OR d.devices >= $devices OR w.errors > 0
QUALIFY row_number() OVER (PARTITION BY o.event_id ORDER BY u.remaining) = 1
