"""Tables of the Vault.

There is one writer, and it assigns the sequence number inside the write. Sequence order is therefore commit order.
"""

from __future__ import annotations

SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
    id        TEXT PRIMARY KEY,
    object    TEXT NOT NULL,
    mobile_id TEXT,
    revision  INTEGER NOT NULL,
    territory TEXT NOT NULL,          -- '*' for objects that all users see
    parent    TEXT,
    deleted   INTEGER NOT NULL DEFAULT 0,
    tag       INTEGER NOT NULL,       -- see sync_engine.hashing
    doc       TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS record_place ON record (object, territory, deleted, id);
CREATE INDEX IF NOT EXISTS record_parent ON record (parent);
CREATE UNIQUE INDEX IF NOT EXISTS record_mobile ON record (mobile_id) WHERE mobile_id IS NOT NULL;

-- The bucket log: the last operation on each record in the bucket of a territory. Earlier ones are overwritten.
CREATE TABLE IF NOT EXISTS bucket_log (
    territory TEXT NOT NULL,
    id        TEXT NOT NULL,
    object    TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    operation TEXT NOT NULL,          -- put, or remove when the record left the bucket
    PRIMARY KEY (territory, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS bucket_order ON bucket_log (territory, seq);
CREATE TABLE IF NOT EXISTS bucket_digest (
    object    TEXT NOT NULL,
    territory TEXT NOT NULL,
    count     INTEGER NOT NULL,
    total     INTEGER NOT NULL,
    PRIMARY KEY (object, territory)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS answer (
    device TEXT NOT NULL,
    key    TEXT NOT NULL,
    result TEXT NOT NULL,
    PRIMARY KEY (device, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lane (
    device TEXT PRIMARY KEY,
    lane   INTEGER NOT NULL,
    number INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS session (
    token   TEXT PRIMARY KEY,
    user    TEXT NOT NULL,
    device  TEXT NOT NULL,
    created REAL NOT NULL,
    used    REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tracking (
    mobile_id TEXT PRIMARY KEY,
    id        TEXT NOT NULL,
    user      TEXT NOT NULL,
    created   REAL NOT NULL,
    modified  REAL NOT NULL,
    doc       TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS config (
    kind      TEXT NOT NULL,
    name      TEXT NOT NULL,
    live      TEXT NOT NULL,
    published TEXT,                   -- what devices get until the cache is cleared
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS audit (
    change_id TEXT PRIMARY KEY,
    at        REAL NOT NULL,
    doc       TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS file (
    id       TEXT PRIMARY KEY,
    record   TEXT NOT NULL,
    name     TEXT NOT NULL,
    version  INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    checksum TEXT NOT NULL,
    content  BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS file_record ON file (record);
CREATE TABLE IF NOT EXISTS merged (loser TEXT PRIMARY KEY, winner TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""
