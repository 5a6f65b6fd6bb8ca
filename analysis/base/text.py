"""Short texts that the command line, the pages and the fixes share."""

from __future__ import annotations

import json
from ast import literal_eval
from collections.abc import Iterable
from contextlib import suppress
from difflib import get_close_matches


def capitalize_first(text: str) -> str:
    """Return a text that begins with a capital; `str.capitalize` would also turn "UTC" into "utc"."""
    return text[:1].upper() + text[1:]


def pluralize(count: int, noun: str) -> str:
    """Return a number with its noun: `1 record`, `1,204 records`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def did_you_mean(name: str, valid_names: Iterable[str]) -> str:
    """Return `Did you mean platform? ` if a valid name is similar to `name`, else an empty text."""
    by_fold = {valid.casefold(): valid for valid in valid_names}
    similar = get_close_matches(name.casefold(), by_fold, n=1, cutoff=0.5)
    return f"Did you mean {by_fold[similar[0]]}? " if similar else ""


def format_p_value(p_value: float) -> str:
    """Format a p-value: `p = 0.038`, or `p < 0.001` if it is smaller than three digits can show."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def format_change(before: object, after: object) -> str:
    """Format the old and the new value of a setting; of a setting with many parts, only changed parts."""
    old, new = _parts(before), _parts(after)
    if old is None or new is None:
        return " → ".join(str(value) for value in (before, after) if isinstance(value, str) and value)
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return ", ".join(f"{name}: {old.get(name, '–')} → {new.get(name, '–')}" for name in names)


def _parts(value: object) -> dict[str, object] | None:
    for parse in (json.loads, literal_eval):
        with suppress(ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            parts = parse(str(value))
            if isinstance(parts, dict):
                return parts
    return None
