-- title: Records at risk
-- unit: records
-- good: lower is better
-- Records that wait on a device in an error state now, by the cause of their newest error, with the records that
-- hang on them without an error of their own (call, sample, signature: two levels down) and the age of the oldest.
-- These are what clearing the errors or refreshing the database on those devices could destroy. A record that
-- failed with the record above it has that one's cause; without any error event it is "unknown". From each
-- device's newest list of pending records; a list is void once a later sync ended with none.
WITH newest AS (
    SELECT device_id, max(as_of) AS as_of FROM pending_record GROUP BY device_id
),
emptied AS (
    -- from the tables, not from the view: an empty queue is empty whatever syncs the question is about
    SELECT n.device_id, max(coalesce(t.sync_completed_datetime__v, t.sync_start_datetime__v)) AS at
    FROM newest AS n
    JOIN sync_detail AS d ON d.device_id = n.device_id AND d.pending_uploads = 0
    JOIN sync_tracking__v AS t ON t.id = d.sync_id
    CROSS JOIN moment AS m
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
)
SELECT
    coalesce(k.cause, pk.cause, gk.cause, 'unknown') AS cause,
    count(*) AS records,
    count(DISTINCT w.device_id) AS devices,
    cast(sum(c.dependents) AS BIGINT) AS dependents,
    min(w.edited_at) AS oldest_edit,
    max(date_diff('second', w.edited_at, m.as_of)) / 3600e0 AS oldest_hours
FROM waiting AS w
JOIN children AS c ON c.device_id = w.device_id AND c.record_id = w.record_id
LEFT JOIN causes AS k ON k.record_id = w.record_id
LEFT JOIN waiting AS p ON p.device_id = w.device_id AND p.record_id = w.parent_record_id
LEFT JOIN causes AS pk ON pk.record_id = p.record_id
LEFT JOIN causes AS gk ON gk.record_id = p.parent_record_id
CROSS JOIN moment AS m
WHERE w.in_error
GROUP BY coalesce(k.cause, pk.cause, gk.cause, 'unknown')
ORDER BY records DESC, cause
