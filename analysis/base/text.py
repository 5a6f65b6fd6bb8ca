"""Small pieces of plain English that the command line, the pages and the fixes share."""

from __future__ import annotations

import json
from ast import literal_eval
from collections.abc import Iterable
from contextlib import suppress
from difflib import get_close_matches


def pluralize(count: int, noun: str) -> str:
    """A number with its noun: `1 record`, `1,204 records`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """`Did you mean platform? ` where a known name is near to the given one, else nothing."""
    by_fold = {name.casefold(): name for name in known}
    near = get_close_matches(given.casefold(), by_fold, n=1, cutoff=0.5)
    return f"Did you mean {by_fold[near[0]]}? " if near else ""


def format_p_value(p_value: float) -> str:
    """A p value as people write it: `p = 0.038`, and `p < 0.001` for what three digits cannot show."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def format_change(before: object, after: object) -> str:
    """What a change turned into what; of two settings with many parts only the parts that differ."""
    old, new = _parts(before), _parts(after)
    if old is None or new is None:
        return " → ".join(str(value) for value in (before, after) if isinstance(value, str) and value)
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return ", ".join(f"{name}: {old.get(name, '–')} → {new.get(name, '–')}" for name in names)


def _parts(value: object) -> dict[str, object] | None:
    for read in (json.loads, literal_eval):
        with suppress(ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            found = read(str(value))
            if isinstance(found, dict):
                return found
    return None
