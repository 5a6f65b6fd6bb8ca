"""Decide whether lines of text are a table: rows of cells below a header."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence

from ingest.readers.levels import normalize_heading
from ingest.readers.log_lines import parse_line
from ingest.readers.text_layout import DELIMITERS, detect_delimiter, detect_layout
from ingest.readers.text_logs import choose_patterns

SAMPLE = 80
"""Rows that are compared."""
MOST_TITLE_LINES = 31
"""Lines among which the header is searched."""
LONGEST_MESSAGE = 20_000
"""Characters of a line that can be a message."""
_LONGEST_NAME = 80
_MOST_WORDS = 8
_MEAN_WORDS = 4
_SINGLE_HEADINGS = frozenset(
    {
        "message",
        "error",
        "errormessage",
        "text",
        "description",
        "fehler",
        "fehlermeldung",
        "meldung",
        "erreur",
        "mensaje",
        "messaggio",
        "mensagem",
        "id",
        "eventid",
        "noresultstodisplay",
    }
)
_MIN_SHARE = 0.6
_NARROW = 3
"""Columns up to which a line without a delimiter counts against a table."""


def looks_like_table(lines: Sequence[str]) -> bool:
    """Return whether most rows of a sample have as many cells as its header.

    The header is the first line that is not blank, or one of the next lines if a title is above it. A line that
    begins a log record is no header.
    """
    rows = [line for line in lines if line.strip()][:SAMPLE]
    if rows and not detect_layout(rows[0], rows[1:]).is_plain:
        return not _is_log(rows)
    # Below a title, two rows must fit, or one without a blank after its commas: a line of prose may have a comma.
    return any(
        _is_header(row)
        and _fits(rows[at:])
        and (at == 0 or len(rows) > at + 2 or ", " not in "".join(rows[at : at + 2]))
        for at, row in enumerate(rows[:MOST_TITLE_LINES])
    )


def _is_log(rows: Sequence[str]) -> bool:
    # The columns of `log show` are aligned too, below a head line.
    return any(
        pattern.has_time and not pattern.general and "level" in pattern.expression.groupindex
        for pattern in choose_patterns(rows)
    )


def is_prose(lines: Sequence[str]) -> bool:
    """Return whether lines are messages rather than a table, also one with a single column."""
    rows = [line for line in lines if line.strip()]
    if not rows or any(len(row) > LONGEST_MESSAGE for row in rows):
        return False
    return normalize_heading(rows[0].strip(' "')) not in _SINGLE_HEADINGS and not looks_like_table(lines)


def _is_header(line: str) -> bool:
    cells = _split(line, detect_delimiter(line))
    names = [cell.strip() for cell in cells if cell.strip()]
    return (
        len(cells) > 1
        and len(names) > 1
        and all(len(name) <= _LONGEST_NAME and len(name.split()) <= _MOST_WORDS for name in names)
        and sum(len(name.split()) for name in names) <= _MEAN_WORDS * len(names)
        and not names[-1].endswith((".", "!", "?"))
        and (parse_line(line) is None or line.startswith(tuple(f"sep={each}" for each in DELIMITERS)))
    )


def _fits(rows: Sequence[str]) -> bool:
    delimiter = detect_delimiter(rows[0])
    width = len(_split(rows[0], delimiter))
    counts = Counter(len(_split(row, delimiter)) for row in rows[1:])
    if width > _NARROW:
        del counts[1]  # notes at the end of a report
    return not counts or counts[width] >= _MIN_SHARE * sum(counts.values())


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])
    except csv.Error:
        return line.split(delimiter)
