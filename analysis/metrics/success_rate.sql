-- title: Sync success rate by type
-- unit: share of syncs, 0 to 1
-- good: higher is better
-- Share of tracked syncs that succeeded, per sync type, with the 95 % Wilson interval. A sync counts as good
-- when it succeeded, also when some of its records were refused (see upload_error_rate for those). Syncs that
-- the user canceled, and syncs without a completion, are shown beside it and counted on neither side: the first
-- is a choice, of the second nobody knows the end. Autosync leaves no tracking record and is not counted.
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
shares AS (
    SELECT *, good + bad AS n, good * 1e0 / nullif(good + bad, 0) AS success_rate FROM counted
)
SELECT
    sync_type, good, bad, canceled, unfinished, success_rate,
    (success_rate + 1.92073e0 / n - 1.959964e0 * sqrt(success_rate * (1 - success_rate) / n + 0.960365e0 / (n * n)))
        / (1 + 3.841459e0 / n) AS low,
    (success_rate + 1.92073e0 / n + 1.959964e0 * sqrt(success_rate * (1 - success_rate) / n + 0.960365e0 / (n * n)))
        / (1 + 3.841459e0 / n) AS high
FROM shares
ORDER BY n DESC, sync_type
