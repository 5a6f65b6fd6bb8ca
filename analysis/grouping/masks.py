"""Mask the variable parts of messages, by the general patterns in `masks.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

MAX_CHARACTERS = 2000
VARIABLE = "<*>"
Words = tuple[str, ...]

_DATA: dict[str, Any] = tomllib.loads(
    files("analysis.grouping").joinpath("masks.toml").read_text(encoding="utf-8")
)
VERSION: str = _DATA["version"]
ROLES: frozenset[str] = frozenset(_DATA["roles"])
_STATE_WORD = re.compile("|".join(f"(?:{pattern})" for pattern in _DATA["states"]), re.IGNORECASE)
_MASKS = tuple(
    (re.compile(mask["pattern"], 0 if mask.get("case") else re.IGNORECASE), str(mask["name"]))
    for mask in _DATA["mask"]
)
_WORDS = re.compile(r"<\w+>|[\w.$/-]+|[^\w\s]")
_EMPTY_PAIR = re.compile(r"\(\s*\)|\[\s*\]")
_ANY_DIGIT = str.maketrans("123456789", "000000000")
_ANY_DIGIT_BYTE = bytes.maketrans(b"123456789", b"000000000")
_SEPARATOR = "\x1e"


def mask_message(message: str) -> str:
    """Replace each variable part by the name of its kind, and each digit by 0."""
    return _mask(message.translate(_ANY_DIGIT))


def mask_messages(messages: Iterable[str]) -> dict[str, str]:
    """Map each distinct message to its masked text. Messages that differ only in digits are masked once."""
    distinct = list(dict.fromkeys(messages))
    without_digits = _replace_digits(distinct)
    masks = {text: _mask(text) for text in set(without_digits)}
    return {message: masks[text] for message, text in zip(distinct, without_digits, strict=True)}


def split_words(text: str) -> Words:
    """Split a masked message into words and punctuation; each run of variable parts becomes one `<*>`.

    Masks and words with a digit are variable, and so is the content of an empty pair of brackets.
    """
    words = []
    for word in _WORDS.findall(_EMPTY_PAIR.sub("(<nothing>)", text)):
        is_mask = len(word) > 2 and word[0] == "<" and word[-1] == ">"
        words.append(VARIABLE if is_mask or any(character.isdigit() for character in word) else word)
    return collapse_variables(words)


def collapse_variables(words: Iterable[str]) -> Words:
    """Return the words with each run of `<*>` reduced to one."""
    collapsed: list[str] = []
    for word in words:
        if word != VARIABLE or collapsed[-1:] != [VARIABLE]:
            collapsed.append(word)
    return tuple(collapsed)


def is_state_word(word: str) -> bool:
    """Return whether the word can change the meaning of a message, such as "started" and "paused"."""
    return _STATE_WORD.fullmatch(word) is not None


def _replace_digits(messages: list[str]) -> list[str]:
    # One call on all bytes is ten times faster than one call per text.
    joined = _SEPARATOR.join(messages).encode("utf-8", "surrogatepass").translate(_ANY_DIGIT_BYTE)
    texts = joined.decode("utf-8", "surrogatepass").split(_SEPARATOR)
    if len(texts) == len(messages):
        return texts
    return [message.translate(_ANY_DIGIT) for message in messages]


def _mask(text: str) -> str:
    masked = " ".join(text[:MAX_CHARACTERS].split())
    for pattern, name in _MASKS:
        masked = pattern.sub(name, masked)
    return masked
