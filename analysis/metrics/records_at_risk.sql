-- title: Records at risk
-- unit: records
-- good: lower is better
-- period: now
-- Pending records that cannot be sent: refused by Vault, or on a device whose sync is stopped. They count by the cause
-- that blocks them, with the pending records below a refused record that have no error (call, sample, signature: two
-- levels down), the affected devices and users, and the age of the oldest. All work on a device counts under the issue
-- that stops its sync. Clearing the errors or refreshing the database on those devices can destroy these records. A
-- record that is pending on two devices counts twice, each time with what blocks it on that device. Records that are
-- saved together fail together: a record without an own error has the cause of the record above it, then of the record
-- below it, then of the record beside it. If no error is known, the cause is "unknown".
WITH at_risk AS (
    SELECT device_id, user_id, object, record_id, edited_at, in_error, stopped, coalesce(cause, 'unknown') AS cause
    FROM pending_blocker
    WHERE in_error OR stopped
),
dependent AS (
    -- Records on a stopped device are at risk themselves and are not counted again as dependents.
    SELECT a.device_id, a.object, a.record_id,
        count(DISTINCT CASE WHEN NOT c.in_error THEN c.record_id END)
        + count(DISTINCT CASE WHEN NOT g.in_error THEN g.record_id END) AS dependents
    FROM at_risk AS a
    LEFT JOIN pending_now AS c ON c.device_id = a.device_id AND c.parent_record_id = a.record_id
    LEFT JOIN pending_now AS g ON g.device_id = c.device_id AND g.parent_record_id = c.record_id
    WHERE NOT a.stopped
    GROUP BY a.device_id, a.object, a.record_id
)
SELECT
    a.cause,
    count(*) AS records,
    cast(sum(CASE WHEN a.stopped THEN 1 ELSE 0 END) AS BIGINT) AS stopped,
    count(DISTINCT a.device_id) AS devices,
    count(DISTINCT coalesce(a.user_id, a.device_id)) AS users,
    cast(sum(coalesce(c.dependents, 0)) AS BIGINT) AS dependents,
    min(a.edited_at) AS oldest_edit,
    max(date_diff('second', a.edited_at, r.as_of)) / 3600e0 AS oldest_hours
FROM at_risk AS a
LEFT JOIN dependent AS c ON c.device_id = a.device_id AND c.object = a.object AND c.record_id = a.record_id
CROSS JOIN reference AS r
GROUP BY a.cause
ORDER BY records DESC, a.cause
