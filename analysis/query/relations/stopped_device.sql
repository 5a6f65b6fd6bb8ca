-- The devices that cannot sync now, with the issue that stops each: one row per device.
-- `device` is the device id, or the user id if the syncs and errors name no device. stopped_since is the first stop
-- after the last success, last_attempt the newest stop, attempts the number of stops in between. `shut_out` means that
-- all syncs are refused until someone acts; `lasting` that a retry alone does not help. event_id, issue_id, cause and
-- message are those of the stop that counts: the strongest, a sync before Autosync, the newest. shut_out_since and
-- shut_out_attempts count refusals of all syncs only. docs/decisions/0016-work-counts-where-it-is-stopped.md has the reasons.
--
-- A stop is an error of a whole sync or Autosync, not of a record, or a failed sync in a sync-failure issue. A device
-- is stopped if no sync succeeded since, and Vault answered for none of its records since. Autosync leaves no trace of
-- a success, so an error of Autosync alone stops a device only if its cause shuts the device out. A stop that a retry
-- can pass counts only if no lasting one is open: a lost connection does not show that a refusal has ended. If no
-- syncs of a device are loaded, its last success is unknown, and a stop older than the quiet period does not count.
WITH stop AS (
    -- From the tables, not from filtered views: a filter must not change what stops a device.
    SELECT
        coalesce(e.device_id, e.user_id) AS device, e.user_id, e.occurred_at, e.event_id, e.sync_id,
        f.issue_id, f.cause, e.message,
        c.cause IS NOT NULL AS shut_out,
        coalesce(f.retryable NOT IN ('yes', 'often', 'sometimes', 'unknown', ''), false) AS needs_action
    FROM sync_error AS e
    CROSS JOIN reference AS r
    LEFT JOIN finding AS f ON f.event_id = e.event_id
    LEFT JOIN shut_out_cause AS c ON c.cause = f.cause
    LEFT JOIN main.tracked_sync AS t ON t.sync_id = e.sync_id
    WHERE e.record_id IS NULL AND e.occurred_at <= r.as_of AND coalesce(e.device_id, e.user_id) IS NOT NULL
        AND coalesce(t.outcome, 'failed') NOT IN ('succeeded', 'succeeded_with_upload_errors')
    UNION ALL
    SELECT
        coalesce(s.device_id, s.user_id), s.user_id, s.started_at, f.sync_id, f.sync_id,
        f.issue_id, 'unknown', f.title, false, false
    FROM sync_finding AS f
    JOIN main.detailed_sync AS s ON s.sync_id = f.sync_id
    CROSS JOIN reference AS r
    WHERE f.issue_id IS NOT NULL AND s.outcome IN ('failed', 'failed_upload', 'failed_download')
        AND s.started_at <= r.as_of AND coalesce(s.device_id, s.user_id) IS NOT NULL
),
sync_success AS (
    SELECT
        coalesce(s.device_id, s.user_id) AS device,
        max(CASE WHEN s.outcome IN ('succeeded', 'succeeded_with_upload_errors') THEN s.started_at END) AS at
    FROM main.detailed_sync AS s
    CROSS JOIN reference AS r
    WHERE s.started_at <= r.as_of AND coalesce(s.device_id, s.user_id) IN (SELECT device FROM stop)
    GROUP BY coalesce(s.device_id, s.user_id)
),
record_answer AS (
    SELECT coalesce(e.device_id, e.user_id) AS device, max(e.occurred_at) AS at
    FROM sync_error AS e
    CROSS JOIN reference AS r
    WHERE e.record_id IS NOT NULL AND e.occurred_at <= r.as_of
        AND coalesce(e.device_id, e.user_id) IN (SELECT device FROM stop)
    GROUP BY coalesce(e.device_id, e.user_id)
),
open_stop AS (
    SELECT
        s.device, s.user_id, s.occurred_at, s.event_id, s.issue_id, s.cause, s.message, s.shut_out,
        s.shut_out OR s.needs_action AS lasting,
        c.device IS NOT NULL AS has_syncs, s.sync_id IS NULL AS of_autosync,
        CASE
            WHEN s.shut_out OR (s.sync_id IS NOT NULL AND s.needs_action) THEN 1
            WHEN s.sync_id IS NOT NULL THEN 2
            ELSE 3
        END AS strength
    FROM stop AS s
    LEFT JOIN sync_success AS c ON c.device = s.device
    LEFT JOIN record_answer AS a ON a.device = s.device
    WHERE (c.at IS NULL OR s.occurred_at > c.at) AND (a.at IS NULL OR s.occurred_at > a.at)
),
ranked_stop AS (
    SELECT
        *,
        count(*) OVER (PARTITION BY device) AS attempts,
        min(occurred_at) OVER (PARTITION BY device) AS stopped_since,
        max(occurred_at) OVER (PARTITION BY device) AS last_attempt,
        min(CASE WHEN shut_out THEN occurred_at END) OVER (PARTITION BY device) AS shut_out_since,
        count(CASE WHEN shut_out THEN 1 END) OVER (PARTITION BY device) AS shut_out_attempts,
        row_number() OVER (PARTITION BY device ORDER BY strength, of_autosync, occurred_at DESC, event_id) AS place
    FROM open_stop
)
SELECT
    o.device, o.user_id, o.stopped_since, o.last_attempt, o.attempts, o.shut_out, o.shut_out_since,
    o.shut_out_attempts, o.lasting,
    o.event_id, o.issue_id, o.cause, o.message
FROM ranked_stop AS o
CROSS JOIN reference AS r
CROSS JOIN quiet_period AS q
WHERE o.place = 1 AND o.strength < 3
    AND (o.has_syncs OR date_diff('second', o.last_attempt, r.as_of) <= 86400 * q.days)
