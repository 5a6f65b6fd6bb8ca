"""Pass pandas frames to DuckDB, and turn frames into rows of plain values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from duckdb import DuckDBPyConnection

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def registered_frame(connection: DuckDBPyConnection, name: str, frame: pd.DataFrame) -> Iterator[None]:
    """Register `frame` as the table `name` on `connection` until the block ends.

    A result that was read only in part is dropped first: DuckDB 2.0 cannot register a frame while one is open.
    """
    connection.execute("SELECT 1").fetchall()
    connection.register(name, frame)
    try:
        yield
    finally:
        connection.unregister(name)


def to_plain_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Convert a frame to rows of plain values: None for missing values, ISO text for timestamps."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(k): v.isoformat() if hasattr(v, "isoformat") else v for k, v in row.items()} for row in rows]
