"""Reduce JSON in a message to what decides: the messages and codes inside, without the other values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from analysis.grouping.vocabulary import is_telling_key

MAX_DEPTH = 8
_START = re.compile(r"""\{\s*["']|\[\s*\{|\{\\"|\{\s*\}""")
_PAIR = re.compile(
    r"""["'](?P<key>[\w.$@ -]{1,60})["']\s*:\s*"""
    r"""(?:"(?P<double>(?:[^"\\]|\\.)*)"?|'(?P<single>(?:[^'\\]|\\.)*)'?|(?P<bare>[\w.+-]+))"""
)
_DECODER = json.JSONDecoder()
Words = tuple[str, ...]


def split_json(text: str) -> tuple[str, list[tuple[str, str]], str] | None:
    """Return the text before a JSON body, the pairs of keys and values that decide, and the text after it.

    A body that is cut off or no strict JSON is read pair by pair. Returns None if the text has no body.
    """
    match = _START.search(text)
    if match is None:
        return None
    body, end = text[match.start() :], len(text)
    try:
        value, length = _DECODER.raw_decode(body)
    except (ValueError, RecursionError):
        pairs = list(_read_pairs(body))
    else:
        pairs, end = list(_walk(value, "", 0)), match.start() + length
    if not pairs:
        return None
    telling = [(key, value) for key, value in pairs if is_telling_key(key, in_json=True)]
    return text[: match.start()], telling or [(key, "") for key, _ in pairs], text[end:]


def combine_json(
    before: Words, pairs: list[tuple[str, str]], after: Words, scan: Callable[[str], Words]
) -> Words:
    """Return the words of a message with a body: each distinct pair once, in alphabetical order."""
    items = {
        (key, *scan(f"code: {value}")[2:]) if _is_number(value) else (key, *scan(value))
        for key, value in pairs
    }
    inner: list[str] = []
    for item in sorted(items):
        inner += [*item, ";"]
    return (*before, "{", *inner[:-1], "}", *after)


def _is_number(value: str) -> bool:
    return value.lstrip("-").isdecimal()


def _walk(value: object, key: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > MAX_DEPTH:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _walk(inner, str(name), depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner, key, depth + 1)
    elif isinstance(value, str) and value[:1] in ("{", "[") and depth < MAX_DEPTH:
        inner_body = split_json(value)
        if inner_body is None:
            yield key, value
        else:
            yield from inner_body[1]
    elif value is not None:
        yield key, value if isinstance(value, str) else json.dumps(value)


def _read_pairs(body: str) -> Iterator[tuple[str, str]]:
    for match in _PAIR.finditer(body.replace('\\"', '"') if body.startswith('{\\"') else body):
        yield match["key"], match["double"] or match["single"] or match["bare"] or ""
