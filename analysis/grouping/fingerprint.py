"""What an error says, without who, when and where it happened: the handle by which decisions hold on to it.

An issue's id follows its template, and a template widens as a store sees more wordings. The content of an
error does not: it is read from the error alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

import pandas as pd

from analysis.grouping.masks import MAX_CHARACTERS, mask_messages


class Content(NamedTuple):
    """The error type, object, operation, phase and message of an error; what is missing is empty.

    Two errors have the same content when these are equal once the messages are masked (`masked`).
    """

    error_type: str = ""
    object: str = ""
    operation: str = ""
    phase: str = ""
    message: str = ""


def extract_contents(events: pd.DataFrame) -> list[Content]:
    """The content of each row of `events`, with its message as it came, cut to what masking looks at.

    A column that is missing is taken as empty.
    """
    empty = pd.Series("", index=events.index)
    columns = [events.get(name, empty).fillna("").astype("str") for name in Content._fields[:-1]]
    messages = ["" if pd.isna(message) else str(message)[:MAX_CHARACTERS] for message in events["message"]]
    return [Content(*map(str, row)) for row in zip(*columns, messages, strict=True)]


def mask_contents(contents: Sequence[Content]) -> list[Content]:
    """The same contents with masked messages; equal ones are the same content."""
    folded = mask_messages(content.message for content in contents)
    return [Content(*content[:-1], folded[content.message]) for content in contents]


def compute_fingerprints(contents: Sequence[Content]) -> list[str]:
    """A hash of each content once it is masked: the same for the same content."""
    shapes = mask_contents(contents)
    known = {shape: _hash(shape) for shape in set(shapes)}
    return [known[shape] for shape in shapes]


def _hash(shape: Content) -> str:
    return sha256("\x1f".join(shape).encode("utf-8", "replace")).hexdigest()[:16]
