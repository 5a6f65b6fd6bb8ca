"""Titles of issues: the error type, and the words that the messages of an issue share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

_MAX_LENGTH = 160


def issue_title(error_type: object, *messages: object) -> str:
    """Return the error type and the words that all messages share, with `…` for the words that differ.

    The last message decides the number of words; messages with another number of words are ignored. Values that
    are not text, such as the missing values of a frame, are ignored too.
    """
    texts = [str(text) for text in messages if isinstance(text, str) and text]
    shared = _shared_words(texts)
    prefix = error_type if isinstance(error_type, str) and error_type not in shared else ""
    title = ": ".join(filter(None, [prefix, shared])) or "error without code and message"
    return title if len(title) <= _MAX_LENGTH else title[: _MAX_LENGTH - 1] + "…"


def _shared_words(texts: Sequence[str]) -> str:
    split = [text.split() for text in texts]
    usual = split[-1] if split else []
    alike = [words for words in split if len(words) == len(usual)]
    return " ".join(
        words[0] if len(set(words)) == 1 else _shared_ends(words) for words in zip_longest(*alike)
    )


def _shared_ends(words: Sequence[str]) -> str:
    """Keep the punctuation that differing words share at both ends: `[V5R1]` and `[V5R2]` become `[…]`."""
    first = words[0]
    head = 1 if all(word[:1] == first[:1] for word in words) and not first[:1].isalnum() else 0
    tail = 0
    while (
        tail < len(first) - head
        and not first[len(first) - 1 - tail].isalnum()
        and all(word.endswith(first[len(first) - 1 - tail :]) for word in words)
    ):
        tail += 1
    return f"{first[:head]}…{first[len(first) - tail :]}"
