-- title: Syncs without upload errors
-- unit: share of syncs, 0 to 1
-- good: higher is better
-- Share of finished syncs that left no record behind: succeeded, and no upload error. The strict sister of
-- success_rate, per sync type, with the 95 % Wilson interval. Canceled and unfinished syncs are not counted.
WITH counted AS (
    SELECT
        sync_type,
        count(*) AS n,
        count(*) FILTER (WHERE outcome = 'succeeded') AS clean
    FROM sync
    WHERE outcome NOT IN ('canceled', 'unfinished')
    GROUP BY sync_type
),
shares AS (
    SELECT *, clean * 1e0 / n AS share FROM counted
)
SELECT
    sync_type, n AS syncs, clean, share,
    (share + 1.92073e0 / n - 1.959964e0 * sqrt(share * (1 - share) / n + 0.960365e0 / (n * n))) / (1 + 3.841459e0 / n) AS low,
    (share + 1.92073e0 / n + 1.959964e0 * sqrt(share * (1 - share) / n + 0.960365e0 / (n * n))) / (1 + 3.841459e0 / n) AS high
FROM shares
ORDER BY n DESC, sync_type
