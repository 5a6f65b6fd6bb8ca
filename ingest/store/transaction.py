"""All or nothing: what a block writes is in the store when the block ends, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from duckdb import DuckDBPyConnection


@contextmanager
def transaction(store: DuckDBPyConnection) -> Iterator[None]:
    """Commit when the block ends well, roll back when it does not."""
    store.begin()
    try:
        yield
    except BaseException:
        store.rollback()
        raise
    store.commit()
