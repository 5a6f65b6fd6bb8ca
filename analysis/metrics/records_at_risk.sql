-- title: Records at risk
-- unit: records
-- good: lower is better
-- Records that wait on a device in an error state now, by the cause of their newest error, with the records that
-- hang on them without an error of their own (call, sample, signature: two levels down) and the age of the oldest.
-- These are what clearing the errors or refreshing the database on those devices could destroy. Records saved
-- together fail together: without an error of its own a record has the cause of one above it, else of one below
-- it, else of one beside it; without any it is "unknown". From each device's newest list of pending records; a
-- list is void once a later sync ended with none.
WITH newest AS (
    SELECT device_id, max(as_of) AS as_of FROM pending_record GROUP BY device_id
),
emptied AS (
    -- from the tables, not from the view: an empty queue is empty whatever syncs the question is about
    SELECT n.device_id, max(coalesce(t.sync_completed_datetime__v, t.sync_start_datetime__v)) AS at
    FROM newest AS n
    JOIN sync_detail AS d ON d.device_id = n.device_id AND d.pending_uploads = 0
    JOIN sync_tracking__v AS t ON t.id = d.sync_id
    CROSS JOIN reference AS m
    WHERE t.sync_start_datetime__v <= m.as_of
    GROUP BY n.device_id
),
waiting AS (
    SELECT p.device_id, p.record_id, p.parent_record_id, coalesce(p.in_error, false) AS in_error, p.edited_at
    FROM pending_record AS p
    JOIN newest AS n ON n.device_id = p.device_id AND n.as_of = p.as_of
    LEFT JOIN emptied AS e ON e.device_id = p.device_id
    WHERE e.at IS NULL OR e.at <= p.as_of
),
children AS (
    SELECT w.device_id, w.record_id,
        count(DISTINCT CASE WHEN NOT c.in_error THEN c.record_id END)
        + count(DISTINCT CASE WHEN NOT g.in_error THEN g.record_id END) AS dependents
    FROM waiting AS w
    LEFT JOIN waiting AS c ON c.device_id = w.device_id AND c.parent_record_id = w.record_id
    LEFT JOIN waiting AS g ON g.device_id = c.device_id AND g.parent_record_id = c.record_id
    WHERE w.in_error
    GROUP BY w.device_id, w.record_id
),
newest_error AS (
    SELECT record_id, max(occurred_at) AS at FROM error WHERE record_id IS NOT NULL GROUP BY record_id
),
causes AS (
    SELECT e.record_id, max(e.cause) AS cause
    FROM error AS e
    JOIN newest_error AS n ON n.record_id = e.record_id AND n.at = e.occurred_at
    GROUP BY e.record_id
),
told AS (
    SELECT w.device_id, w.record_id, w.parent_record_id, k.cause
    FROM waiting AS w
    JOIN causes AS k ON k.record_id = w.record_id
    WHERE w.in_error AND w.parent_record_id IS NOT NULL
),
told_below AS (
    SELECT device_id, parent_record_id AS record_id, record_id AS told_by, cause FROM told
    UNION ALL
    SELECT t.device_id, w.parent_record_id, t.record_id, t.cause
    FROM told AS t
    JOIN waiting AS w ON w.device_id = t.device_id AND w.record_id = t.parent_record_id
    WHERE w.parent_record_id IS NOT NULL
),
below AS (
    SELECT device_id, record_id, min_by(cause, told_by) AS cause FROM told_below GROUP BY device_id, record_id
),
judged AS (
    SELECT
        w.device_id, w.record_id, w.edited_at,
        coalesce(k.cause, pk.cause, gk.cause, b.cause, pb.cause, gb.cause, 'unknown') AS cause
    FROM waiting AS w
    LEFT JOIN causes AS k ON k.record_id = w.record_id
    LEFT JOIN waiting AS p ON p.device_id = w.device_id AND p.record_id = w.parent_record_id
    LEFT JOIN causes AS pk ON pk.record_id = p.record_id
    LEFT JOIN causes AS gk ON gk.record_id = p.parent_record_id
    LEFT JOIN below AS b ON b.device_id = w.device_id AND b.record_id = w.record_id
    LEFT JOIN below AS pb ON pb.device_id = p.device_id AND pb.record_id = p.record_id
    LEFT JOIN below AS gb ON gb.device_id = p.device_id AND gb.record_id = p.parent_record_id
    WHERE w.in_error
)
SELECT
    w.cause,
    count(*) AS records,
    count(DISTINCT w.device_id) AS devices,
    cast(sum(c.dependents) AS BIGINT) AS dependents,
    min(w.edited_at) AS oldest_edit,
    max(date_diff('second', w.edited_at, m.as_of)) / 3600e0 AS oldest_hours
FROM judged AS w
JOIN children AS c ON c.device_id = w.device_id AND c.record_id = w.record_id
CROSS JOIN reference AS m
GROUP BY w.cause
ORDER BY records DESC, w.cause
