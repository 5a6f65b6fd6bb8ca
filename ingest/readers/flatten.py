"""Turn a nested JSON object into one row of text cells with dotted headings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.readers.rows import cell_text, replace_surrogates

DEEPEST = 12
"""Levels of nesting that become headings; what is below stays JSON text."""
MOST_CELLS = 2_000
"""Cells of one row; an object with more is not flattened."""
JSON_COLUMNS = frozenset({"payload"})
"""Names whose value is kept as JSON text, because a column of that name expects it."""


def flatten(record: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the cells of an object: nested members as `parent.member`, lists of texts joined by commas.

    A subquery of Vault (`{"responseDetails": …, "data": [{…}]}`) and a list with one object are read as that
    object. Lists of several objects stay JSON text.
    """
    if not any(isinstance(value, dict | list) for value in record.values()):
        return _plain_cells(record)
    flat: dict[str, str | None] = {}
    for name, value in _members(record, "", 0):
        if len(flat) >= MOST_CELLS:
            return _plain_cells(record)
        flat[_unused(flat, replace_surrogates(name))] = cell_text(value)
    return flat


def _plain_cells(record: Mapping[str, Any]) -> dict[str, str | None]:
    cells = {name: cell_text(value) for name, value in record.items()}
    if all(map(str.isascii, cells)):
        return cells
    return {replace_surrogates(name): cell for name, cell in cells.items()}


def _members(record: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        heading = f"{prefix}{name}"
        inner = only_object(value)
        if inner is None or depth >= DEEPEST or name.casefold() in JSON_COLUMNS:
            yield heading, value
        elif not inner:
            yield heading, None
        else:
            yield from _members(inner, f"{heading}.", depth + 1)


def only_object(value: object) -> Mapping[str, Any] | None:
    """Return the one object that a value is or contains; None for scalars and lists of several values."""
    if isinstance(value, dict):
        rows = value.get("data")
        if "responseDetails" in value and isinstance(rows, list):
            return only_object(rows) if rows else {}
        return value
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        return value[0]
    return None


def _unused(cells: Mapping[str, object], name: str) -> str:
    if name not in cells:
        return name
    number = next(number for number in range(2, len(cells) + 3) if f"{name} ({number})" not in cells)
    return f"{name} ({number})"
