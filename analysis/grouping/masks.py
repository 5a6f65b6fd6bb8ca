"""Mask the variable parts of messages: each is replaced by `<*>`."""

from __future__ import annotations

from collections.abc import Iterable

from analysis.grouping.items import VARIABLE, Words
from analysis.grouping.scanner import MAX_CHARACTERS, scan_messages

__all__ = ["MAX_CHARACTERS", "VARIABLE", "Words", "mask_message", "mask_messages", "split_words"]


def mask_message(message: str) -> str:
    """Replace each variable part by `<*>`; the words are separated by one space."""
    return mask_messages([message])[message]


def mask_messages(messages: Iterable[str]) -> dict[str, str]:
    """Map each distinct message to its masked text."""
    texts: dict[Words, str] = {}
    masks = {}
    for message, words in scan_messages(messages).items():
        text = texts.get(words)
        if text is None:
            text = texts[words] = " ".join(words)
        masks[message] = text
    return masks


def split_words(text: str) -> Words:
    """Return the words of a masked message."""
    return tuple(text.split(" ")) if text else ()
