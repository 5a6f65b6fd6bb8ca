-- The error that blocks each pending record: one row per device, object and record.
-- event_id, issue_id, cause, message and error_record_id (the record that the error names) are NULL if the store has
-- no such error. docs/decisions/0009-what-blocks-a-pending-record.md has the reasons.
--
-- The newest error of a device about a record blocks that record on that device. An error that names no device counts
-- for the devices of its user. Records that are saved together fail together, so a record without an own error
-- is blocked by the error of the record above it (two levels: signature, sample, call). If it is in error itself, the
-- error of a record below it counts next, then the error of a record beside it.
WITH pending_copy AS (
    SELECT
        device_id, object, record_id, min(parent_record_id) AS parent_record_id, min(edited_at) AS edited_at,
        max(CASE WHEN in_error THEN 1 ELSE 0 END) = 1 AS in_error
    FROM pending_now
    GROUP BY device_id, object, record_id
),
pending_id AS (
    -- Errors and parents name a record by its id alone.
    SELECT
        device_id, record_id, min(parent_record_id) AS parent_record_id,
        max(CASE WHEN in_error THEN 1 ELSE 0 END) = 1 AS in_error
    FROM pending_copy
    GROUP BY device_id, record_id
),
ranked_error AS (
    -- From the table, not from the view `error`: a filter on errors must not let an older error block the record.
    SELECT
        p.device_id, p.record_id, e.event_id,
        row_number() OVER (
            PARTITION BY p.device_id, p.record_id ORDER BY e.occurred_at DESC, e.event_id DESC
        ) AS place
    FROM (SELECT DISTINCT device_id, record_id, user_id, as_of FROM pending_now) AS p
    CROSS JOIN reference AS r
    -- A device whose clock is ahead timestamps its errors and its list later than the reference time.
    JOIN sync_error AS e ON e.record_id = p.record_id AND e.occurred_at <= greatest(r.as_of, p.as_of)
        AND (e.device_id = p.device_id OR (e.device_id IS NULL AND e.user_id = p.user_id))
),
own_error AS (
    SELECT p.device_id, p.record_id, p.parent_record_id, p.in_error, e.event_id
    FROM ranked_error AS e
    JOIN pending_id AS p ON p.device_id = e.device_id AND p.record_id = e.record_id
    WHERE e.place = 1
),
error_below AS (
    SELECT device_id, parent_record_id AS record_id, record_id AS child_id, event_id
    FROM own_error
    WHERE in_error AND parent_record_id IS NOT NULL
    UNION ALL
    SELECT c.device_id, p.parent_record_id, c.record_id, c.event_id
    FROM own_error AS c
    JOIN pending_id AS p ON p.device_id = c.device_id AND p.record_id = c.parent_record_id
    WHERE c.in_error AND p.parent_record_id IS NOT NULL
),
below AS (
    SELECT device_id, record_id, min_by(event_id, child_id) AS event_id
    FROM error_below
    GROUP BY device_id, record_id
),
blocking_event AS (
    SELECT
        p.device_id, p.object, p.record_id, p.parent_record_id, p.edited_at, p.in_error,
        coalesce(
            o.event_id, po.event_id, go.event_id,
            CASE WHEN p.in_error THEN coalesce(b.event_id, pb.event_id, gb.event_id) END
        ) AS event_id
    FROM pending_copy AS p
    LEFT JOIN pending_id AS a ON a.device_id = p.device_id AND a.record_id = p.parent_record_id
    LEFT JOIN own_error AS o ON o.device_id = p.device_id AND o.record_id = p.record_id
    LEFT JOIN own_error AS po ON po.device_id = p.device_id AND po.record_id = p.parent_record_id
    LEFT JOIN own_error AS go ON go.device_id = p.device_id AND go.record_id = a.parent_record_id
    LEFT JOIN below AS b ON b.device_id = p.device_id AND b.record_id = p.record_id
    LEFT JOIN below AS pb ON pb.device_id = p.device_id AND pb.record_id = p.parent_record_id
    LEFT JOIN below AS gb ON gb.device_id = p.device_id AND gb.record_id = a.parent_record_id
)
SELECT
    b.device_id, b.object, b.record_id, b.parent_record_id, b.edited_at, b.in_error,
    e.event_id, e.issue_id, e.cause, e.message, e.record_id AS error_record_id
FROM blocking_event AS b
LEFT JOIN main.error AS e ON e.event_id = b.event_id
