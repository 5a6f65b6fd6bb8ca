-- title: How long issues last
-- unit: days
-- good: lower is better
-- For each issue the days from its first to its last event, how long it has been quiet since, and the longest quiet
-- time in between. Quiet for 14 days counts as over by itself; `returned` says that it had been quiet that long
-- before and came back. This is what the events show; the time until people resolved it is kept by the triage
-- state. Issues still going on have no end yet, so a mean over `days_active` would be too short.
WITH days AS (
    SELECT issue_id, cause, cast(occurred_at AS DATE) AS day, count(*) AS events
    FROM error
    GROUP BY issue_id, cause, cast(occurred_at AS DATE)
),
gaps AS (
    SELECT *, date_diff('day', lag(day) OVER (PARTITION BY issue_id ORDER BY day), day) AS gap_days FROM days
)
SELECT
    issue_id,
    max(cause) AS cause,
    cast(sum(events) AS BIGINT) AS events,
    min(day) AS first_day,
    max(day) AS last_day,
    date_diff('day', min(day), max(day)) + 1 AS days_active,
    date_diff('day', max(day), cast(max(as_of) AS DATE)) AS quiet_days,
    coalesce(max(gap_days), 0) AS longest_gap_days,
    date_diff('day', max(day), cast(max(as_of) AS DATE)) >= 14 AS over_by_itself,
    coalesce(max(gap_days), 0) >= 14 AS returned
FROM gaps
CROSS JOIN reference
GROUP BY issue_id
ORDER BY days_active DESC, issue_id
