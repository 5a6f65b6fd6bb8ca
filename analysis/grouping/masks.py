"""From a message to what does not vary in it. What varies is data: `masks.toml`, general patterns in order."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

MOST_CHARACTERS = 2000
VERSION: str = tomllib.loads(files("analysis").joinpath("grouping", "masks.toml").read_text("utf-8"))[
    "version"
]
_ANY_DIGIT = str.maketrans("123456789", "000000000")


@cache
def patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Give the masks in the order in which they are applied: pattern and what stands in its place."""
    text = files("analysis").joinpath("grouping", "masks.toml").read_text("utf-8")
    return tuple(
        (re.compile(mask["pattern"], re.IGNORECASE if mask.get("any_case", True) else 0), mask["as"])
        for mask in tomllib.loads(text)["mask"]
    )


def mask(message: str) -> str:
    """Replace what varies by the names of what it is, and runs of one kind by a single one."""
    text = " ".join(message[:MOST_CHARACTERS].split())
    for pattern, stand_in in patterns():
        text = pattern.sub(stand_in, text)
    return text


def mask_all(messages: Iterable[str]) -> dict[str, str]:
    """Mask each distinct message; those that differ in nothing but digits are looked at once."""
    known: dict[str, str] = {}
    masked: dict[str, str] = {}
    for message in messages:
        if message not in masked:
            digits_alike = message.translate(_ANY_DIGIT)
            if digits_alike not in known:
                known[digits_alike] = mask(digits_alike)
            masked[message] = known[digits_alike]
    return masked
