-- title: Deleted records
-- reads: record-deleted record-visibility invalid-reference
-- decides: record-deleted
-- overrules: record-deleted over record-visibility object-permission
-- key: event_id
-- why: If the record of the error, or a record that its message or payload refers to, was deleted or merged before
--   the error, "no access" and "not found" mean that it is gone. A user without access sees no difference between a
--   deleted record and a hidden one. Deletions come from lists of deletions and from configuration changes that
--   contain the id of the deleted or merged record.
WITH gone AS (
    SELECT id, min(deleted_at) AS gone_at, NULL AS merged_into FROM tombstone GROUP BY id
    UNION ALL
    SELECT coalesce(json_extract_string(try_cast(extra AS JSON), '$.record_id'),
            CASE WHEN kind = 'object' THEN before END) AS id,
        changed_at,
        CASE WHEN regexp_matches(text, 'merg') THEN after END
    FROM (SELECT *, lower(concat_ws(' ', detail, json_extract_string(try_cast(extra AS JSON), '$.action'))) AS text
        FROM config_change)
    WHERE regexp_matches(text, '\b(merg|delet)') AND id IS NOT NULL AND coalesce(after, '') <> id
),
first_gone AS (
    SELECT id, min(gone_at) AS gone_at, arg_min(merged_into, gone_at) AS merged_into FROM gone
    WHERE length(id) >= 6 AND regexp_matches(id, '\d') GROUP BY id
),
error_text AS (
    SELECT a.event_id, a.occurred_at, a.may_refer, e.record_id, concat_ws(' ', e.message,
            -- an error about one field concerns only the record to which that field refers
            CASE WHEN e.field IS NULL THEN e.payload
                ELSE json_extract_string(try_cast(e.payload AS JSON), concat('$."', e.field, '"')) END) AS text
    FROM candidate AS a JOIN sync_error AS e ON e.event_id = a.event_id
    WHERE EXISTS (FROM first_gone)
),
referenced AS (
    SELECT event_id, occurred_at, record_id AS id, true AS is_own_record FROM error_text
    UNION ALL
    -- ids are letters and digits; quotes, brackets and blanks end them
    SELECT event_id, occurred_at, unnest(list_distinct(regexp_extract_all(text, '[0-9A-Za-z]{6,40}'))), false
    FROM error_text WHERE may_refer
),
latest AS (
    SELECT n.event_id, max_by(g, (n.is_own_record, g.gone_at)) AS g, bool_or(n.is_own_record) AS is_own_record
    FROM referenced AS n JOIN first_gone AS g ON g.id = n.id AND g.gone_at <= n.occurred_at GROUP BY n.event_id
)
SELECT event_id, 'record-deleted' AS cause, CASE WHEN is_own_record THEN 0.95 ELSE 0.85 END AS confidence,
    concat('Record ', g.id, coalesce(' was merged into ' || g.merged_into, ' was deleted'), ' at ',
        strftime(g.gone_at, '%Y-%m-%d %H:%M'), ' UTC, before the error.') AS evidence
FROM latest
