"""The items of a message: its tokens with their places, changed step by step until they are its words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from analysis.grouping.tokens import NUMBER, TIME, VALUE

VARIABLE = "<*>"
CODE = "<code>"
Words = tuple[str, ...]
CodeKind = Literal["certain", "counted", "response", "status"]
VALUES = frozenset((NUMBER, TIME, VALUE, VARIABLE))


@dataclass(slots=True)
class Item:
    """A token, or several joined to one value, and the token where it begins."""

    text: str
    chunk: int = -1
    token: int = -1
    starts: bool = False  # follows a space
    kind: CodeKind = "certain"

    @property
    def is_value(self) -> bool:
        return self.text in VALUES
