-- title: Uploads visible in tracked syncs
-- unit: share of uploads, 0 to 1
-- good: neither
-- How many of the records that users create and edit are uploaded by tracked syncs, and how many by autosync, which
-- leaves no record: created = tracked + waiting + untracked, where `waiting` is the growth of the outbox, below 0 if a
-- backlog was uploaded. Estimated from syncs whose engine counts the records created since the sync before and those
-- that wait. Vault alone does not count them: without such syncs the result is empty. Read every other upload metric as
-- being about `tracked_share` of the uploads.
WITH summed AS (
    SELECT
        sync_type,
        count(*) AS syncs,
        cast(sum(created) AS BIGINT) AS created,
        cast(sum(tracked) AS BIGINT) AS tracked,
        cast(sum(waiting) AS BIGINT) AS waiting,
        cast(sum(untracked) AS BIGINT) AS untracked
    FROM upload_balance
    GROUP BY sync_type
)
SELECT
    sync_type, syncs, created, tracked, waiting, untracked,
    CASE WHEN tracked + untracked > 0 THEN tracked * 1e0 / (tracked + untracked) END AS tracked_share
FROM summed
ORDER BY syncs DESC, sync_type
