-- title: Active and paused time of syncs
-- unit: seconds
-- good: lower is better
-- How much of the documented duration was active and how much was paused or in the background, per sync type, for
-- syncs whose engine records both; `unknown` counts the other syncs, and nothing is guessed for those. Vault itself
-- records only the sum. Canceled and unfinished syncs are left out.
SELECT
    sync_type,
    count(active_seconds) AS known,
    count(*) - count(active_seconds) AS unknown,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY active_seconds) AS active_median,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY active_seconds) AS active_p95,
    sum(paused_seconds) / nullif(sum(active_seconds) + sum(paused_seconds), 0) AS paused_share,
    count(*) FILTER (WHERE paused_seconds > 0) * 1e0 / nullif(count(paused_seconds), 0) AS share_with_pause
FROM sync
WHERE outcome NOT IN ('canceled', 'unfinished')
GROUP BY sync_type
ORDER BY sync_type
