-- title: Retries per sync
-- unit: retries per sync
-- good: lower is better
-- Mean of number_of_retries__v and share of syncs with at least one retry, per sync type. Syncs without a recorded
-- number are left out, not counted as zero; canceled and unfinished syncs are counted.
SELECT
    sync_type,
    count(retries) AS syncs,
    avg(retries) AS retries_per_sync,
    count(*) FILTER (WHERE retries > 0) * 1e0 / nullif(count(retries), 0) AS share_with_retries,
    max(retries) AS most
FROM sync
GROUP BY sync_type
ORDER BY syncs DESC, sync_type
