-- Run statement by statement by tests/support/synthetic.py, which sets the variables seed, syncs, errors, devices,
-- days, start and the frame trouble_frame. u(i, salt) is a number in [0, 1) that belongs to row i.

CREATE OR REPLACE TEMP MACRO u(i, salt) AS (hash(i, salt, getvariable('seed')) >> 11)::DOUBLE / 9007199254740992;

CREATE OR REPLACE TEMP MACRO pick(list, x) AS list[1 + floor(x * len(list))::BIGINT];

CREATE OR REPLACE TEMP MACRO vault_id(prefix, i) AS prefix || lpad(upper(to_base(i, 36)), 12, '0');

CREATE OR REPLACE TEMP TABLE synthetic_trouble AS SELECT * FROM trouble_frame;

CREATE OR REPLACE TEMP TABLE synthetic_fleet AS
WITH drawn AS (
    SELECT i, vault_id('V0B', 1000 + i) AS user_id, 'ipad-' || lpad(i::VARCHAR, 6, '0') AS device_id,
           pick(['DE', 'DE', 'FR', 'FR', 'ES', 'IT', 'US', 'US', 'US', 'JP'], u(i, 1)) AS country,
           1 + floor(u(i, 2) * 4)::INTEGER AS patch, u(i, 3) AS role, u(i, 4) AS kit, u(i, 5) AS adopts,
           1 + floor(u(i, 6) * 3)::INTEGER AS slots
    FROM range(getvariable('devices')) AS t(i)
)
SELECT *,
       country || '-' || lpad(patch::VARCHAR, 2, '0') AS territory,
       CASE WHEN role < 0.70 THEN 'field_rep__c' WHEN role < 0.85 THEN 'msl__c'
            WHEN role < 0.95 THEN 'key_account__c' ELSE 'manager__c' END AS security_profile,
       CASE WHEN kit < 0.85 THEN 'iPad' WHEN kit < 0.93 THEN 'iPhone' ELSE 'Windows' END AS platform,
       CASE WHEN kit < 0.30 THEN 'iPad Pro 11' WHEN kit < 0.60 THEN 'iPad Air (5th generation)'
            WHEN kit < 0.85 THEN 'iPad (9th generation)' WHEN kit < 0.93 THEN 'iPhone 15'
            ELSE 'Surface Pro 9' END AS device_model,
       -- the part of the whole time at which this device moves to the new build; some never do
       CASE WHEN adopts < 0.55 THEN 0.45 + adopts * 0.6 END AS adopts_at,
       -- some devices fall silent, some go on trying and fail without an error that anybody sees
       CASE WHEN u(i, 17) < 0.05 THEN 0.5 + 0.4 * u(i, 18) END AS silent_from,
       CASE WHEN u(i, 17) > 0.96 THEN 0.8 + 0.1 * u(i, 18) END AS stuck_from,
       (sum(slots) OVER (ORDER BY i) - slots)::BIGINT AS first_slot
FROM drawn;

INSERT INTO sync_user (user_id, as_of, name, email, active, permission_sets, security_profile, application_profile, territory,
                       country, time_zone, language, source, batch_id)
SELECT user_id, getvariable('start'), 'Rep ' || i, 'rep' || i || '@example.com', true,
       CASE security_profile WHEN 'field_rep__c' THEN 'field_rep_' || lower(country) || '__c' ELSE security_profile END
           || ',sync_base__c',
       security_profile, 'business__c', territory, country,
       CASE country WHEN 'DE' THEN 'Europe/Berlin' WHEN 'FR' THEN 'Europe/Paris' WHEN 'ES' THEN 'Europe/Madrid'
            WHEN 'IT' THEN 'Europe/Rome' WHEN 'US' THEN 'America/New_York' ELSE 'Asia/Tokyo' END,
       CASE country WHEN 'US' THEN 'en' WHEN 'JP' THEN 'ja' ELSE lower(country) END, 'synthetic', 'synthetic'
FROM synthetic_fleet;

INSERT INTO device (device_id, as_of, user_id, platform, model, os_version, app_version, storage_free_mb, accounts,
                    last_seen_at, source, batch_id)
