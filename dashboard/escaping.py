"""Text from devices is text: ways to show and to export it without running it."""

from __future__ import annotations

import re
import string

_MARKUP = re.compile(f"([{re.escape(string.punctuation)}])")
# What GitHub's Markdown links by itself: https://…, www.…, and name@host.
_ADDRESS = re.compile(r"(?<=http)(?=:)|(?<=https)(?=:)|(?<=www)(?=\.)|(?=@)", re.IGNORECASE)
WORD_JOINER = "\u2060"


def escape(text: object, max_length: int = 200) -> str:
    """Make text safe for places where Streamlit reads Markdown: one line, every sign of markup escaped.

    Bare addresses would become links however they are escaped, so an invisible word joiner parts them.
    """
    line = " ".join(str(text).split())
    line = line if len(line) <= max_length else f"{line[: max_length - 1]}…"
    return _MARKUP.sub(r"\\\1", _ADDRESS.sub(WORD_JOINER, line))
