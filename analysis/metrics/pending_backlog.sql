-- title: Records that wait to be uploaded
-- unit: records
-- good: lower is better
-- Records on devices that the server has not confirmed, per object, with the age of the oldest. Taken from each
-- device's newest list of pending records; a list is void once a later sync of that device ended with none. What
-- devices say only to themselves is not in it: without such lists the answer is empty, not zero.
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
    SELECT p.*
    FROM pending_record AS p
    JOIN newest AS n ON n.device_id = p.device_id AND n.as_of = p.as_of
    LEFT JOIN emptied AS e ON e.device_id = p.device_id
    WHERE e.at IS NULL OR e.at <= p.as_of
)
SELECT
    w.object,
    count(*) AS records,
    count(DISTINCT w.device_id) AS devices,
    count(*) FILTER (WHERE w.in_error) AS in_error,
    min(w.edited_at) AS oldest_edit,
    max(date_diff('second', w.edited_at, m.as_of)) / 3600e0 AS oldest_hours
FROM waiting AS w
CROSS JOIN reference AS m
GROUP BY w.object
ORDER BY records DESC, w.object
