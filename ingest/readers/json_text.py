"""Parse text that is JSON, or almost JSON, into documents.

Almost JSON has comments, trailing commas, several documents after one another, or is a list as Python prints it.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any

LARGEST_PRINTED = 8 << 20
"""Largest text, in characters, that is read as printed by Python: the parser needs 100 times its memory."""
MOST_DOCUMENTS = 1_000_000

_STRING = r'"(?:[^"\\]|\\.)*"'
_COMMENT = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?\*/|(?m:^\s*#[^\n]*)", re.DOTALL)
_TRAILING_COMMA = re.compile(rf"({_STRING})|,(\s*[}}\]])", re.DOTALL)
_PYTHON_WORDS = re.compile(r"\b(?:True|False|None)\b|'")
_ORDERED = re.compile(r"\bOrderedDict\((?=\[)")
_BETWEEN = re.compile(r"[\s,;\x1e\ufeff]*")


class NotJson(ValueError):
    """The text is not JSON; the message states where it stops being JSON."""


def parse_documents(text: str) -> list[Any]:
    """Return the documents in a text: usually one. Raises NotJson."""
    text = text.lstrip("\ufeff")
    try:
        return [json.loads(text)]
    except RecursionError:
        raise NotJson("it is nested too deeply") from None
    except ValueError as error:
        reason = _describe(error)
    for candidate in (text, strip_comments(text)):
        if documents := _split_documents(candidate):
            return documents
    printed = _parse_printed(text)
    if printed is None:
        raise NotJson(reason)
    return [printed]


def looks_printed_by_python(text: str) -> bool:
    """Return whether a text has the quotes or words of a list or dictionary that Python printed."""
    return text.lstrip()[:1] in ("[", "{") and _PYTHON_WORDS.search(text[:4000]) is not None


def _describe(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} in line {error.lineno}, column {error.colno}"
    return str(error)


def begins_with_comment(text: str) -> bool:
    """Return whether a text begins with a comment and JSON follows it."""
    return text.startswith(("//", "/*")) and strip_comments(text).lstrip()[:1] in ("{", "[")


def strip_comments(text: str) -> str:
    """Return JSON without comments and trailing commas."""
    without = _COMMENT.sub(lambda match: match[0] if match[0].startswith('"') else " ", text)
    return _TRAILING_COMMA.sub(lambda match: match[1] or match[2], without)


def _split_documents(text: str) -> list[Any]:
    """Return the documents that follow each other in a text; none if a part is not JSON."""
    decoder, position = json.JSONDecoder(), 0
    documents: list[Any] = []
    try:
        while (position := _after_gap(text, position)) < len(text):
            if len(documents) >= MOST_DOCUMENTS or (documents and text[position] not in "{["):
                return []
            document, position = decoder.raw_decode(text, position)
            documents.append(document)
    except (ValueError, RecursionError):
        return []
    return documents


def _after_gap(text: str, position: int) -> int:
    match = _BETWEEN.match(text, position)
    return match.end() if match else position


def _parse_printed(text: str) -> Any | None:  # noqa: ANN401 - any JSON
    if len(text) > LARGEST_PRINTED or not looks_printed_by_python(text):
        return None
    try:
        value = ast.literal_eval(_ORDERED.sub("(", text.strip()))
        return json.loads(json.dumps(_as_json(value)))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _as_json(value: Any) -> Any:  # noqa: ANN401 - any value of Python
    # OrderedDict prints as a list of pairs.
    if isinstance(value, tuple | list):
        pairs = value and all(
            isinstance(each, tuple) and len(each) == 2 and isinstance(each[0], str) for each in value
        )
        return {key: _as_json(each) for key, each in value} if pairs else [_as_json(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _as_json(each) for key, each in value.items()}
    return value if isinstance(value, str | int | float | bool | None) else str(value)
