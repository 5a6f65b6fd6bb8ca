"""Format values from devices and exports for use in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten

MAX_LISTED = 3
_MAX_LENGTH = 80


def format_value(value: object) -> str:
    """Shorten a value to 80 characters on one line."""
    return shorten(" ".join(str(value).split()), _MAX_LENGTH, placeholder=" …") or "(blank)"


def format_list(values: Sequence[object], *, limit: int = MAX_LISTED, total: int | None = None) -> str:
    """Join the first values: `a`, `a and b`, `a, b, c and 3 more`. `total` is the number of all values."""
    total = len(values) if total is None else total
    parts = [format_value(value) for value in values[:limit]]
    if total > len(parts):
        parts.append(f"{total - len(parts):,} more")
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
