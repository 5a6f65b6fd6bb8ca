"""From a message to what does not vary in it. What varies is data: `masks.toml`, general patterns in order."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

MOST_CHARACTERS = 2000
Words = tuple[str, ...]

_DATA: dict[str, Any] = tomllib.loads(
    files("analysis").joinpath("grouping", "masks.toml").read_text(encoding="utf-8")
)
VERSION: str = _DATA["version"]
ROLES: frozenset[str] = frozenset(_DATA["roles"])
_STATE = re.compile("|".join(f"(?:{pattern})" for pattern in _DATA["states"]), re.IGNORECASE)
_MASKS = tuple(
    (re.compile(mask["pattern"], 0 if mask.get("case") else re.IGNORECASE), str(mask["name"]))
    for mask in _DATA["mask"]
)
_WORDS = re.compile(r"<[\w*]+>|[^\W_]+(?:[_$'-]+[^\W_]+)*_*|[^\w\s]|_+")
_ANY_DIGIT = str.maketrans("123456789", "000000000")


def fold(message: str) -> str:
    """Replace what varies by the name of what it is. Digits are alike, so equal shapes give equal texts."""
    return _fold(message.translate(_ANY_DIGIT))


def fold_all(messages: Iterable[str]) -> dict[str, str]:
    """Fold each distinct message; those that differ in nothing but digits are looked at once."""
    shapes: dict[str, str] = {}
    folded: dict[str, str] = {}
    for message in messages:
        if message not in folded:
            shape = message.translate(_ANY_DIGIT)
            text = shapes.get(shape)
            if text is None:
                text = shapes[shape] = _fold(shape)
            folded[message] = text
    return folded


def words_of(text: str) -> Words:
    """Cut a folded message into words, marks and masks; a run or a list of one mask counts once."""
    found: list[str] = []
    for word in _WORDS.findall(text):
        if len(word) > 1 and word.startswith("<") and _goes_on(found, word):
            continue
        found.append(word)
    return tuple(found)


def is_state(word: str) -> bool:
    """Tell whether the word may turn a meaning round, such as "started" and "paused"."""
    return _STATE.fullmatch(word) is not None


def _fold(shape: str) -> str:
    text = " ".join(shape[:MOST_CHARACTERS].split())
    for pattern, name in _MASKS:
        text = pattern.sub(name, text)
    return text


def _goes_on(found: list[str], mask: str) -> bool:
    if found and found[-1] == mask:
        return True
    if len(found) > 1 and found[-1] in ",;" and found[-2] == mask:
        found.pop()
        return True
    return False
