-- title: Records at risk
-- unit: records
-- good: lower is better
-- Pending records in error on a device, by the cause of the error that blocks them, with the pending records below
-- them that have no error (call, sample, signature: two levels down) and the age of the oldest. Clearing the errors
-- or refreshing the database on those devices can destroy these records. A record that is pending on two devices
-- counts twice, each time with the newest error of that device. Records that are saved together fail together: a
-- record without an own error has the cause of the record above it, then of the record below it, then of the
-- record beside it. If no error is known, the cause is "unknown".
WITH at_risk AS (
    SELECT device_id, object, record_id, edited_at, coalesce(cause, 'unknown') AS cause
    FROM pending_blocker
    WHERE in_error
),
children AS (
    SELECT a.device_id, a.object, a.record_id,
        count(DISTINCT CASE WHEN NOT c.in_error THEN c.record_id END)
        + count(DISTINCT CASE WHEN NOT g.in_error THEN g.record_id END) AS dependents
    FROM at_risk AS a
    LEFT JOIN pending_now AS c ON c.device_id = a.device_id AND c.parent_record_id = a.record_id
    LEFT JOIN pending_now AS g ON g.device_id = c.device_id AND g.parent_record_id = c.record_id
    GROUP BY a.device_id, a.object, a.record_id
)
SELECT
    a.cause,
    count(*) AS records,
    count(DISTINCT a.device_id) AS devices,
    cast(sum(c.dependents) AS BIGINT) AS dependents,
    min(a.edited_at) AS oldest_edit,
    max(date_diff('second', a.edited_at, r.as_of)) / 3600e0 AS oldest_hours
FROM at_risk AS a
JOIN children AS c ON c.device_id = a.device_id AND c.object = a.object AND c.record_id = a.record_id
CROSS JOIN reference AS r
GROUP BY a.cause
ORDER BY records DESC, a.cause
