-- title: Pending records
-- unit: records
-- good: lower is better
-- Records on devices that the server has not confirmed, per object, with the age of the oldest. A record that is
-- pending on two devices counts twice. The figures come from the newest list of pending records of each device; the
-- list is void if a later sync of that device ended with an empty outbox. If no lists are loaded, the result is
-- empty, not zero.
WITH pending AS (
    SELECT object, device_id, record_id, min(edited_at) AS edited_at,
        max(CASE WHEN in_error THEN 1 ELSE 0 END) AS in_error
    FROM pending_now
    GROUP BY object, device_id, record_id
)
SELECT
    p.object,
    count(*) AS records,
    count(DISTINCT p.device_id) AS devices,
    cast(sum(p.in_error) AS BIGINT) AS in_error,
    min(p.edited_at) AS oldest_edit,
    max(date_diff('second', p.edited_at, r.as_of)) / 3600e0 AS oldest_hours
FROM pending AS p
CROSS JOIN reference AS r
GROUP BY p.object
ORDER BY records DESC, p.object
