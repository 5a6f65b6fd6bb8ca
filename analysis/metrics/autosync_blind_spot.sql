-- title: Uploads that tracked syncs show
-- unit: share of records, 0 to 1
-- good: neither
-- How much of what people create and edit goes through tracked syncs, and how much through autosync, which leaves no
-- record: created = tracked + refused + untracked. Estimated from syncs whose engine counts the records made since
-- the sync before; Vault alone does not tell, so without such syncs the answer is empty. Read every other metric of
-- uploads as being about `tracked_share` of the work.
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
