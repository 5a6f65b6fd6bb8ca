-- The views again, in steps, so that a query only pays for the joins it needs (analysis/query/sync_views.py). The
-- newest snapshot is one row per key by grouping, which lets the database skip an unused join.
DROP VIEW error;
DROP VIEW sync;
DROP VIEW current_device;
DROP VIEW current_user_info;

CREATE VIEW current_user_info AS
SELECT
    user_id, s.as_of, s.name, s.email, s.active, s.permission_sets, s.security_profile, s.application_profile,
    s.territory, s.country, s.time_zone, s.language, s.extra, s.source, s.batch_id
FROM (
    SELECT user_id, arg_max({
        'as_of': as_of, 'name': name, 'email': email, 'active': active, 'permission_sets': permission_sets,
        'security_profile': security_profile, 'application_profile': application_profile,
        'territory': territory, 'country': country, 'time_zone': time_zone, 'language': language,
        'extra': extra, 'source': source, 'batch_id': batch_id
    }, as_of) AS s
    FROM sync_user
    GROUP BY user_id
);

CREATE VIEW current_device AS
SELECT
    device_id, s.as_of, s.user_id, s.platform, s.model, s.os_version, s.app_version, s.storage_free_mb,
    s.accounts, s.last_seen_at, s.extra, s.source, s.batch_id
FROM (
    SELECT device_id, arg_max({
        'as_of': as_of, 'user_id': user_id, 'platform': platform, 'model': model, 'os_version': os_version,
        'app_version': app_version, 'storage_free_mb': storage_free_mb, 'accounts': accounts,
        'last_seen_at': last_seen_at, 'extra': extra, 'source': source, 'batch_id': batch_id
    }, as_of) AS s
    FROM device
    GROUP BY device_id
);

-- A tracked sync with its outcome, from its tracking record alone. Order matters: a sync canceled by the user is
-- not a failure, and a sync without completion and success flag is unfinished, which is not a failure either.
CREATE VIEW tracked_sync AS
SELECT
    id                         AS sync_id,
    sync_start_datetime__v     AS started_at,
    sync_completed_datetime__v AS completed_at,
    sync_duration__v           AS duration_seconds,
    sync_type__v               AS sync_type,
    refresh_mode__v            AS refresh_mode,
    version__v                 AS app_version,
    CASE
        WHEN sync_canceled__v THEN 'canceled'
        WHEN successful_sync__v AND coalesce(number_of_upload_errors__v, 0) > 0
            THEN 'succeeded_with_upload_errors'
        WHEN successful_sync__v THEN 'succeeded'
        WHEN sync_completed_datetime__v IS NULL OR successful_sync__v IS NULL THEN 'unfinished'
        WHEN NOT upload_processed__v THEN 'failed_upload'
        WHEN NOT download_processed__v THEN 'failed_download'
        ELSE 'failed'
    END                        AS outcome,
    number_of_uploads__v       AS uploads,
    number_of_upload_errors__v AS upload_errors,
    number_of_retries__v       AS retries,
    number_of_vtrans__v        AS vtrans,
    created_by__v              AS created_by,
    source
FROM sync_tracking__v;

-- The same with its details.
CREATE VIEW detailed_sync AS
SELECT
    t.* EXCLUDE (created_by, source),
    coalesce(d.user_id, t.created_by) AS user_id,
    d.device_id,
    d.trigger, d.network_type, d.active_seconds, d.paused_seconds, d.records_downloaded, d.records_deleted,
    d.bytes_uploaded, d.bytes_downloaded, d.pending_uploads, d.records_created, d.configuration_version,
    d.last_phase,
    t.source
FROM tracked_sync AS t
LEFT JOIN sync_detail AS d ON d.sync_id = t.sync_id;

-- And with the newest snapshots of its user and its device: the view that queries use.
CREATE VIEW sync AS
SELECT
    t.* EXCLUDE (source),
    u.territory, u.country, u.security_profile, u.application_profile, u.permission_sets, u.time_zone,
    v.platform, v.model AS device_model, v.os_version,
    t.source
FROM detailed_sync AS t
LEFT JOIN current_user_info AS u ON u.user_id = t.user_id
LEFT JOIN current_device AS v ON v.device_id = t.device_id;

-- One row per error event with its finding, its user and its device.
CREATE VIEW error AS
SELECT
    e.* EXCLUDE (extra, source, batch_id),
    coalesce(f.issue_id, 'unsorted') AS issue_id,
    coalesce(f.cause, 'unknown')     AS cause,
    coalesce(f.confidence, 0)        AS confidence,
    coalesce(f.rule, '')             AS rule,
    f.also, f.evidence, f.retryable, f.side,
    u.territory, u.country, u.security_profile, u.application_profile, u.permission_sets,
    v.model AS device_model, v.os_version,
    e.source
FROM sync_error AS e
LEFT JOIN finding AS f ON f.event_id = e.event_id
LEFT JOIN current_user_info AS u ON u.user_id = e.user_id
LEFT JOIN current_device AS v ON v.device_id = e.device_id;
