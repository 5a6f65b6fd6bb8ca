"""Make the pseudonyms of a store with the key beside it."""

from __future__ import annotations

from pathlib import Path

import ingest


def store_pseudonymizer(store: Path) -> ingest.Pseudonymizer:
    """Return the pseudonymizer of the store at a path; its key is created if there is none.

    Raises IngestError if the key file cannot be used.
    """
    path = store.with_suffix(ingest.KEY_SUFFIX)
    try:
        return ingest.Pseudonymizer(ingest.read_or_create_key(path))
    except (OSError, ValueError) as error:
        raise ingest.KeyUnusable(str(path), str(error)) from error
