"""Bring an id that a user passes to the spelling in the store."""

from __future__ import annotations

from duckdb import DuckDBPyConnection


def canonical_id(store: DuckDBPyConnection, text: str) -> str:
    """Return an id as the store spells it: without outer blanks, and with 15 characters if it is Salesforce's."""
    (canonical,) = store.execute("SELECT canonical_id(strip_id($text))", {"text": text}).fetchone() or (text,)
    return str(canonical)
