-- title: First-try success
-- unit: share of syncs, 0 to 1
-- good: higher is better
-- Share of all finished syncs that succeeded without a single retry, per sync type, with the 95 % Wilson interval:
-- retries can hide problems that success_rate does not show. A sync without a recorded number of retries counts as
-- one without retries. Canceled and unfinished syncs are not counted.
WITH counted AS (
    SELECT
        sync_type,
        count(*) AS n,
        count(*) FILTER (
            WHERE outcome IN ('succeeded', 'succeeded_with_upload_errors') AND coalesce(retries, 0) = 0
        ) AS good
    FROM sync
    WHERE outcome NOT IN ('canceled', 'unfinished')
    GROUP BY sync_type
)
SELECT
    sync_type, n AS syncs, good, good * 1e0 / n AS share,
    wilson_low(good, n) AS low,
    wilson_high(good, n) AS high
FROM counted
ORDER BY n DESC, sync_type
