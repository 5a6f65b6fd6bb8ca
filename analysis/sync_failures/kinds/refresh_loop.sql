-- title: Devices refresh their database again and again
-- noun: repeated database refreshes
-- compare: listed
-- users: 1
-- failures: no
-- changes: user setting app_version
-- causes: local-state-mismatch local-database-damaged device-storage-full sync-configuration
-- open: Whether an admin forces the refreshes, the device loses its database, or the refresh never completes.
-- A database refresh with two more by the same user within two days before or after it.
SELECT sync_id, true AS starts FROM (
    SELECT sync_id,
        date_diff('hour', lag(started_at, 2) OVER by_user, started_at) <= 48 AS ends_run,
        date_diff('hour', lag(started_at) OVER by_user, lead(started_at) OVER by_user) <= 48 AS is_within_run,
        date_diff('hour', started_at, lead(started_at, 2) OVER by_user) <= 48 AS begins_run
    FROM judged_sync
    WHERE lower(sync_type) LIKE '%refresh%'
    WINDOW by_user AS (PARTITION BY who ORDER BY started_at, sync_id)
)
WHERE ends_run OR is_within_run OR begins_run
