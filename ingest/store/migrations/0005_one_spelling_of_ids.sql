-- One spelling of each id. Salesforce writes an id with 15 characters in reports, and with 18 in its API: the last
-- three state which of the first 15 are upper case. `canonical_id` removes them if they are right, and keeps the case.
CREATE MACRO salesforce_check_character(part) AS substr(
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ012345',
    1 + (substr(part, 1, 1) BETWEEN 'A' AND 'Z')::INTEGER + 2 * (substr(part, 2, 1) BETWEEN 'A' AND 'Z')::INTEGER
    + 4 * (substr(part, 3, 1) BETWEEN 'A' AND 'Z')::INTEGER + 8 * (substr(part, 4, 1) BETWEEN 'A' AND 'Z')::INTEGER
    + 16 * (substr(part, 5, 1) BETWEEN 'A' AND 'Z')::INTEGER,
    1
);

CREATE MACRO canonical_id(id) AS CASE
    WHEN length(id) = 18 AND regexp_full_match(id, '[0-9A-Za-z]{15}[A-Z0-5]{3}')
        AND substr(id, 16, 1) = salesforce_check_character(substr(id, 1, 5))
        AND substr(id, 17, 1) = salesforce_check_character(substr(id, 6, 5))
        AND substr(id, 18, 1) = salesforce_check_character(substr(id, 11, 5))
        THEN left(id, 15)
    ELSE id
END;

-- How many columns of a row have a value.
CREATE MACRO value_count(a_row) AS
    len(list_filter(map_values(a_row::JSON::MAP(VARCHAR, VARCHAR)), lambda x: x IS NOT NULL));

-- An id without outer blanks and without characters that have no shape: control characters, marks of direction.
CREATE MACRO strip_id(id) AS trim(regexp_replace(
    regexp_replace(id, '[\x01-\x08\x0E-\x1F\x7F-\x84\x86-\x9F\x{AD}\x{61C}\x{180E}\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{206F}\x{FEFF}]', '', 'g'),
    '[\t\n\v\f\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]+', ' ', 'g'
));

-- Stored ids get the same spelling. Rows with one key become one row: the one that wins as in ingest/store/merge.py,
-- the later version, then the one with more values. Running these statements again changes nothing.
UPDATE sync_tracking__v SET
    id = canonical_id(id), created_by__v = canonical_id(created_by__v), modified_by__v = canonical_id(modified_by__v),
    mobile_id__v = canonical_id(mobile_id__v)
WHERE length(id) = 18 OR length(created_by__v) = 18 OR length(modified_by__v) = 18 OR length(mobile_id__v) = 18;
UPDATE sync_error SET
    event_id = canonical_id(event_id), sync_id = canonical_id(sync_id), user_id = canonical_id(user_id),
    device_id = canonical_id(device_id), record_id = canonical_id(record_id)
WHERE length(event_id) = 18 OR length(sync_id) = 18 OR length(user_id) = 18 OR length(device_id) = 18
    OR length(record_id) = 18;
UPDATE sync_detail SET
    sync_id = canonical_id(sync_id), user_id = canonical_id(user_id), device_id = canonical_id(device_id)
WHERE length(sync_id) = 18 OR length(user_id) = 18 OR length(device_id) = 18;
UPDATE config_change SET change_id = canonical_id(change_id), changed_by = canonical_id(changed_by)
WHERE length(change_id) = 18 OR length(changed_by) = 18;
UPDATE sync_user SET user_id = canonical_id(user_id) WHERE length(user_id) = 18;
UPDATE device SET device_id = canonical_id(device_id), user_id = canonical_id(user_id)
WHERE length(device_id) = 18 OR length(user_id) = 18;
UPDATE pending_record SET
    device_id = canonical_id(device_id), record_id = canonical_id(record_id), user_id = canonical_id(user_id),
    parent_record_id = canonical_id(parent_record_id)
WHERE length(device_id) = 18 OR length(record_id) = 18 OR length(user_id) = 18 OR length(parent_record_id) = 18;
UPDATE vmoc SET vmoc_id = canonical_id(vmoc_id) WHERE length(vmoc_id) = 18;
UPDATE veeva_setting SET setting_id = canonical_id(setting_id) WHERE length(setting_id) = 18;
UPDATE tombstone SET id = canonical_id(id) WHERE length(id) = 18;
UPDATE rejected_row SET key = canonical_id(key) WHERE length(key) = 18;
UPDATE finding SET event_id = canonical_id(event_id) WHERE length(event_id) = 18;
UPDATE engine_truth.event_cause SET event_id = canonical_id(event_id) WHERE length(event_id) = 18;

