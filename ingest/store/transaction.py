"""Run a block in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from duckdb import DuckDBPyConnection


@contextmanager
def transaction(store: DuckDBPyConnection) -> Iterator[None]:
    """Run a block in a transaction: commit at its end, roll back if it raises."""
    store.begin()
    try:
        yield
    except BaseException:
        store.rollback()
        raise
    store.commit()
