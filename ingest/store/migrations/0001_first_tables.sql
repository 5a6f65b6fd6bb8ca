-- The tables of docs/architecture.md. Times are TIMESTAMP in UTC; only the loader converts them.
-- No primary keys: the merge in ingest/store/merge.py keeps rows unique, and an index would make each bulk load
-- several times slower (docs/decisions/0003-no-primary-keys.md).

CREATE TABLE ingest_batch (
    batch_id       VARCHAR NOT NULL,
    source         VARCHAR NOT NULL,   -- file name, URL, or `simulation`
    kind           VARCHAR NOT NULL,   -- table the rows are for
    content_hash   VARCHAR,            -- of the source, to recognize a repeated load
    rows_in        BIGINT NOT NULL,
    rows_new       BIGINT NOT NULL,
    rows_updated   BIGINT NOT NULL,
    rows_unchanged BIGINT NOT NULL,
    rows_rejected  BIGINT NOT NULL,
    started_at     TIMESTAMP NOT NULL,
    finished_at    TIMESTAMP NOT NULL,
    CHECK (rows_in = rows_new + rows_updated + rows_unchanged + rows_rejected)  -- every row is counted
);

CREATE TABLE rejected_row (
    batch_id   VARCHAR NOT NULL,
    source     VARCHAR NOT NULL,
    kind       VARCHAR NOT NULL,
    row_number BIGINT NOT NULL,        -- 1 is the first row of data
    raw        VARCHAR,                -- the original text of the row
    reasons    VARCHAR[] NOT NULL
);

CREATE TABLE sync_tracking__v (
    id                         VARCHAR NOT NULL,
    name__v                    VARCHAR,
    status__v                  VARCHAR,
    created_by__v              VARCHAR,
    created_date__v            TIMESTAMP,
    modified_by__v             VARCHAR,
    modified_date__v           TIMESTAMP,
    mobile_id__v               VARCHAR,
    sync_type__v               VARCHAR,
    refresh_mode__v            VARCHAR,
    sync_start_datetime__v     TIMESTAMP NOT NULL,
    sync_completed_datetime__v TIMESTAMP,
    sync_duration__v           DOUBLE,
    successful_sync__v         BOOLEAN,
    sync_canceled__v           BOOLEAN,
    upload_processed__v        BOOLEAN,
    download_processed__v      BOOLEAN,
    number_of_uploads__v       BIGINT,
    number_of_upload_errors__v BIGINT,
    number_of_retries__v       BIGINT,
    number_of_vtrans__v        BIGINT,
    version__v                 VARCHAR,
    extra                      VARCHAR,  -- JSON object of cells without a column
    source                     VARCHAR NOT NULL,
    batch_id                   VARCHAR NOT NULL
);

CREATE TABLE sync_error (
    event_id    VARCHAR NOT NULL,
    sync_id     VARCHAR,
    occurred_at TIMESTAMP NOT NULL,
    user_id     VARCHAR,
    device_id   VARCHAR,
    platform    VARCHAR,
    app_version VARCHAR,
    sync_type   VARCHAR,
    phase       VARCHAR,
    operation   VARCHAR,
    object      VARCHAR,
    record_id   VARCHAR,
    field       VARCHAR,
    http_status INTEGER,
    error_type  VARCHAR,
    message     VARCHAR,
    payload     VARCHAR,
    extra       VARCHAR,
    source      VARCHAR NOT NULL,
    batch_id    VARCHAR NOT NULL
);

CREATE TABLE sync_detail (
    sync_id               VARCHAR NOT NULL,
    user_id               VARCHAR,
    device_id             VARCHAR,
    trigger               VARCHAR,
    network_type          VARCHAR,
    active_seconds        DOUBLE,
    paused_seconds        DOUBLE,
    records_downloaded    BIGINT,
    records_deleted       BIGINT,
    bytes_uploaded        BIGINT,
    bytes_downloaded      BIGINT,
    pending_uploads       BIGINT,
    records_created       BIGINT,
    configuration_version VARCHAR,
    last_phase            VARCHAR,
    extra                 VARCHAR,
    source                VARCHAR NOT NULL,
    batch_id              VARCHAR NOT NULL
);

CREATE TABLE config_change (
    change_id  VARCHAR NOT NULL,
    changed_at TIMESTAMP NOT NULL,
    changed_by VARCHAR,
    kind       VARCHAR NOT NULL,
    target     VARCHAR NOT NULL,
    object     VARCHAR,
    field      VARCHAR,
    scope      VARCHAR,
    before     VARCHAR,
    after      VARCHAR,
    detail     VARCHAR,
    extra      VARCHAR,
    source     VARCHAR NOT NULL,
    batch_id   VARCHAR NOT NULL
);

CREATE TABLE sync_user (
    user_id             VARCHAR NOT NULL,
    as_of               TIMESTAMP NOT NULL,
    name                VARCHAR,
    email               VARCHAR,
    active              BOOLEAN,
    permission_sets     VARCHAR,
    security_profile    VARCHAR,
    application_profile VARCHAR,
    territory           VARCHAR,
    country             VARCHAR,
    time_zone           VARCHAR,
    language            VARCHAR,
    extra               VARCHAR,
    source              VARCHAR NOT NULL,
    batch_id            VARCHAR NOT NULL
);

