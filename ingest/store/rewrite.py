"""Write a store's file again, so that no block of it has values that were replaced."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from duckdb import DuckDBPyConnection

from ingest.errors import KeyUnusable
from ingest.protection.protection import Protection
from ingest.protection.stored import StoredSecrets, replace_stored_secrets
from ingest.store.open import open_store
from ingest.store.transaction import transaction


def remove_stored_secrets(path: Path | str) -> list[StoredSecrets]:
    """Replace the secrets in a store by fingerprints, write its file again, and return what was replaced.

    The store is locked meanwhile, and needs its size again in free space. If the process ends in between, the
    store is either the old one or the new one.
    """
    path = Path(path)
    with open_store(path, read_only=False) as store:
        with transaction(store):
            replaced = replace_stored_secrets(store, Protection(store, on_key_error=KeyUnusable))
        if replaced:
            _rewrite(store, path)
    return replaced


def _rewrite(store: DuckDBPyConnection, path: Path) -> None:
    fresh = path.with_name(f".{path.name}.new-{os.getpid()}")
    fresh.unlink(missing_ok=True)
    store.execute("CHECKPOINT")
    try:
        store.execute(f"ATTACH '{_quoted(fresh)}' AS fresh_store")
        (name,) = store.execute("SELECT current_database()").fetchall()[0]
        store.execute(f'COPY FROM DATABASE "{name}" TO fresh_store')
        store.execute("DETACH fresh_store")
        shutil.copymode(path, fresh)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
