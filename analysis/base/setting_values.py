"""Read the old and new values of a configuration change, as audit trails and snapshots write them."""

from __future__ import annotations

import json
import re
from ast import literal_eval
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

WHOLE = ""
"""Name of the only part of a value that has no named parts."""
_PAIR = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*([^,;=]*?)\s*(?:[,;]|$)")
_TRUE, _FALSE = frozenset({"true", "yes", "1", "on"}), frozenset({"false", "no", "0", "off"})
_NOTHING = frozenset({"", "none", "null", "nothing"})


@dataclass(frozen=True, slots=True)
class PartChange:
    """One part of a value that differs; None for a part that is missing or empty."""

    name: str
    before: object
    after: object

    @property
    def is_switched_off(self) -> bool:
        """Return whether a flag changed from true (or from no value) to false."""
        return as_flag(self.after) is False and as_flag(self.before) is not False

    @property
    def is_switched_on(self) -> bool:
        """Return whether a flag changed from false (or from no value) to true."""
        return as_flag(self.after) is True and as_flag(self.before) is not True


def changed_parts(before: str | None, after: str | None) -> list[PartChange]:
    """Return the parts that differ between two values, in the order in which the values name them.

    A value is JSON, a Python literal, `name=value` pairs, or plain text with the single part WHOLE.
    """
    old, new = parse_value(before), parse_value(after)
    pairs = ((name, old.get(name), new.get(name)) for name in {**old, **new})
    return [PartChange(*pair) for pair in pairs if pair[1] != pair[2]]


def parse_value(value: str | None) -> dict[str, object]:
    """Return the parts of a value by name; empty if there is no value."""
    if value is None or value.strip().lower() in _NOTHING:
        return {}
    parts = _parse_mapping(value)
    if parts is None:
        pairs = _PAIR.findall(value)
        is_pairs = bool(pairs) and _PAIR.sub("", value).strip() == ""
        parts = dict(pairs) if is_pairs else {WHOLE: value.strip()}
    return {name: _plain(part) for name, part in parts.items() if _plain(part) is not None}


def as_flag(value: object) -> bool | None:
    """Return a value as true or false; None if it is neither."""
    text = str(value).strip().lower()
    if text in _TRUE:
        return True
    return False if text in _FALSE else None


def as_number(value: object) -> float | None:
    """Return a value as a number; None if it is none."""
    with suppress(ValueError):
        return float(str(value))
    return None


def as_list(value: object) -> list[str] | None:
    """Return the items of a list value as text; None if it is no list."""
    return [str(item) for item in value] if isinstance(value, list | tuple) else None


def _parse_mapping(value: str) -> Mapping[str, object] | None:
    for parse in (json.loads, literal_eval):
        with suppress(ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            parts = parse(value)
            if isinstance(parts, dict):
                return {str(name): part for name, part in parts.items()}
    return None


def _plain(value: object) -> object:
    return None if isinstance(value, str) and value.strip().lower() in _NOTHING else value
