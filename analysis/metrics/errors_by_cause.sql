-- title: Errors by cause
-- unit: error events
-- good: lower is better
-- Error events, issues, people and devices per cause, those that stop most people first. Errors of autosync count
-- here, because they are in the error list although the sync itself is not tracked. "unknown" is a cause like any
-- other: nothing in the catalogue supports a better word.
SELECT
    cause,
    count(*) AS events,
    count(DISTINCT issue_id) AS issues,
    count(DISTINCT user_id) AS users,
    count(DISTINCT coalesce(device_id, user_id)) AS devices,
    count(*) * 1e0 / sum(count(*)) OVER () AS share,
    min(occurred_at) AS first_seen,
    max(occurred_at) AS last_seen
FROM error
GROUP BY cause
ORDER BY users DESC, events DESC, cause
