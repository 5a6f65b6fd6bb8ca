"""Recognize a table whose header is not its first line, because titles or filters are above it."""

from __future__ import annotations

from collections.abc import Callable

from ingest.errors import AmbiguousHeadings, IngestError, MissingColumns, UnknownKind
from ingest.mapping.recognition import Recognition
from ingest.readers.csv import CELL_COUNT_REASON
from ingest.readers.rows import RowSource

MOST_SIMILAR_LINES = 5
"""Lines with as many cells as each other after which no header follows: they are rows of data."""

_SHAPE_ROWS = 50
"""Rows whose number of cells must be that of the header."""

Recognize = Callable[[RowSource], Recognition]


def recognize_below_titles(source: RowSource, recognize: Recognize) -> Recognition:
    """Recognize a source by its first line that makes it a table, at most 30 lines down.

    `recognize` recognizes a source by its header. A line that most rows do not fit is tried last. If no line is a
    header, the error is that of the widest line, which is most likely the header.
    """
    errors: list[tuple[int, IngestError]] = []
    misfits: list[RowSource] = []
    similar = 0
    current: RowSource | None = source
    while current is not None and similar < MOST_SIMILAR_LINES:
        width = _count_names(current)
        below = current.reopen_below_title
        if below and _fits_few_rows(current):
            misfits.append(current)
        elif width > 1 or not errors:
            try:
                return recognize(current)
            except (UnknownKind, MissingColumns, AmbiguousHeadings) as error:
                similar = similar + 1 if errors and errors[-1][0] == width else 0
                errors.append((width, error))
        current = below() if below else None
    for misfit in misfits:
        try:
            return recognize(misfit)
        except (UnknownKind, MissingColumns, AmbiguousHeadings) as error:
            errors.append((_count_names(misfit), error))
    raise max(errors, key=lambda each: each[0])[1]


def _count_names(source: RowSource) -> int:
    return sum(not name.startswith("column ") for name in source.header)


def _fits_few_rows(source: RowSource) -> bool:
    """Return whether most of the first rows have more or fewer cells than the header."""
    rows = source.peek(_SHAPE_ROWS)
    return 2 * sum((row.problem or "").startswith(CELL_COUNT_REASON) for row in rows) > len(rows)
