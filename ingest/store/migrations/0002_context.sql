-- What a Vault was configured to be, as of a time: context for analyses, and the source of differences.

CREATE TABLE object_field (
    object   VARCHAR NOT NULL,
    name     VARCHAR NOT NULL,
    as_of    TIMESTAMP NOT NULL,
    label    VARCHAR,
    type     VARCHAR,              -- as the source words it: String, Picklist, Relationship, ...
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
    name     VARCHAR NOT NULL,     -- API name, as rows carry it
    as_of    TIMESTAMP NOT NULL,
    label    VARCHAR,
    status   VARCHAR,
    extra    VARCHAR,
    source   VARCHAR NOT NULL,
    batch_id VARCHAR NOT NULL
);

CREATE TABLE permission_grant (
    permission_set VARCHAR NOT NULL,
    object         VARCHAR NOT NULL,   -- an object, or `application` for permissions that are of no object
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

-- How far a source was read; moves in the same transaction as the rows it speaks of.
CREATE TABLE watermark (
    source     VARCHAR NOT NULL,
    target     VARCHAR NOT NULL,
    reached_at TIMESTAMP NOT NULL,
    pending    VARCHAR              -- where an unfinished read goes on
);
