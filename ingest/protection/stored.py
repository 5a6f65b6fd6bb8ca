"""Find and replace secrets in a store that an older version wrote.

Version 0.1.0 replaced only the session ids of usage logs in ZIP files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa  # type: ignore[import-untyped]
from duckdb import DuckDBPyConnection

from ingest.protection.protection import Layout, Protection
from ingest.protection.staged import suspicion_sql

_REPLACED = "replaced_texts"
_OWN_TABLES = ("migration",)
_ROW_TIME = re.compile(r"\d{4}-\d\d-\d\dT")
_USAGE_LOG = ("timestamp", "session_id")
"""The first columns of Vault's usage log. Broken rows of it were kept as lists of cells, without names."""


@dataclass(frozen=True, slots=True)
class StoredSecrets:
    """How many different values with secrets a column of a table has."""

    table: str
    column: str
    count: int


def find_stored_secrets(store: DuckDBPyConnection) -> list[StoredSecrets]:
    """Count the values with secrets in each column of a store. The store is not changed."""
    protection = Protection(store, key=b"only counted")
    return [
        StoredSecrets(table, column, count)
        for table, column, is_list in _text_columns(store)
        if (count := len(_replacements(store, protection, table, column, is_list=is_list)))
    ]


def replace_stored_secrets(store: DuckDBPyConnection, protection: Protection) -> list[StoredSecrets]:
    """Replace the secrets in every column of a store by fingerprints, and return how many values changed.

    Runs in the transaction of the caller. The file has the old values in free blocks until it is written again.
    """
    changed = []
    for table, column, is_list in _text_columns(store):
        if replacements := _replacements(store, protection, table, column, is_list=is_list):
            kind = pa.list_(pa.string()) if is_list else pa.string()
            arrays = {
                "old": pa.array([old for old, _ in replacements], kind),
                "new": pa.array([new for _, new in replacements], kind),
            }
            store.register(_REPLACED, pa.table(arrays))
            store.execute(
                f'UPDATE {table} AS t SET "{column}" = r.new FROM {_REPLACED} AS r WHERE t."{column}" = r.old'
            )
            store.unregister(_REPLACED)
            changed.append(StoredSecrets(table, column, len(replacements)))
    return changed


def _text_columns(store: DuckDBPyConnection) -> Iterator[tuple[str, str, bool]]:
    columns = store.execute(
        "SELECT c.schema_name, c.table_name, c.column_name, c.data_type FROM duckdb_columns() AS c "
        "JOIN duckdb_tables() AS t USING (database_name, schema_name, table_name) "
        "WHERE c.database_name = current_database() AND NOT t.temporary "
        "AND c.data_type IN ('VARCHAR', 'VARCHAR[]') ORDER BY ALL"
    ).fetchall()
    for schema, table, column, type_ in columns:
        if table not in _OWN_TABLES:
            yield f"{schema}.{table}", column, type_.endswith("[]")


def _replacements(
    store: DuckDBPyConnection, protection: Protection, table: str, column: str, *, is_list: bool
) -> list[tuple[object, object]]:
    text = f'array_to_string("{column}", chr(10))' if is_list else f'"{column}"'
    may_be_broken_row = f" OR starts_with({text}, '[')" if column == "raw" else ""
    values = store.execute(
        f'SELECT DISTINCT "{column}" FROM {table} WHERE {suspicion_sql(text)}{may_be_broken_row}'
    ).fetchall()
    protected = [(value, _protect(protection, table, column, value)) for (value,) in values]
    return [(old, new) for old, new in protected if old != new]


def _protect(protection: Protection, table: str, column: str, value: str | list[str]) -> object:
    layout = Layout(table.partition(".")[2])
    if isinstance(value, list):
        return [protection.reason(each, layout, is_protected_row=False) for each in value]
    if column == "raw":
        return protection.raw_text(value, Layout(layout.table, _headings(value)))
    return protection.json_text(value, layout) if value.startswith("{") else protection.text(value)


def _headings(raw: str) -> tuple[str, ...]:
    """Return the headings of a broken row of a usage log, as far as they matter."""
    try:
        cells = json.loads(raw)
    except (ValueError, RecursionError):
        cells = raw.split(",")
    is_usage_log = (
        isinstance(cells, list) and len(cells) > 1 and _ROW_TIME.match(str(cells[0]).strip('"')) is not None
    )
    return _USAGE_LOG if is_usage_log else ()
