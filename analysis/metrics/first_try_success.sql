-- title: First-try success
-- unit: share of syncs, 0 to 1
-- good: higher is better
-- Share of all finished syncs that succeeded without a single retry, per sync type, with the 95 % Wilson interval:
-- retries can hide trouble that success_rate does not show. A sync whose row names no number of retries counts as
-- one without. Canceled and unfinished syncs are not counted.
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
),
shares AS (
    SELECT *, good * 1e0 / n AS share FROM counted
)
SELECT
    sync_type, n AS syncs, good, share,
    (share + 1.92073e0 / n - 1.959964e0 * sqrt(share * (1 - share) / n + 0.960365e0 / (n * n))) / (1 + 3.841459e0 / n) AS low,
    (share + 1.92073e0 / n + 1.959964e0 * sqrt(share * (1 - share) / n + 0.960365e0 / (n * n))) / (1 + 3.841459e0 / n) AS high
FROM shares
ORDER BY n DESC, sync_type
