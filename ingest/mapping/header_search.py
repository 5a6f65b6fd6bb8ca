"""Recognize a table whose header is not its first line, because titles or filters stand above it."""

from __future__ import annotations

from collections.abc import Callable

from ingest.errors import AmbiguousHeadings, IngestError, MissingColumns, UnknownKind
from ingest.mapping.recognition import Recognition
from ingest.readers.rows import RowSource

MOST_SIMILAR_LINES = 5
"""Lines with as many cells as each other after which no header follows: they are rows of data."""

Recognize = Callable[[RowSource], Recognition]


def recognize_below_titles(source: RowSource, recognize: Recognize) -> Recognition:
    """Recognize a source by its first line that makes it a table, at most 30 lines down.

    `recognize` recognizes a source by its header. If no line does, the error is that of the widest line, which is
    most likely the header.
    """
    errors: list[tuple[int, IngestError]] = []
    similar = 0
    current: RowSource | None = source
    while current is not None and similar < MOST_SIMILAR_LINES:
        width = _count_names(current)
        if width > 1 or not errors:
            try:
                return recognize(current)
            except (UnknownKind, MissingColumns, AmbiguousHeadings) as error:
                similar = similar + 1 if errors and errors[-1][0] == width else 0
                errors.append((width, error))
        current = current.reopen_below_title() if current.reopen_below_title else None
    raise max(errors, key=lambda each: each[0])[1]


def _count_names(source: RowSource) -> int:
    return sum(not name.startswith("column ") for name in source.header)
