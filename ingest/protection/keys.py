"""Keep the key of fingerprints and pseudonyms in a file beside the store.

The key is not in the store: whoever gets only the store cannot try out which short password or which name makes a
fingerprint.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from duckdb import DuckDBPyConnection

KEY_SUFFIX = ".key"
_KEY_BYTES = 32


def read_or_create_key(path: Path) -> bytes:
    """Read the key from a file, or create the file, readable by its owner only, with a new key.

    Raises OSError, and ValueError if the file has no key in it.
    """
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(_KEY_BYTES), encoding="ascii")
    key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    if not key:
        raise ValueError("the file is empty")
    return key


def key_path(store: DuckDBPyConnection) -> Path | None:
    """Return the path of a store's key; None if the store is in memory."""
    rows = store.execute(
        "SELECT path FROM duckdb_databases() WHERE database_name = current_database()"
    ).fetchall()
    return Path(rows[0][0]).with_suffix(KEY_SUFFIX) if rows and rows[0][0] else None


def store_key(store: DuckDBPyConnection) -> bytes:
    """Return the key of a store, and create it if there is none; a store in memory keeps it in its connection.

    Raises OSError or ValueError as `read_or_create_key` does.
    """
    if path := key_path(store):
        return read_or_create_key(path)
    store.execute("CREATE TEMP TABLE IF NOT EXISTS protection_key (key VARCHAR)")
    if not (rows := store.execute("SELECT key FROM protection_key").fetchall()):
        rows = [(secrets.token_hex(_KEY_BYTES),)]
        store.execute("INSERT INTO protection_key VALUES (?)", rows[0])
    return bytes.fromhex(rows[0][0])
