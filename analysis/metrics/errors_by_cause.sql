-- title: Errors by cause
-- unit: error events
-- good: lower is better
-- Error events, issues, users and devices per cause, causes with the most users first. Errors of autosync are
-- included, because they are in the error list although the sync itself is not tracked. "unknown" means that no rule
-- of the catalogue matches. `first_seen` and `last_seen` are within the period.
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
