-- How the records that a user made reached Vault: one row per sync whose engine counts them.
-- created = tracked + waiting + untracked. `created` records were made since the tracked sync before, `tracked` uploaded
-- by this sync, `untracked` by Autosync in between. `waiting` is the growth of the outbox, below 0 if a backlog was
-- uploaded. A refused record stays in the outbox, so it counts once, in however many syncs it is refused.
WITH counted AS (
    -- From the unfiltered view: the sync before may lie outside the filter, and its outbox is the start.
    SELECT
        sync_id, records_created AS created, coalesce(uploads, 0) AS tracked, pending_uploads AS outbox,
        lag(pending_uploads) OVER (
            PARTITION BY coalesce(device_id, user_id) ORDER BY started_at, sync_id
        ) AS outbox_before
    FROM main.detailed_sync
    WHERE records_created IS NOT NULL AND pending_uploads IS NOT NULL
),
counted_untracked AS (
    -- The outbox before the first sync is unknown: the smallest one that explains the uploads counts.
    SELECT
        sync_id, created, tracked,
        greatest(
            created - tracked - outbox + coalesce(outbox_before, greatest(tracked + outbox - created, 0)), 0
        ) AS untracked
    FROM counted
)
SELECT
    coalesce(s.device_id, s.user_id) AS device, s.sync_id, s.sync_type, c.created, c.tracked,
    c.created - c.tracked - c.untracked AS waiting, c.untracked
FROM sync AS s
JOIN counted_untracked AS c ON c.sync_id = s.sync_id
