-- What blocks each pending record: one row per device, object and record.
-- issue_id, cause, event_id and message are those of the blocking error; NULL if the store has none. `stopped` means
-- that it stops all syncs of the device. refusal_event_id, refusal_issue_id and error_record_id (the record that the
-- refusal names) are those of the newest error about the record itself. `blocked_since` is when the device was stopped
-- or the refused record was edited. docs/decisions/0009-what-blocks-a-pending-record.md and 0016 have the reasons.
--
-- If the sync of a device is stopped, the stop blocks all its records. If a retry can pass the stop, a record in error
-- keeps its refusal, which a retry does not pass.
-- Otherwise the newest error of a device about a record blocks that record on that device. An error that names no
-- device counts for the devices of its user. Records that are saved together fail together, so a record without an own
-- error is blocked by the error of the record above it (two levels: signature, sample, call). If it is in error itself,
-- the error of a record below it counts next, then the error of a record beside it.
WITH pending_copy AS (
    SELECT
        device_id, object, record_id, min(parent_record_id) AS parent_record_id, min(edited_at) AS edited_at,
        max(CASE WHEN in_error THEN 1 ELSE 0 END) = 1 AS in_error, max(user_id) AS user_id
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
refusal AS (
    SELECT
        p.device_id, p.object, p.record_id, p.parent_record_id, p.edited_at, p.in_error, p.user_id,
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
),
refused AS (
    SELECT
        r.*, e.issue_id, e.cause, e.message, e.record_id AS error_record_id, e.occurred_at,
        coalesce(own.device, of_user.device) AS stopped_device
    FROM refusal AS r
    LEFT JOIN main.error AS e ON e.event_id = r.event_id
    LEFT JOIN stopped_device AS own ON own.device = r.device_id
    LEFT JOIN stopped_device AS of_user ON of_user.device = r.user_id
)
SELECT
    b.device_id, b.user_id, b.object, b.record_id, b.parent_record_id, b.edited_at, b.in_error,
    s.device IS NOT NULL AS stopped,
    CASE WHEN s.device IS NULL THEN b.event_id ELSE s.event_id END AS event_id,
    CASE WHEN s.device IS NULL THEN b.issue_id ELSE s.issue_id END AS issue_id,
    CASE WHEN s.device IS NULL THEN b.cause ELSE s.cause END AS cause,
    CASE WHEN s.device IS NULL THEN b.message ELSE s.message END AS message,
    CASE WHEN s.device IS NULL THEN coalesce(b.edited_at, b.occurred_at) ELSE s.stopped_since END AS blocked_since,
    b.event_id AS refusal_event_id, b.issue_id AS refusal_issue_id, b.error_record_id
FROM refused AS b
LEFT JOIN stopped_device AS s ON s.device = b.stopped_device
    AND (s.lasting OR NOT b.in_error OR b.event_id IS NULL)