SELECT device_id, getvariable('start') + to_days(getvariable('days')::INTEGER), user_id, platform, device_model,
       CASE platform WHEN 'Windows' THEN '11' ELSE pick(['17.6', '18.1', '18.3'], u(i, 7)) END,
       CASE WHEN adopts_at IS NOT NULL THEN '25.3.1' ELSE pick(['25.3.0', '25.3.0', '25.2.4'], u(i, 8)) END,
       round(200 + 60000 * u(i, 9) * u(i, 10)), (CASE WHEN u(i, 11) < 0.02 THEN 15500 ELSE 300 END)
           + floor(4000 * u(i, 12) * u(i, 13))::BIGINT,
       getvariable('start') + to_seconds(floor(coalesce(silent_from, 1) * getvariable('days') * 86400
                                               - 86400 * u(i, 14) * u(i, 15))::BIGINT),
       'synthetic', 'synthetic'
FROM synthetic_fleet;

CREATE OR REPLACE TEMP TABLE synthetic_slot AS
SELECT f.first_slot + k AS slot, f.* EXCLUDE (slots, first_slot)
FROM synthetic_fleet AS f, range(3) AS t(k) WHERE k < f.slots;

SET VARIABLE slot_count = (SELECT count(*) FROM synthetic_slot);

SET VARIABLE rounds = (SELECT greatest(1, getvariable('syncs') // getvariable('slot_count')));

CREATE OR REPLACE TEMP TABLE synthetic_reach AS
SELECT t.kind, s.slot, s.i, s.device_id, s.user_id, s.adopts_at,
       row_number() OVER (PARTITION BY t.kind ORDER BY s.slot) - 1 AS place,
       count(*) OVER (PARTITION BY t.kind) AS places
FROM synthetic_trouble AS t JOIN synthetic_slot AS s
    ON t.scope = 'all'
    OR (t.scope = 'country' AND s.country = t.value)
    OR (t.scope = 'territory' AND s.territory = t.value)
    OR (t.scope = 'security_profile' AND s.security_profile = t.value)
    OR (t.scope = 'platform' AND s.platform = t.value)
    OR (t.scope = 'device_model' AND s.device_model = t.value)
    OR (t.scope = 'app_version' AND s.adopts_at IS NOT NULL)
-- chronic trouble stays with a part of the fleet: users who had it have it again
WHERE s.silent_from IS NULL AND (t.ends - t.begins < 0.9 OR t.scope <> 'all' OR u(s.i, 100 + t.kind) < 0.35);

-- In a small fleet a trouble may affect no user; the others then share its errors.
CREATE OR REPLACE TEMP TABLE synthetic_share AS
WITH reaching AS (SELECT * FROM synthetic_trouble WHERE kind IN (SELECT kind FROM synthetic_reach))
SELECT *, sum(weight) OVER (ORDER BY kind) / sum(weight) OVER () AS high,
       (sum(weight) OVER (ORDER BY kind) - weight) / sum(weight) OVER () AS low
FROM reaching;

CREATE OR REPLACE TEMP TABLE synthetic_event AS
WITH drawn AS (
    SELECT e, u(e, 21) AS lot, u(e, 22) AS seat, u(e, 23) AS moment, u(e, 24) AS unlucky
    FROM range(getvariable('errors')) AS t(e)
), kinds AS (
    SELECT d.*, t.* FROM drawn AS d JOIN synthetic_share AS t ON d.lot >= t.low AND d.lot < t.high
)
SELECT k.*, r.slot, r.i, r.device_id, r.user_id, r.adopts_at,
       -- the sync it happened in: a round inside the trouble's time, never after the last
       least(getvariable('rounds') - 1,
             floor((greatest(k.begins, CASE WHEN k.scope = 'app_version' THEN r.adopts_at ELSE 0 END)
                    + k.moment * (k.ends - greatest(k.begins,
                        CASE WHEN k.scope = 'app_version' THEN r.adopts_at ELSE 0 END)))
                   * getvariable('rounds'))::BIGINT) AS round
FROM kinds AS k JOIN synthetic_reach AS r
    -- squared: a few devices meet most of it
    ON r.kind = k.kind AND r.place = floor(k.seat * k.seat * r.places)::BIGINT;

CREATE OR REPLACE TEMP TABLE synthetic_hurt AS
SELECT round * getvariable('slot_count') + slot AS n,
       count(*) FILTER (phase = 'upload') AS upload_errors,
       bool_or(phase IN ('connect', 'download', 'apply')) AS stopped,
       min(phase) FILTER (phase <> 'upload') AS last_phase
FROM synthetic_event WHERE unlucky >= 0.2 GROUP BY n;

CREATE OR REPLACE TEMP MACRO moment_of(n) AS getvariable('start') + to_microseconds((
    -- whole days by order, hours by a draw that leaves the order inside a day to chance
    floor(n::DOUBLE * getvariable('days') / (getvariable('rounds') * getvariable('slot_count'))) * 86400e6
    + (6 + 9 * u(n, 31) + 4 * u(n, 32) * u(n, 33)) * 3600e6)::BIGINT);

CREATE OR REPLACE TEMP VIEW synthetic_sync AS
WITH drawn AS (
    SELECT n, s.*, moment_of(n) AS started_at, u(n, 41) AS sort, u(n, 42) AS fate,
           n::DOUBLE / (getvariable('rounds') * getvariable('slot_count')) AS part,
           coalesce(h.upload_errors, 0) AS upload_errors, coalesce(h.stopped, false) AS stopped, h.last_phase
    FROM range(getvariable('rounds') * getvariable('slot_count')) AS t(n)
    JOIN synthetic_slot AS s ON s.slot = n % getvariable('slot_count')
    LEFT JOIN synthetic_hurt AS h USING (n)
), typed AS (
    SELECT * REPLACE (stopped OR coalesce(part > stuck_from, false) AS stopped),
           CASE WHEN sort < 0.72 THEN 'non_blocking__v' WHEN sort < 0.92 THEN 'incremental__v'
                   WHEN sort < 0.95 THEN 'database_refresh__v' ELSE 'mini__v' END AS sync_type,
           CASE WHEN adopts_at <= part THEN '25.3.1' ELSE pick(['25.3.0', '25.3.0', '25.2.4'], u(i, 8)) END
               AS app_version,
           floor(12 * u(n, 43) * u(n, 44))::BIGINT AS edits
    FROM drawn
    WHERE silent_from IS NULL OR part < silent_from
), timed AS (
    SELECT *, round(exp(CASE sync_type WHEN 'database_refresh__v' THEN 7.2 WHEN 'incremental__v' THEN 4.6
                             WHEN 'mini__v' THEN 2.7 ELSE 3.9 END
                        + 0.9 * (u(n, 45) + u(n, 46) + u(n, 47) - 1.5)), 1) AS active_seconds,
           CASE WHEN sync_type = 'non_blocking__v' AND u(n, 48) < 0.12
                THEN round(21600 * u(n, 49) * u(n, 50), 1) ELSE 0 END AS paused_seconds,
           fate < 0.02 AS canceled,
           sync_type = 'non_blocking__v' AND fate BETWEEN 0.02 AND 0.06 AND NOT stopped AS unfinished
    FROM typed
)
SELECT *, NOT canceled AND NOT unfinished
          AND (stopped OR fate > 0.995 OR (upload_errors > 0 AND u(n, 51) < 0.5)) AS failed
FROM timed;

INSERT INTO sync_tracking__v (id, name__v, status__v, created_by__v, created_date__v, modified_by__v, modified_date__v,
                              mobile_id__v, sync_type__v, refresh_mode__v, sync_start_datetime__v,
                              sync_completed_datetime__v, sync_duration__v, successful_sync__v, sync_canceled__v,
                              upload_processed__v, download_processed__v, number_of_uploads__v,
                              number_of_upload_errors__v, number_of_retries__v, number_of_vtrans__v, version__v,
                              source, batch_id)
SELECT vault_id('VST', n), 'ST-' || lpad(n::VARCHAR, 9, '0'), 'active__v', user_id, started_at, user_id,
       started_at + to_seconds((active_seconds + paused_seconds)::BIGINT), NULL, sync_type,
       (sync_type = 'non_blocking__v')::VARCHAR, started_at,
       CASE WHEN NOT unfinished THEN started_at + to_milliseconds((1000 * (active_seconds + paused_seconds))::BIGINT) END,
       CASE WHEN NOT unfinished THEN active_seconds + paused_seconds END,
       CASE WHEN NOT unfinished THEN NOT failed AND NOT canceled END, canceled,
       upload_errors = 0 AND NOT canceled, NOT stopped AND NOT canceled AND NOT unfinished,
       greatest(edits - upload_errors, 0), upload_errors,
       CASE WHEN u(n, 52) < 0.08 OR stopped THEN 1 + floor(3 * u(n, 53) * u(n, 54))::BIGINT ELSE 0 END,
       (u(n, 55) < 0.004)::BIGINT, app_version, 'synthetic', 'synthetic'
FROM synthetic_sync ORDER BY n;

INSERT INTO sync_detail (sync_id, user_id, device_id, trigger, network_type, active_seconds, paused_seconds,
                         records_downloaded, records_deleted, bytes_uploaded, bytes_downloaded, pending_uploads,
                         records_created, configuration_version, last_phase, source, batch_id)
SELECT vault_id('VST', n), user_id, device_id, CASE WHEN sync_type = 'database_refresh__v' AND u(n, 61) < 0.15 THEN 'forced'
            WHEN u(n, 61) < 0.6 THEN 'daily' ELSE 'manual' END,
       pick(['wifi', 'wifi', 'wifi', 'cellular'], u(n, 62)), active_seconds, paused_seconds,
       floor(400 * u(n, 63) * u(n, 64))::BIGINT, floor(20 * u(n, 65) * u(n, 66))::BIGINT, edits * 2048,
       floor(4e6 * u(n, 67) * u(n, 68))::BIGINT, upload_errors,
       -- four in ten edits leave the device by autosync, which no tracking row shows
       edits + floor(edits * 0.66 + u(n, 69))::BIGINT, NULL,
       CASE WHEN unfinished THEN 'download' WHEN stopped THEN last_phase WHEN upload_errors > 0 AND failed
            THEN 'upload' ELSE 'apply' END,
       'synthetic', 'synthetic'
FROM synthetic_sync ORDER BY n;

INSERT INTO sync_error (event_id, sync_id, occurred_at, user_id, device_id, platform, app_version, sync_type, phase,
                        operation, object, record_id, field, http_status, error_type, message, source, batch_id)
SELECT 'event-' || lpad(e::VARCHAR, 9, '0'), CASE WHEN unlucky >= 0.2 THEN vault_id('VST', n) END,
       moment_of(n) + to_seconds(floor(2 + 40 * u(e, 71))::BIGINT), user_id, device_id, f.platform,
       CASE WHEN f.adopts_at <= part THEN '25.3.1' ELSE pick(['25.3.0', '25.3.0', '25.2.4'], u(i, 8)) END,
       CASE WHEN unlucky < 0.2 THEN 'autosync' ELSE CASE WHEN u(n, 41) < 0.72 THEN 'non_blocking__v'
            WHEN u(n, 41) < 0.92 THEN 'incremental__v' WHEN u(n, 41) < 0.95 THEN 'database_refresh__v'
            ELSE 'mini__v' END END,
       phase, operation, object, CASE WHEN object IS NOT NULL AND phase = 'upload' THEN record END, field,
       nullif(http_status, 0)::INTEGER, error_type,
       replace(replace(replace(replace(message, '{id}', record), '{user}', user_id),
               '{date}', strftime(moment_of(n) - to_days(floor(3 + 30 * u(e, 72))::INTEGER), '%Y-%m-%d')),
               '{number}', floor(1000 * u(e, 73))::BIGINT::VARCHAR),
       'synthetic', 'synthetic'
FROM (SELECT ev.* EXCLUDE (user_id, device_id, i, adopts_at), fl.i, fl.user_id, fl.device_id,
             round * getvariable('slot_count') + slot AS n, round::DOUBLE / getvariable('rounds') AS part,
             -- a record that fails goes on failing: few records, many events
             vault_id('V5R', fl.i * 64 + floor(24 * u(e, 74))::BIGINT + 24 * (kind % 2)) AS record,
             {'platform': fl.platform, 'adopts_at': fl.adopts_at} AS f
      FROM synthetic_event AS ev JOIN synthetic_fleet AS fl ON fl.i = ev.i)
ORDER BY e;

INSERT INTO finding (event_id, issue_id, cause, confidence, rule, also, evidence, retryable, side, catalogue, grouping)
SELECT 'event-' || lpad(e::VARCHAR, 9, '0'), issue_id, cause, CASE cause WHEN 'unknown' THEN 0 ELSE 0.9 END,
       'synthetic:' || name, [], CASE cause WHEN 'unknown' THEN [] ELSE ['Drawn from the trouble ' || name || '.'] END,
       retryable, side, 'synthetic', 'synthetic'
FROM synthetic_event ORDER BY e;

INSERT INTO engine_truth.event_cause (event_id, cause, injected_by, change_id, source, batch_id)
SELECT 'event-' || lpad(e::VARCHAR, 9, '0'), cause, name, CASE WHEN change IS NOT NULL THEN 'change-' || name END,
       'synthetic', 'synthetic'
FROM synthetic_event ORDER BY e;

INSERT INTO config_change (change_id, changed_at, changed_by, kind, target, object, field, scope, before, after, detail,
                           source, batch_id)
SELECT 'change-' || name, getvariable('start') + to_days(floor(begins * getvariable('days'))::INTEGER) + INTERVAL 5 HOUR,
       'V0A000000000ADM', change, target, object, field, CASE WHEN scope NOT IN ('all', 'app_version')
           THEN replace(scope, 'security_profile', 'profile') || '=' || value END, before, after, NULL,
       'synthetic', 'synthetic'
FROM synthetic_trouble WHERE change IS NOT NULL
UNION ALL
SELECT 'change-decoy-' || k, getvariable('start') + to_seconds((u(k, 81) * getvariable('days') * 86400)::BIGINT),
       'V0A000000000ADM', pick(['permission_set', 'vmoc', 'field', 'setting', 'territory'], u(k, 82)),
       pick(['manager__c', 'product__v iPad', 'call2__v.notes__c', 'sync_warn_interval__v', 'IT-04'], u(k, 82)),
       NULL, NULL, NULL, 'before', 'after', 'has nothing to do with any error', 'synthetic', 'synthetic'
FROM range(10) AS t(k)
ORDER BY 2;

-- Refused uploads of the last quarter are still on their devices; a call that waits keeps its samples waiting.
INSERT INTO pending_record (device_id, as_of, object, record_id, user_id, operation, parent_record_id, edited_at, in_error,
                            source, batch_id)
WITH waiting AS (
    SELECT device_id, object, record_id, any_value(user_id) AS user_id, any_value(operation) AS operation,
           max(occurred_at) AS edited_at
    FROM sync_error
    WHERE source = 'synthetic' AND phase = 'upload' AND record_id IS NOT NULL
      AND occurred_at > getvariable('start') + to_seconds((0.75 * getvariable('days') * 86400)::BIGINT)
    GROUP BY device_id, object, record_id
), newest AS (SELECT getvariable('start') + to_days(getvariable('days')::INTEGER) AS as_of)
SELECT device_id, as_of, object, record_id, user_id, operation, NULL, edited_at, true, 'synthetic', 'synthetic'
FROM waiting, newest
UNION ALL
SELECT device_id, as_of, child.object, record_id || child.suffix, user_id, 'create', record_id, edited_at, false,
       'synthetic', 'synthetic'
FROM waiting, newest,
     (VALUES ('call2_sample__v', 'S'), ('signature__v', 'G')) AS child(object, suffix)
WHERE waiting.object = 'call2__v' AND hash(record_id, child.suffix) % 3 = 0
ORDER BY 1, 3, 4;

INSERT INTO ingest_batch (batch_id, source, kind, content_hash, rows_in, rows_new, rows_updated, rows_unchanged,
                          rows_rejected, started_at, finished_at)
SELECT 'synthetic', 'synthetic', 'all', NULL, n, n, 0, 0, 0, ended, ended
FROM (SELECT (SELECT count(*) FROM sync_tracking__v) + (SELECT count(*) FROM sync_error) AS n,
             getvariable('start') + to_days(getvariable('days')::INTEGER) AS ended);
