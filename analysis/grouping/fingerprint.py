"""Extract the content of an error: what it is, without who, when and where.

Decisions of users are bound to contents. The id of an issue changes when new messages make its template more
general; the content is computed from the error alone and does not change.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

import pandas as pd

from analysis.grouping.masks import MAX_CHARACTERS, mask_messages


class Content(NamedTuple):
    """The error type, object, operation, phase and message of an error; missing values are empty.

    Two errors have the same content if these are equal after the messages are masked (`mask_contents`).
    """

    error_type: str = ""
    object: str = ""
    operation: str = ""
    phase: str = ""
    message: str = ""


def extract_contents(events: pd.DataFrame) -> list[Content]:
    """Return the content of each row of `events`, its message unmasked and cut to the length that masking reads.

    A missing column counts as empty.
    """
    empty = pd.Series("", index=events.index)
    columns = [events.get(name, empty).fillna("").astype("str") for name in Content._fields[:-1]]
    messages = ["" if pd.isna(message) else str(message)[:MAX_CHARACTERS] for message in events["message"]]
    return [Content(*map(str, row)) for row in zip(*columns, messages, strict=True)]


def mask_contents(contents: Sequence[Content]) -> list[Content]:
    """Return the contents with masked messages."""
    masks = mask_messages(content.message for content in contents)
    return [Content(*content[:-1], masks[content.message]) for content in contents]


def compute_fingerprints(contents: Sequence[Content]) -> list[str]:
    """Return a hash of each masked content."""
    masked = mask_contents(contents)
    hashes = {content: _hash(content) for content in set(masked)}
    return [hashes[content] for content in masked]


def _hash(content: Content) -> str:
    return sha256("\x1f".join(content).encode("utf-8", "replace")).hexdigest()[:16]
