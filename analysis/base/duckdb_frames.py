"""Lending a frame to SQL for as long as a block runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
from duckdb import DuckDBPyConnection


@contextmanager
def lent(connection: DuckDBPyConnection, name: str, frame: pd.DataFrame) -> Iterator[None]:
    """Let SQL on `connection` read `frame` as the table `name` until the block ends.

    An answer that somebody has read only in part is given up first: DuckDB 2.0 takes no frame beside one.
    """
    connection.execute("SELECT 1").fetchall()
    connection.register(name, frame)
    try:
        yield
    finally:
        connection.unregister(name)
