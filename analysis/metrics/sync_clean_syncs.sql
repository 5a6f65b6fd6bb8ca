-- title: Syncs without upload errors
-- unit: share of syncs, 0 to 1
-- good: higher is better
-- Share of finished syncs that succeeded without an upload error, per sync type, with the 95 % Wilson interval: a
-- stricter success_rate. Canceled and unfinished syncs are not counted.
WITH counted AS (
    SELECT
        sync_type,
        count(*) AS n,
        count(*) FILTER (WHERE outcome = 'succeeded') AS clean
    FROM sync
    WHERE outcome NOT IN ('canceled', 'unfinished')
    GROUP BY sync_type
)
SELECT
    sync_type, n AS syncs, clean, clean * 1e0 / n AS share,
    wilson_low(clean, n) AS low,
    wilson_high(clean, n) AS high
FROM counted
ORDER BY n DESC, sync_type
