"""Read structured error bodies: JSON, XML and SOAP bodies have the actual error deep inside."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

_MOST_DEPTH = 12
_MOST_DETAILS = 20
_STARTS = 3
"""How many opening brackets are tried as the start of a JSON body."""

_WORDS_OF_KEYS = re.compile(
    r"message|msg|text|detail|description|reason|title|error|fault|cause|code|type|value|exception|explanation|hint",
    re.IGNORECASE,
)
_RESULT_KEYS = frozenset({"passed", "ok", "success", "valid", "isvalid", "succeeded"})
_PASSED = frozenset({"true", "passed", "pass", "ok", "success", "succeeded", "valid"})
_XML_TEXT = re.compile(
    r"<(?:\w+:)?(\w*(?:message|string|text|reason|description|detail|code|title)\w*)\b[^>]*>([^<>]{2,500})</",
    re.IGNORECASE,
)
_PAIR = re.compile(r'"(\w+)"\s*:\s*"((?:[^"\\]|\\.){2,500})"')


def find_details(message: str) -> list[str]:
    """Return the texts of a structured body, the most specific first; a message without a body has none.

    Texts of one object belong together, as its code and its sentence. Checks that passed are left out.
    """
    bodies = list(_json_bodies(message))
    if bodies:
        details = [pair for body in bodies for pair in _walk(body, 0)]
        details.sort(key=lambda pair: -pair[0])
        texts = [text for _, text in details]
    elif "{" in message and (pairs := _PAIR.findall(message)):  # a body that was cut off
        texts = [text for key, text in reversed(pairs) if _WORDS_OF_KEYS.search(key)]
    else:
        texts = [text for _, text in reversed(_XML_TEXT.findall(message))] if "</" in message else []
    return list(dict.fromkeys(text.strip() for text in texts if text.strip()))[:_MOST_DETAILS]


def _json_bodies(message: str) -> Iterator[object]:
    decoder = json.JSONDecoder()
    at = 0
    for _ in range(_STARTS):
        start = min(
            (place for place in (message.find("{", at), message.find("[{", at)) if place >= 0), default=-1
        )
        if start < 0:
            return
        try:
            body, at = decoder.raw_decode(message, start)
        except (ValueError, RecursionError):
            at = start + 1
            continue
        if isinstance(body, dict | list):
            yield body


def _walk(node: object, depth: int) -> Iterator[tuple[int, str]]:
    """Yield the text of each object with its depth; objects inside text are read too."""
    if depth > _MOST_DEPTH:
        return
    if isinstance(node, list):
        for child in node:
            yield from _walk(child, depth + 1)
    elif isinstance(node, str):
        if node.lstrip().startswith(("{", "[{")):
            for body in _json_bodies(node):
                yield from _walk(body, depth + 1)
        elif depth:
            yield depth, node
    elif isinstance(node, dict) and not _has_passed(node):
        texts = [
            value for key, value in node.items() if isinstance(value, str) and _WORDS_OF_KEYS.search(key)
        ]
        plain = [text for text in texts if not text.lstrip().startswith("{")]
        if plain:
            yield depth, ". ".join(plain)
        for value in node.values():
            if isinstance(value, dict | list) or (isinstance(value, str) and value.lstrip().startswith("{")):
                yield from _walk(value, depth + 1)


def _has_passed(node: Mapping[str, object]) -> bool:
    results = [value for key, value in node.items() if key.lower() in _RESULT_KEYS]
    status = node.get("status", node.get("result", node.get("outcome")))
    if results:
        return all(str(result).lower() in _PASSED for result in results)
    return isinstance(status, str) and status.lower() in _PASSED
