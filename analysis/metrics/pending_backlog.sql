-- title: Pending records
-- unit: records
-- good: lower is better
-- period: now
-- Records on devices that the server has not confirmed, per object, with the age of the oldest. `blocked` counts those that
-- an issue blocks: records in error, and all records of a device whose sync is stopped. A record that is
-- pending on two devices counts twice. The figures come from the newest list of pending records of each device; the
-- list is void if a later sync of that device ended with an empty outbox. If no lists are loaded, the result is
-- empty, not zero.
SELECT
    p.object,
    count(*) AS records,
    count(DISTINCT p.device_id) AS devices,
    cast(sum(CASE WHEN p.in_error THEN 1 ELSE 0 END) AS BIGINT) AS in_error,
    cast(sum(CASE WHEN p.in_error OR p.stopped THEN 1 ELSE 0 END) AS BIGINT) AS blocked,
    min(p.edited_at) AS oldest_edit,
    max(date_diff('second', p.edited_at, r.as_of)) / 3600e0 AS oldest_hours
FROM pending_blocker AS p
CROSS JOIN reference AS r
GROUP BY p.object
ORDER BY records DESC, p.object