DELETE FROM sync_tracking__v WHERE rowid IN (
    SELECT t.rowid FROM sync_tracking__v AS t SEMI JOIN (SELECT id FROM sync_tracking__v GROUP BY ALL HAVING count(*) > 1) USING (id)
    QUALIFY row_number() OVER (PARTITION BY id ORDER BY modified_date__v DESC NULLS LAST, value_count(t) DESC, t::VARCHAR DESC) > 1
);
DELETE FROM sync_error WHERE rowid IN (
    SELECT t.rowid FROM sync_error AS t SEMI JOIN (SELECT event_id FROM sync_error GROUP BY ALL HAVING count(*) > 1) USING (event_id)
    QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY value_count(t) DESC, t::VARCHAR DESC) > 1
);
DELETE FROM sync_detail WHERE rowid IN (
    SELECT t.rowid FROM sync_detail AS t SEMI JOIN (SELECT sync_id FROM sync_detail GROUP BY ALL HAVING count(*) > 1) USING (sync_id)
    QUALIFY row_number() OVER (PARTITION BY sync_id ORDER BY value_count(t) DESC, t::VARCHAR DESC) > 1
);
DELETE FROM config_change WHERE rowid IN (
    SELECT t.rowid FROM config_change AS t SEMI JOIN (SELECT change_id FROM config_change GROUP BY ALL HAVING count(*) > 1) USING (change_id)
    QUALIFY row_number() OVER (PARTITION BY change_id ORDER BY value_count(t) DESC, t::VARCHAR DESC) > 1
);
DELETE FROM sync_user WHERE rowid IN (
    SELECT t.rowid FROM sync_user AS t SEMI JOIN (SELECT user_id, as_of FROM sync_user GROUP BY ALL HAVING count(*) > 1) USING (user_id, as_of)
    QUALIFY row_number() OVER (PARTITION BY user_id, as_of ORDER BY value_count(t) DESC, t::VARCHAR DESC) > 1
);
DELETE FROM device WHERE rowid IN (
    SELECT t.rowid FROM device AS t SEMI JOIN (SELECT device_id, as_of FROM device GROUP BY ALL HAVING count(*) > 1) USING (device_id, as_of)
    QUALIFY row_number() OVER (PARTITION BY device_id, as_of ORDER BY value_count(t) DESC, t::VARCHAR DESC) > 1
);
DELETE FROM pending_record WHERE rowid IN (
    SELECT t.rowid FROM pending_record AS t SEMI JOIN (SELECT device_id, as_of, object, record_id FROM pending_record GROUP BY ALL HAVING count(*) > 1) USING (device_id, as_of, object, record_id)
    QUALIFY row_number() OVER (PARTITION BY device_id, as_of, object, record_id ORDER BY value_count(t) DESC, t::VARCHAR DESC) > 1
);
DELETE FROM vmoc WHERE rowid IN (
    SELECT t.rowid FROM vmoc AS t SEMI JOIN (SELECT vmoc_id, as_of FROM vmoc GROUP BY ALL HAVING count(*) > 1) USING (vmoc_id, as_of)
    QUALIFY row_number() OVER (PARTITION BY vmoc_id, as_of ORDER BY value_count(t) DESC, t::VARCHAR DESC) > 1
);
DELETE FROM veeva_setting WHERE rowid IN (
    SELECT t.rowid FROM veeva_setting AS t SEMI JOIN (SELECT setting_id, as_of FROM veeva_setting GROUP BY ALL HAVING count(*) > 1) USING (setting_id, as_of)
    QUALIFY row_number() OVER (PARTITION BY setting_id, as_of ORDER BY value_count(t) DESC, t::VARCHAR DESC) > 1
);
DELETE FROM finding WHERE rowid IN (
    SELECT t.rowid FROM finding AS t SEMI JOIN (SELECT event_id FROM finding GROUP BY ALL HAVING count(*) > 1) USING (event_id)
    QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY value_count(t) DESC, t::VARCHAR DESC) > 1
);
DELETE FROM tombstone WHERE rowid IN (
    SELECT t.rowid FROM tombstone AS t SEMI JOIN (SELECT kind, id FROM tombstone GROUP BY ALL HAVING count(*) > 1) USING (kind, id)
    QUALIFY row_number() OVER (PARTITION BY kind, id ORDER BY deleted_at DESC, value_count(t) DESC, t::VARCHAR DESC) > 1
);
DELETE FROM engine_truth.event_cause WHERE rowid IN (
    SELECT t.rowid FROM engine_truth.event_cause AS t SEMI JOIN (SELECT event_id, cause, injected_by FROM engine_truth.event_cause GROUP BY ALL HAVING count(*) > 1) USING (event_id, cause, injected_by)
    QUALIFY row_number() OVER (PARTITION BY event_id, cause, injected_by ORDER BY value_count(t) DESC, t::VARCHAR DESC) > 1
);
-- A sync that was deleted under its other spelling is deleted.
DELETE FROM sync_tracking__v AS t USING tombstone AS d
WHERE d.kind = 'sync_tracking__v' AND d.id = t.id AND (t.modified_date__v IS NULL OR t.modified_date__v <= d.deleted_at);
