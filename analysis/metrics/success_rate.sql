-- title: Sync success rate by type
-- unit: share of syncs, 0 to 1
-- good: higher is better
-- Share of tracked syncs that succeeded, per sync type, with the 95 % Wilson interval. A sync that succeeded counts
-- as good, even if some of its records were refused (see upload_error_rate for those). Canceled syncs and syncs
-- without a completion are listed but counted on neither side: canceling is a choice of the user, and the result of
-- an unfinished sync is unknown. Autosync leaves no tracking record and is not counted.
WITH counted AS (
    SELECT
        sync_type,
        count(*) FILTER (WHERE outcome IN ('succeeded', 'succeeded_with_upload_errors')) AS good,
        count(*) FILTER (WHERE outcome IN ('failed', 'failed_upload', 'failed_download')) AS bad,
        count(*) FILTER (WHERE outcome = 'canceled') AS canceled,
        count(*) FILTER (WHERE outcome = 'unfinished') AS unfinished
    FROM sync
    GROUP BY sync_type
),
finished AS (
    SELECT *, good + bad AS n FROM counted
)
SELECT
    sync_type, good, bad, canceled, unfinished, good * 1e0 / nullif(n, 0) AS success_rate,
    wilson_low(good, n) AS low,
    wilson_high(good, n) AS high
FROM finished
ORDER BY n DESC, sync_type
