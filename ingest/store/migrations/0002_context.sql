-- Snapshots of a Vault's configuration: context for analyses, and compared to find changes.

CREATE TABLE object_field (
    object   VARCHAR NOT NULL,
    name     VARCHAR NOT NULL,
    as_of    TIMESTAMP NOT NULL,
    label    VARCHAR,
    type     VARCHAR,              -- the name in the source: String, Picklist, Relationship, ...
    required BOOLEAN,
    editable BOOLEAN,
    unique_values BOOLEAN,
    max_length BIGINT,
    min_value  DOUBLE,
    max_value  DOUBLE,
    refers_to  VARCHAR,            -- object or picklist that the values come from
    active   BOOLEAN,
    extra    VARCHAR,
    source   VARCHAR NOT NULL,
    batch_id VARCHAR NOT NULL
);

CREATE TABLE picklist_value (
    object   VARCHAR NOT NULL,
    field    VARCHAR NOT NULL,
    name     VARCHAR NOT NULL,     -- API name, as in rows
    as_of    TIMESTAMP NOT NULL,
    label    VARCHAR,
    status   VARCHAR,
    extra    VARCHAR,
    source   VARCHAR NOT NULL,
    batch_id VARCHAR NOT NULL
);

CREATE TABLE permission_grant (
    permission_set VARCHAR NOT NULL,
    object         VARCHAR NOT NULL,   -- an object, or `application` for permissions without an object
    field          VARCHAR NOT NULL,   -- a field or a permission's name; `*` is the object itself
    as_of          TIMESTAMP NOT NULL,
    can_read       BOOLEAN,
    can_create     BOOLEAN,
    can_edit       BOOLEAN,
    can_delete     BOOLEAN,
    extra          VARCHAR,
    source         VARCHAR NOT NULL,
    batch_id       VARCHAR NOT NULL
);

CREATE TABLE vmoc (
    vmoc_id             VARCHAR NOT NULL,
    as_of               TIMESTAMP NOT NULL,
    name                VARCHAR,
    object              VARCHAR,
    type                VARCHAR,
    device              VARCHAR,
    where_clause        VARCHAR,
    application_profile VARCHAR,
    active              BOOLEAN,
    extra               VARCHAR,
    source              VARCHAR NOT NULL,
    batch_id            VARCHAR NOT NULL
);

CREATE TABLE veeva_setting (
    setting_id VARCHAR NOT NULL,
    as_of      TIMESTAMP NOT NULL,
    name       VARCHAR,
    value      VARCHAR,
    scope      VARCHAR,
    extra      VARCHAR,
    source     VARCHAR NOT NULL,
    batch_id   VARCHAR NOT NULL
);

-- How far a source was read; updated in the transaction of its rows.
CREATE TABLE watermark (
    source     VARCHAR NOT NULL,
    target     VARCHAR NOT NULL,
    reached_at TIMESTAMP NOT NULL,
    pending    VARCHAR              -- where an unfinished read continues
);
