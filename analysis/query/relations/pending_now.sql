-- The pending records of each device: records with a change in its outbox that Vault has not confirmed.
-- One row per device, object and record, as the device listed them. The newest list of each device counts. The list
-- is void if a later sync of the device ended with an empty outbox.
WITH newest_list AS (
    SELECT device_id, max(as_of) AS as_of FROM pending_record GROUP BY device_id
),
emptied AS (
    -- From the tables, not from the view `sync`: filters on syncs must not hide that the outbox is empty.
    SELECT n.device_id, max(coalesce(t.sync_completed_datetime__v, t.sync_start_datetime__v)) AS at
    FROM newest_list AS n
    JOIN sync_detail AS d ON d.device_id = n.device_id AND d.pending_uploads = 0
    JOIN sync_tracking__v AS t ON t.id = d.sync_id
    CROSS JOIN reference AS r
    WHERE t.sync_start_datetime__v <= r.as_of
    GROUP BY n.device_id
)
SELECT
    p.device_id, p.as_of, p.object, p.record_id, p.user_id, p.operation, p.parent_record_id, p.edited_at,
    coalesce(p.in_error, false) AS in_error
FROM pending_record AS p
JOIN newest_list AS n ON n.device_id = p.device_id AND n.as_of = p.as_of
LEFT JOIN emptied AS e ON e.device_id = p.device_id
WHERE e.at IS NULL OR e.at <= p.as_of
