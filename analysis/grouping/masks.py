"""From a message to what does not vary in it. What varies is data: general patterns in `masks.toml`."""

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
_ANY_DIGIT_BYTE = bytes.maketrans(b"123456789", b"000000000")
_BETWEEN = "\x1e"


def fold(message: str) -> str:
    """Replace what varies by the name of what it is. Digits are alike, so equal shapes give equal texts."""
    return _fold(message.translate(_ANY_DIGIT))


def fold_all(messages: Iterable[str]) -> dict[str, str]:
    """Fold each distinct message; those that differ in nothing but digits are looked at once."""
    distinct = list(dict.fromkeys(messages))
    shapes = _shapes(distinct)
    folded = {shape: _fold(shape) for shape in set(shapes)}
    return {message: folded[shape] for message, shape in zip(distinct, shapes, strict=True)}


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


def _shapes(messages: list[str]) -> list[str]:
    # One call on all bytes is ten times faster than one call on each text.
    joined = _BETWEEN.join(messages).encode("utf-8", "surrogatepass").translate(_ANY_DIGIT_BYTE)
    shapes = joined.decode("utf-8", "surrogatepass").split(_BETWEEN)
    if len(shapes) == len(messages):
        return shapes
    return [message.translate(_ANY_DIGIT) for message in messages]


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
