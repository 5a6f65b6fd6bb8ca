-- Failed syncs that no error event explains, in their issues; `analysis.update_findings` rewrites the whole table. If a
-- failed sync fits no issue, only its id is stored.
CREATE TABLE sync_finding (
    sync_id  VARCHAR NOT NULL,
    issue_id VARCHAR,
    kind     VARCHAR,   -- file name in analysis/sync_failures/kinds
    extent   VARCHAR,   -- everyone, users, or the attribute that the affected syncs share
    value    VARCHAR,            -- value of that attribute
    title    VARCHAR    -- title of the issue, the same in all of its rows
);

-- What issues consist of: error events, and failed syncs without one. A sync has the title of its issue as its message.
-- `failure_kind` is NULL for an error event.
CREATE VIEW issue_event AS
SELECT
    event_id, sync_id, occurred_at, user_id, device_id, platform, app_version, sync_type, phase, operation,
    object, record_id, field, http_status, error_type, message, payload, issue_id, cause, confidence, rule,
    also, evidence, retryable, side, territory, country, security_profile, application_profile,
    permission_sets, device_model, os_version, source, NULL::VARCHAR AS failure_kind
FROM error
UNION ALL
SELECT
    f.sync_id AS event_id, f.sync_id AS sync_id, s.started_at AS occurred_at, s.user_id AS user_id,
    s.device_id AS device_id, s.platform AS platform, s.app_version AS app_version, s.sync_type AS sync_type,
    NULL::VARCHAR AS phase, NULL::VARCHAR AS operation, NULL::VARCHAR AS object, NULL::VARCHAR AS record_id,
    NULL::VARCHAR AS field, NULL::INTEGER AS http_status, NULL::VARCHAR AS error_type, f.title AS message,
    NULL::VARCHAR AS payload, f.issue_id AS issue_id, 'unknown' AS cause, 0.0::DOUBLE AS confidence, '' AS rule,
    []::VARCHAR[] AS also, []::VARCHAR[] AS evidence, 'unknown' AS retryable, 'unknown' AS side,
    s.territory AS territory, s.country AS country, s.security_profile AS security_profile,
    s.application_profile AS application_profile, s.permission_sets AS permission_sets,
    s.device_model AS device_model, s.os_version AS os_version, s.source AS source, f.kind AS failure_kind
FROM sync_finding AS f
JOIN sync AS s ON s.sync_id = f.sync_id
WHERE f.issue_id IS NOT NULL;
