-- title: How long issues last
-- unit: days
-- good: lower is better
-- period: now
-- For each issue the days from its first to its last error, the days since then, and the longest gap between two
-- days with errors. `over_by_itself` means that it is quiet: no errors for 7 days, no record that it blocks, no device
-- that it stops, and each affected user has synced successfully since. `returned` means that it was quiet
-- for that long before and came back. These are the errors alone; the triage state has the time until users resolved
-- the issue. Issues that still occur have no end yet, so a mean over `days_active` is too short.
WITH days AS (
    SELECT issue_id, cause, cast(occurred_at AS DATE) AS day, count(*) AS events
    FROM error
    GROUP BY issue_id, cause, cast(occurred_at AS DATE)
),
gaps AS (
    SELECT *, date_diff('day', lag(day) OVER (PARTITION BY issue_id ORDER BY day), day) AS gap_days FROM days
),
open_issue AS (
    SELECT issue_id FROM unrecovered_user
    UNION SELECT issue_id FROM stopped_device
    UNION SELECT issue_id FROM pending_blocker WHERE in_error OR stopped
)
SELECT
    g.issue_id,
    max(g.cause) AS cause,
    cast(sum(events) AS BIGINT) AS events,
    min(day) AS first_day,
    max(day) AS last_day,
    date_diff('day', min(day), max(day)) + 1 AS days_active,
    date_diff('day', max(day), cast(max(as_of) AS DATE)) AS quiet_days,
    coalesce(max(gap_days), 0) AS longest_gap_days,
    date_diff('day', max(day), cast(max(as_of) AS DATE)) >= max(q.days) AND max(o.issue_id) IS NULL
        AS over_by_itself,
    coalesce(max(gap_days), 0) >= max(q.days) AS returned
FROM gaps AS g
CROSS JOIN reference
CROSS JOIN quiet_period AS q
LEFT JOIN open_issue AS o ON o.issue_id = g.issue_id
GROUP BY g.issue_id
ORDER BY days_active DESC, g.issue_id
