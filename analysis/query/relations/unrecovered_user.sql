-- The users who have not synced successfully since their last error of an issue: one row per issue and user.
-- A sync succeeds even if other records are refused in it. A user without a loaded sync counts, because a recovery is
-- unknown; a user whose account is inactive does not count.
WITH affected AS (
    -- From unfiltered views: filters on syncs or errors must not hide a recovery.
    SELECT e.issue_id, e.user_id, max(e.occurred_at) AS last_error
    FROM main.issue_event AS e
    CROSS JOIN reference AS r
    WHERE e.user_id IS NOT NULL AND e.occurred_at <= r.as_of
    GROUP BY e.issue_id, e.user_id
),
success AS (
    SELECT s.user_id, max(s.started_at) AS at
    FROM main.detailed_sync AS s
    CROSS JOIN reference AS r
    WHERE s.outcome IN ('succeeded', 'succeeded_with_upload_errors') AND s.started_at <= r.as_of
    GROUP BY s.user_id
)
SELECT a.issue_id, a.user_id, a.last_error
FROM affected AS a
LEFT JOIN success AS s ON s.user_id = a.user_id
LEFT JOIN main.current_user_info AS u ON u.user_id = a.user_id
WHERE (s.at IS NULL OR s.at <= a.last_error) AND coalesce(u.active, true)
