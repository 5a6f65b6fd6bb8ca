-- title: Permissions
-- reads: object-permission field-permission record-visibility schema-mismatch
-- decides: object-permission field-permission record-visibility schema-mismatch
-- overrules: field-permission over object-permission record-visibility
-- key: user_id object field operation is_access_error
-- why: "No access" and "no such column" have four causes: no permission on the object, none on the field, a hidden
--   record, or a field that does not exist. Permission grants decide first, then permission changes, then object
--   metadata, then a territory that lost records shortly before. If the object is granted and the named field is
--   not, "no access" means the field. Permissions of a user's sets are combined. A snapshot from before the error
--   has priority over one from after it. A lost territory explains only messages about access.
-- threshold: days = 14 days: a territory change that is older has been synced to the devices.
WITH question AS (
    SELECT user_id, object, field, operation, min(occurred_at) AS at FROM candidate GROUP BY ALL
),
member AS (
    SELECT DISTINCT a.user_id, trim(unnest(string_split(u.permission_sets, ','))) AS permission_set
    FROM (SELECT DISTINCT user_id FROM question) AS a JOIN current_user_info AS u ON u.user_id = a.user_id
    WHERE u.permission_sets IS NOT NULL
),
set_grant AS (
    SELECT a.user_id, a.object, a.field, a.operation, m.permission_set, g.field = '*' AS whole,
        g.as_of <= a.at AS is_from_before,
        CASE WHEN g.field = '*' AND a.operation = 'create' THEN g.can_create
            WHEN g.field = '*' AND a.operation = 'delete' THEN g.can_delete
            WHEN a.operation = 'query' OR g.can_read = false THEN g.can_read
            ELSE g.can_edit END AS allowed
    FROM question AS a
    JOIN member AS m ON m.user_id = a.user_id
    JOIN permission_grant AS g ON g.permission_set = m.permission_set AND g.object = a.object
        AND (g.field = '*' OR g.field = a.field)
    -- a snapshot from after the error is valid for the error only if nothing changed in between
    WHERE g.as_of <= a.at OR NOT EXISTS (
        SELECT 1 FROM config_change AS c WHERE c.kind = 'permission_set' AND c.target = m.permission_set
            AND c.object = a.object AND c.changed_at > a.at AND c.changed_at <= g.as_of)
    QUALIFY row_number() OVER (
        PARTITION BY a.user_id, a.object, a.field, a.operation, m.permission_set, g.field
        ORDER BY g.as_of <= a.at DESC, abs(epoch(g.as_of) - epoch(a.at))) = 1
),
user_grant AS (
    SELECT user_id, object, field, operation,
        string_agg(DISTINCT permission_set, ', ' ORDER BY permission_set) AS sets,
        bool_or(allowed) FILTER (WHERE whole) AS on_object,
        bool_or(allowed) FILTER (WHERE NOT whole) AS on_field,
        bool_or(allowed AND is_from_before) FILTER (WHERE whole) AS surely_on_object,
        bool_or(allowed AND is_from_before) FILTER (WHERE NOT whole) AS surely_on_field
    FROM set_grant GROUP BY ALL
),
last_change AS (
    SELECT a.user_id, a.object, a.field, a.operation, c.target, c.changed_at, lower(coalesce(c.after, '')) AS after,
        coalesce(c.field, '') IN ('', '*') AS whole
    FROM question AS a
    JOIN member AS m ON m.user_id = a.user_id
    JOIN config_change AS c ON c.kind = 'permission_set' AND c.target = m.permission_set
        AND c.object = a.object AND c.changed_at <= a.at AND coalesce(c.field, '') IN ('', '*', a.field)
    QUALIFY row_number() OVER (
        PARTITION BY a.user_id, a.object, a.field, a.operation, c.target, whole ORDER BY c.changed_at DESC) = 1
),
revoked AS (
    SELECT r.* FROM last_change AS r
    LEFT JOIN user_grant AS g USING (user_id, object, field, operation)
    WHERE regexp_matches(r.after, CASE
            WHEN r.operation = 'query' THEN 'read=false'
            WHEN r.whole AND r.operation = 'create' THEN 'create=false'
            WHEN r.whole AND r.operation = 'delete' THEN 'delete=false'
            ELSE '(edit|read)=false' END)
        -- permissions are combined: what another set grants is not revoked
        AND NOT coalesce(CASE WHEN r.whole THEN g.surely_on_object ELSE g.surely_on_field END, false)
    QUALIFY row_number() OVER (
        PARTITION BY user_id, object, field, operation ORDER BY r.whole DESC, r.changed_at DESC, r.target) = 1
),
removed_field AS (
    SELECT a.user_id, a.object, a.field, a.operation
    FROM question AS a JOIN config_change AS c ON c.kind = 'field' AND c.object = a.object AND c.field = a.field
        AND c.changed_at <= a.at
    GROUP BY ALL HAVING arg_max(coalesce(c.after, '') = '', c.changed_at)
),
described_object AS (SELECT DISTINCT object FROM object_field),
missing_field AS (
    SELECT a.user_id, a.object, a.field, a.operation
    FROM question AS a JOIN described_object AS d ON d.object = a.object
    -- every object has the fields that Vault itself writes, and few exports list them
    WHERE a.field NOT IN ('', 'id', 'mobile_id__v', 'created_by__v', 'modified_by__v', 'created_date__v',
            'modified_date__v') AND NOT EXISTS (
        SELECT 1 FROM object_field AS f
        WHERE f.object = a.object AND f.name = a.field AND coalesce(f.active, true))
    UNION SELECT user_id, object, field, operation FROM removed_field
),
lost_territory AS (
    SELECT a.user_id, a.object, a.field, a.operation, any_value(c.before) AS territory, max(c.changed_at) AS at
    FROM question AS a
    JOIN current_user_info AS u ON u.user_id = a.user_id
    JOIN config_change AS c ON c.kind = 'territory' AND c.changed_at <= a.at
        AND c.changed_at >= a.at - to_days(CAST($days AS INTEGER))
        AND list_contains(list_transform(string_split(u.territory, ','), lambda t: trim(t)), c.before)
    GROUP BY ALL
),
answer AS (
    SELECT a.user_id, a.object, a.field, a.operation,
        CASE WHEN g.on_object = false THEN 'object-permission'
            WHEN g.on_field = false THEN 'field-permission'
            WHEN t.target IS NOT NULL THEN
                CASE WHEN t.whole THEN 'object-permission' ELSE 'field-permission' END
            WHEN x.object IS NOT NULL THEN 'schema-mismatch'
            WHEN v.territory IS NOT NULL AND a.field = '' AND a.operation NOT IN ('create', 'query')
                THEN 'record-visibility' END AS cause,
        CASE WHEN g.on_object = false OR g.on_field = false OR t.target IS NOT NULL THEN 0.97
            WHEN x.object IS NOT NULL THEN 0.9 ELSE 0.85 END AS confidence,
        CASE WHEN g.on_object = false THEN
                concat('No permission set of the user (', g.sets, ') grants ',
                    CASE a.operation WHEN 'query' THEN 'read' ELSE a.operation END, ' on ', a.object, '.')
            WHEN g.on_field = false THEN
                concat('No permission set of the user (', g.sets, ') grants ',
                    CASE a.operation WHEN 'query' THEN 'read' ELSE 'edit' END, ' on ', a.object, '.', a.field, '.')
            WHEN t.target IS NOT NULL THEN
                concat('Permission set ', t.target, ' lost this permission on ', a.object,
                    CASE WHEN t.whole THEN '' ELSE concat('.', a.field) END, ' at ',
                    strftime(t.changed_at, '%Y-%m-%d %H:%M'), ' UTC, before the error.')
            WHEN x.object IS NOT NULL THEN
                concat('At the time of the error, the Vault had no active field ', a.field, ' on ', a.object, '.')
            ELSE concat('Territory ', v.territory, ' of the user lost records at ',
                strftime(v.at, '%Y-%m-%d %H:%M'), ' UTC, shortly before the error.') END AS evidence
    FROM question AS a
    LEFT JOIN user_grant AS g USING (user_id, object, field, operation)
    LEFT JOIN revoked AS t USING (user_id, object, field, operation)
    LEFT JOIN missing_field AS x USING (user_id, object, field, operation)
    LEFT JOIN lost_territory AS v USING (user_id, object, field, operation)
)
SELECT k.user_id, k.object, k.field, k.operation, k.is_access_error, a.cause, a.confidence, a.evidence
FROM (SELECT DISTINCT user_id, object, field, operation, is_access_error FROM candidate) AS k
JOIN answer AS a USING (user_id, object, field, operation)
WHERE a.cause <> 'record-visibility' OR k.is_access_error
