"""Protect staged rows, through which every value passes on its way into the store.

Most texts have nothing to protect. DuckDB finds the rows that may have, with one pattern, and only those are read by
Python.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
from duckdb import DuckDBPyConnection

from ingest.protection.protection import Layout, Protection
from ingest.protection.secrets import hint_pattern

_Row = dict[str, Any]

_CANDIDATES = "rows_to_protect"
_PROTECTED = "protected_rows"
_NOT_CELLS = ("rowid", "reasons", "extra", "raw")
_CHUNK_ROWS = 20_000
_SHORT = 20
"""Bytes from which a text may have a secret without `=` or `:` in it."""


def protect_staged(store: DuckDBPyConnection, staged: str, protection: Protection, layout: Layout) -> int:
    """Protect all rows of a staging table in place, and return how many changed."""
    texts = _text_columns(store, staged)
    if not find_rows_to_protect(store, staged, protection, layout):
        return 0
    if protection.pseudonymizer:
        for rows in _chunks(store, staged, texts):
            for row in rows:
                _learn_names(row, protection, layout)
    changed = 0
    for rows in _chunks(store, staged, texts):
        updates = [
            (row, protected) for row in rows if (protected := _protected(row, protection, layout)) != row
        ]
        if updates:
            _update(store, staged, texts, [protected for _, protected in updates])
        changed += len(updates)
    store.execute(f"DROP TABLE {_CANDIDATES}")
    return changed


def find_rows_to_protect(
    store: DuckDBPyConnection, staged: str, protection: Protection, layout: Layout
) -> int:
    """List the rows that may have something to protect in a temporary table, and return their number."""
    condition = "true" if protection.pseudonymizer else _suspicion(_text_columns(store, staged), layout)
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE {_CANDIDATES} AS SELECT rowid AS place FROM {staged} WHERE {condition}"
    )
    (count,) = store.execute(f"SELECT count(*) FROM {_CANDIDATES}").fetchone() or (0,)
    if not count:
        store.execute(f"DROP TABLE {_CANDIDATES}")
    return int(count)


def suspicion_sql(text: str) -> str:
    """Return SQL for whether a text may have a secret: a pattern, after cheaper tests."""
    return f"({_may_match(text)} AND {_matches(text)})"


def _may_match(text: str) -> str:
    return f"(strlen({text}) >= {_SHORT} OR contains({text}, '=') OR contains({text}, ':'))"


def _any_may_match(texts: list[str]) -> str:
    """Return SQL for whether any of some texts passes `_may_match`, with one search for each separator."""
    longest = ", ".join(f"strlen({text})" for text in texts)
    joined = f"concat({', '.join(texts)})"
    return f"(greatest({longest}) >= {_SHORT} OR contains({joined}, '=') OR contains({joined}, ':'))"


def _matches(text: str) -> str:
    pattern = hint_pattern().replace("'", "''")
    return f"regexp_matches({text}, '{pattern}')"


def _suspicion(texts: list[str], layout: Layout) -> str:
    columns = [f'"{name}"' for name in texts]
    # DuckDB compiles the pattern for each place where it occurs, which takes longer than the search in most columns.
    # It has no anchors, so it occurs in the joined texts if it occurs in one of them.
    searched = [f"CASE WHEN {_may_match(name)} THEN {name} END" for name in columns]
    # Only rejected rows have reasons and a raw text.
    searched.append("CASE WHEN raw IS NOT NULL THEN array_to_string(reasons, chr(10)) END")
    joined = f"concat_ws(chr(10), {', '.join(searched)})"
    tests = [f"CASE WHEN {_any_may_match(columns)} THEN {_matches(joined)} ELSE false END"]
    if secret_headings := layout.secret_headings():
        secret = [column for column, heading in layout.assigned.items() if heading in secret_headings]
        tests += [f'"{name}" IS NOT NULL' for name in secret if name in texts]
        # Names in scripts that the pattern does not know, and rows whose cells have no names.
        tests += [f'"{name}" IS NOT NULL' for name in ("extra", "raw") if name in texts]
    return " OR ".join(tests)


def _text_columns(store: DuckDBPyConnection, staged: str) -> list[str]:
    described = store.execute(f"DESCRIBE {staged}").fetchall()
    return [name for name, type_, *_ in described if type_ == "VARCHAR"]


def _chunks(store: DuckDBPyConnection, staged: str, texts: list[str]) -> Iterator[list[_Row]]:
    columns = ", ".join(f's."{name}"' for name in texts)
    last = -1
    while True:
        rows = store.execute(
            f"SELECT s.rowid, reasons, {columns} FROM {staged} AS s WHERE s.rowid IN (SELECT place "
            f"FROM {_CANDIDATES} WHERE place > $last ORDER BY place LIMIT {_CHUNK_ROWS}) ORDER BY s.rowid",
            {"last": last},
        ).fetchall()
        if not rows:
            return
        yield [dict(zip(("rowid", "reasons", *texts), row, strict=True)) for row in rows]
        last = rows[-1][0]


def _learn_names(row: _Row, protection: Protection, layout: Layout) -> None:
    cells = _cells(row)
    protection.learn_names({layout.assigned.get(name, name): cell for name, cell in cells.items()}, layout)
    for name in ("extra", "raw"):
        if members := _object(row.get(name)):
            protection.learn_names(members, layout)


def _protected(row: _Row, protection: Protection, layout: Layout) -> _Row:
    protected: _Row = {**row, **protection.protect_columns(_cells(row), layout)}
    if row.get("extra"):
        protected["extra"] = protection.json_text(row["extra"], layout)
    if row.get("raw"):
        protected["raw"] = protection.raw_text(row["raw"], layout)
    is_changed = protected != row
    if is_changed:
        for name, cell in _cells(protected).items():
            protected[name] = protection.key_of_changed_row(cell) if cell else cell
    protected["reasons"] = [
        protection.reason(each, layout, is_protected_row=is_changed) for each in row["reasons"]
    ]
    return protected


def _cells(row: _Row) -> dict[str, str | None]:
    return {name: cell for name, cell in row.items() if name not in _NOT_CELLS}


def _object(text: str | None) -> dict[str, Any]:
    if not text or not text.startswith("{"):
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _update(store: DuckDBPyConnection, staged: str, texts: list[str], rows: list[_Row]) -> None:
    arrays = {name: pa.array([row[name] for row in rows], pa.string()) for name in texts}
    arrays["place"] = pa.array([row["rowid"] for row in rows], pa.int64())
    arrays["reasons"] = pa.array([row["reasons"] for row in rows], pa.list_(pa.string()))
    store.register(_PROTECTED, pa.table(arrays))
    try:
        # A row that changes moves to the end of its table, so its number is kept first.
        assignments = ", ".join(f'"{name}" = p."{name}"' for name in (*texts, "reasons"))
        store.execute(
            f"UPDATE {staged} AS s SET row_number = coalesce(s.row_number, s.rowid + 1), {assignments} "
            f"FROM {_PROTECTED} AS p WHERE s.rowid = p.place"
        )
    finally:
        store.unregister(_PROTECTED)
