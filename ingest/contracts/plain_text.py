"""SQL that reduces the text of a cell to plain letters, digits and signs, and expresses steps over a relation."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ingest.contracts.words import EMPTY

_DIGIT_ZEROS = "\u0660\u06f0\u0966\u09e6\u0e50\uff10"
_SIGNS = {
    "：": ":", "／": "/", "－": "-", "−": "-", "‐": "-", "‑": "-", "．": ".", "，": ",", "、": ",", "،": ",",
    "٫": ".", "٬": "'", "’": "'", "ʼ": "'", "＇": "'", "％": "%", "（": "(", "）": ")",
}  # fmt: skip
_SPACES = "\t\n\v\f\r\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_INVISIBLE_CODES = (
    *range(0x01, 0x09), *range(0x0E, 0x20), *range(0x7F, 0x85), *range(0x86, 0xA0), 0xAD, 0x61C, 0x180E,
    *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF,
)  # fmt: skip
INVISIBLE = "".join(map(chr, _INVISIBLE_CODES))
"""Characters without a shape: control characters, marks of direction, joiners."""


def sql_text(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def plain_text_sql(text: str) -> str:
    """Return SQL for a text in lower case, with ASCII digits and signs, and without invisible signs."""
    zeros = ((chr(ord(zero) + digit), str(digit)) for zero in _DIGIT_ZEROS for digit in range(10))
    pairs = (*zeros, *_SIGNS.items(), *((space, " ") for space in _SPACES))
    characters, replacements = "".join(old for old, _ in pairs), "".join(new for _, new in pairs)
    lower = f"lower(nfc_normalize({text}))"
    translated = f"translate({lower}, {sql_text(characters + INVISIBLE)}, {sql_text(replacements)})"
    return f"trim(regexp_replace({translated}, ' +', ' ', 'g'))"


def without_invisible_sql(text: str) -> str:
    """Return SQL for a text without invisible signs and outer spaces; every space inside is a plain one."""
    return f"trim(translate({text}, {sql_text(_SPACES + INVISIBLE)}, {sql_text(' ' * len(_SPACES))}))"


def is_empty_sql(word: str) -> str:
    """Return SQL that tests whether a plain text counts as an empty cell."""
    return matches_sql(word, alternatives(EMPTY))


def matches_sql(word: str, pattern: str) -> str:
    """Return SQL that tests whether a pattern matches a whole text."""
    return f"regexp_full_match({word}, {sql_text(pattern)})"


def alternatives(words: Iterable[str]) -> str:
    """Return a pattern that matches any of some words, the longest first."""
    return "|".join(
        re.escape(word).replace("\\ ", " ") for word in sorted(words, key=lambda word: (-len(word), word))
    )


def rewrite(relation: str, *expressions: str) -> str:
    """Return a relation whose column `word` passes through each expression in turn."""
    for expression in expressions:
        relation = f"(SELECT * REPLACE ({expression} AS word) FROM {relation})"
    return relation


def extend(relation: str, **columns: str) -> str:
    """Return a relation with more columns."""
    added = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    return f"(SELECT *, {added} FROM {relation})"
