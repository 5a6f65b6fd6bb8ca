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
SELECT *, NULL::VARCHAR AS failure_kind FROM error
UNION ALL BY NAME
SELECT
    f.sync_id AS event_id, f.sync_id, s.started_at AS occurred_at, s.user_id, s.device_id, s.platform,
    s.app_version, s.sync_type, f.title AS message, f.issue_id, 'unknown' AS cause, 0.0 AS confidence,
    f.kind AS failure_kind, '' AS rule, []::VARCHAR[] AS also, []::VARCHAR[] AS evidence, 'unknown' AS retryable, 'unknown' AS side,
    s.territory, s.country, s.security_profile, s.application_profile, s.permission_sets, s.device_model,
    s.os_version, s.source
FROM sync_finding AS f
JOIN sync AS s ON s.sync_id = f.sync_id
WHERE f.issue_id IS NOT NULL;
