-- Every attempt to sync that left a trace: tracked syncs, and errors of a whole sync or Autosync without a tracking
-- record. A device that may not connect leaves errors alone. `outcome` is that of the sync, 'failed' for an untracked
-- sync, 'failed_autosync' for Autosync, whose successes leave no trace.
SELECT coalesce(device_id, user_id) AS device, user_id, started_at, outcome
FROM sync
WHERE coalesce(device_id, user_id) IS NOT NULL
UNION ALL
SELECT coalesce(e.device_id, e.user_id), max(e.user_id), min(e.occurred_at),
    CASE WHEN max(e.sync_id) IS NOT NULL OR max(c.cause) IS NOT NULL THEN 'failed' ELSE 'failed_autosync' END
FROM error AS e
LEFT JOIN main.tracked_sync AS t ON t.sync_id = e.sync_id
LEFT JOIN shut_out_cause AS c ON c.cause = e.cause
WHERE e.record_id IS NULL AND t.sync_id IS NULL AND coalesce(e.device_id, e.user_id) IS NOT NULL
GROUP BY coalesce(e.device_id, e.user_id), coalesce(e.sync_id, e.event_id)
