"""Decide whether lines of text are a table: rows of cells below a header."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence

from ingest.readers.csv import DELIMITERS, detect_delimiter
from ingest.readers.log_lines import parse_line

SAMPLE = 40
"""Rows that are compared."""
_LONGEST_NAME = 80
_MIN_SHARE = 0.6


def looks_like_table(lines: Sequence[str]) -> bool:
    """Return whether most rows of a sample have as many cells as its header.

    The header is the first line that is not blank, or one of the next lines if a title is above it. A line that
    begins a log record is no header.
    """
    rows = [line for line in lines if line.strip()][:SAMPLE]
    return any(_is_header(row) and _fits(rows[at:]) for at, row in enumerate(rows[:8]))


def _is_header(line: str) -> bool:
    cells = _split(line, detect_delimiter(line))
    names = [cell.strip() for cell in cells if cell.strip()]
    return (
        len(cells) > 1
        and len(names) > 1
        and all(len(name) <= _LONGEST_NAME for name in names)
        and (parse_line(line) is None or line.startswith(tuple(f"sep={each}" for each in DELIMITERS)))
    )


def _fits(rows: Sequence[str]) -> bool:
    delimiter = detect_delimiter(rows[0])
    width = len(_split(rows[0], delimiter))
    counts = Counter(len(_split(row, delimiter)) for row in rows[1:])
    return not counts or counts[width] >= _MIN_SHARE * sum(counts.values())


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])
    except csv.Error:
        return line.split(delimiter)
