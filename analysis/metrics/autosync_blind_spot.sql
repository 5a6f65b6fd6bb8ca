-- title: Uploads visible in tracked syncs
-- unit: share of records, 0 to 1
-- good: neither
-- How much of the records that users create and edit is uploaded by tracked syncs, and how much by autosync, which
-- leaves no record: created = tracked + refused + untracked. Estimated from syncs whose engine counts the records
-- created since the sync before. Vault alone does not count them: without such syncs the result is empty. Read every
-- other upload metric as being about `tracked_share` of the work.
WITH known AS (
    SELECT
        sync_type,
        records_created,
        coalesce(uploads, 0) AS uploads,
        coalesce(upload_errors, 0) AS upload_errors
    FROM sync
    WHERE records_created IS NOT NULL
),
summed AS (
    SELECT
        sync_type,
        count(*) AS syncs,
        cast(sum(records_created) AS BIGINT) AS created,
        cast(sum(uploads) AS BIGINT) AS tracked,
        cast(sum(upload_errors) AS BIGINT) AS refused
    FROM known
    GROUP BY sync_type
)
SELECT
    sync_type, syncs, created, tracked, refused,
    greatest(created - tracked - refused, 0) AS untracked,
    CASE WHEN created > 0 THEN least((tracked + refused) * 1e0 / created, 1.0) END AS tracked_share
FROM summed
ORDER BY syncs DESC, sync_type