CREATE TABLE device (
    device_id       VARCHAR NOT NULL,
    as_of           TIMESTAMP NOT NULL,
    user_id         VARCHAR,
    platform        VARCHAR,
    model           VARCHAR,
    os_version      VARCHAR,
    app_version     VARCHAR,
    storage_free_mb DOUBLE,
    accounts        BIGINT,
    last_seen_at    TIMESTAMP,
    extra           VARCHAR,
    source          VARCHAR NOT NULL,
    batch_id        VARCHAR NOT NULL
);

CREATE TABLE pending_record (
    device_id        VARCHAR NOT NULL,
    as_of            TIMESTAMP NOT NULL,
    object           VARCHAR NOT NULL,
    record_id        VARCHAR NOT NULL,
    user_id          VARCHAR,
    operation        VARCHAR,
    parent_record_id VARCHAR,
    edited_at        TIMESTAMP,
    in_error         BOOLEAN,
    extra            VARCHAR,
    source           VARCHAR NOT NULL,
    batch_id         VARCHAR NOT NULL
);

-- Deletions are kept, so that an older export does not restore the record.
CREATE TABLE tombstone (
    kind       VARCHAR NOT NULL,      -- table that the record was in
    id         VARCHAR NOT NULL,
    deleted_at TIMESTAMP NOT NULL,
    source     VARCHAR NOT NULL,
    batch_id   VARCHAR NOT NULL
);

-- The finding for each error; `analysis.update_findings` rewrites the whole table.
CREATE TABLE finding (
    event_id   VARCHAR NOT NULL,
    issue_id   VARCHAR NOT NULL,
    cause      VARCHAR NOT NULL,
    confidence DOUBLE NOT NULL,
    rule       VARCHAR NOT NULL,
    also       VARCHAR[] NOT NULL,
    evidence   VARCHAR[] NOT NULL,   -- one sentence each
    retryable  VARCHAR NOT NULL,
    side       VARCHAR NOT NULL,
    catalogue  VARCHAR NOT NULL,     -- version of the cause catalogue
    grouping   VARCHAR NOT NULL      -- version of the grouping
);

-- Simulated data only. Only the evaluation may read this schema.
CREATE SCHEMA engine_truth;
CREATE TABLE engine_truth.event_cause (
    event_id    VARCHAR NOT NULL,
    cause       VARCHAR NOT NULL,
    injected_by VARCHAR NOT NULL,
    change_id   VARCHAR,
    source      VARCHAR NOT NULL,
    batch_id    VARCHAR NOT NULL
);

-- The newest snapshot of each user and device.
CREATE VIEW current_user_info AS
SELECT * FROM sync_user QUALIFY row_number() OVER (PARTITION BY user_id ORDER BY as_of DESC) = 1;

CREATE VIEW current_device AS
SELECT * FROM device QUALIFY row_number() OVER (PARTITION BY device_id ORDER BY as_of DESC) = 1;

-- One row per tracked sync with its outcome. Order matters: a sync canceled by the user is not a failure, and
-- a sync without completion and success flag is unfinished, which is not a failure either.
CREATE VIEW sync AS
SELECT
    t.id                         AS sync_id,
    t.sync_start_datetime__v     AS started_at,
    t.sync_completed_datetime__v AS completed_at,
    t.sync_duration__v           AS duration_seconds,
    t.sync_type__v               AS sync_type,
    t.refresh_mode__v            AS refresh_mode,
    t.version__v                 AS app_version,
    CASE
        WHEN t.sync_canceled__v THEN 'canceled'
        WHEN t.successful_sync__v AND coalesce(t.number_of_upload_errors__v, 0) > 0
            THEN 'succeeded_with_upload_errors'
        WHEN t.successful_sync__v THEN 'succeeded'
        WHEN t.sync_completed_datetime__v IS NULL OR t.successful_sync__v IS NULL THEN 'unfinished'
        WHEN NOT t.upload_processed__v THEN 'failed_upload'
        WHEN NOT t.download_processed__v THEN 'failed_download'
        ELSE 'failed'
    END                          AS outcome,
    t.number_of_uploads__v       AS uploads,
    t.number_of_upload_errors__v AS upload_errors,
    t.number_of_retries__v       AS retries,
    t.number_of_vtrans__v        AS vtrans,
    coalesce(d.user_id, t.created_by__v) AS user_id,
    d.device_id,
    d.trigger, d.network_type, d.active_seconds, d.paused_seconds, d.records_downloaded, d.records_deleted,
    d.bytes_uploaded, d.bytes_downloaded, d.pending_uploads, d.records_created, d.configuration_version,
    d.last_phase,
    u.territory, u.country, u.security_profile, u.application_profile, u.permission_sets, u.time_zone,
    v.platform, v.model AS device_model, v.os_version,
    t.source
FROM sync_tracking__v AS t
LEFT JOIN sync_detail AS d ON d.sync_id = t.id
LEFT JOIN current_user_info AS u ON u.user_id = coalesce(d.user_id, t.created_by__v)
LEFT JOIN current_device AS v ON v.device_id = d.device_id;

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
