"""Escape text from devices, so that pages do not interpret it as Markdown."""

from __future__ import annotations

import re
import string

_MARKUP = re.compile(f"([{re.escape(string.punctuation)}])")
# What GitHub's Markdown links automatically: https://…, www.…, and name@host.
_ADDRESS = re.compile(r"(?<=http)(?=:)|(?<=https)(?=:)|(?<=www)(?=\.)|(?=@)", re.IGNORECASE)
WORD_JOINER = "\u2060"


def escape(text: object, max_length: int = 200) -> str:
    """Return text as one line with all Markdown escaped.

    Bare addresses become links even if escaped, so an invisible word joiner splits them.
    """
    line = " ".join(str(text).split())
    line = line if len(line) <= max_length else f"{line[: max_length - 1]}…"
    return _MARKUP.sub(r"\\\1", _ADDRESS.sub(WORD_JOINER, line))
