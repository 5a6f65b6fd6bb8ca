"""The two databases of a device.

A refresh may replace the data database. It never changes the journal.
"""

from __future__ import annotations

_COLUMNS = """(
    id        TEXT PRIMARY KEY,
    object    TEXT NOT NULL,
    revision  INTEGER NOT NULL,
    mobile_id TEXT,
    tag       INTEGER NOT NULL,
    doc       TEXT NOT NULL
)"""

DATA_TABLES = (
    f"CREATE TABLE IF NOT EXISTS record {_COLUMNS}",
    # Downloaded rows that are not yet applied. The columns match, so that a full download can replace the
    # record table. `gone` has the records to remove.
    f"CREATE TABLE IF NOT EXISTS stage {_COLUMNS}",
    "CREATE TABLE IF NOT EXISTS gone (id TEXT PRIMARY KEY, object TEXT NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
)
DATA_INDEXES = (
    "CREATE INDEX IF NOT EXISTS record_object ON record (object, tag)",
    "CREATE INDEX IF NOT EXISTS record_mobile ON record (mobile_id) WHERE mobile_id IS NOT NULL",
)
DATA_SCHEMA = ";\n".join((*DATA_TABLES, *DATA_INDEXES))

JOURNAL_SCHEMA = """
-- Edits that Vault has not yet answered, in the order of the edits.
CREATE TABLE IF NOT EXISTS outbox (
    n             INTEGER PRIMARY KEY,
    key           TEXT NOT NULL,      -- of the transaction; random, made when the user saved
    object        TEXT NOT NULL,
    record_id     TEXT NOT NULL,
    operation     TEXT NOT NULL,
    base_revision INTEGER,
    fields        TEXT NOT NULL,
    was           TEXT NOT NULL,      -- previous values of the changed fields
    edited_at     REAL NOT NULL,
    acked_seq     INTEGER             -- applied in Vault; shown until a download has passed this sequence
);
CREATE INDEX IF NOT EXISTS outbox_record ON outbox (record_id);
CREATE INDEX IF NOT EXISTS outbox_key ON outbox (key);
CREATE TABLE IF NOT EXISTS failure (
    key       TEXT PRIMARY KEY,       -- of the outbox transaction
    object    TEXT NOT NULL,
    record_id TEXT NOT NULL,
    operation TEXT NOT NULL,
    type      TEXT NOT NULL,
    message   TEXT NOT NULL,
    field     TEXT,
    opened_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS known_id (mobile_id TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tracking (
    mobile_id TEXT PRIMARY KEY,
    doc       TEXT NOT NULL,
    sent      INTEGER NOT NULL DEFAULT 0,
    open      INTEGER NOT NULL DEFAULT 1
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
