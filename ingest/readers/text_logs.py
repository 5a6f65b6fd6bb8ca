"""Read text logs: a record begins at a timestamp or a level, and the lines below it belong to it.

Only records that report errors become rows. The level decides; a warning or a record without a level counts if its
text shows an error. All other records are counted in the notes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain, islice

from ingest.readers.levels import read_level, shows_error
from ingest.readers.log_lines import (
    Cells,
    LinePattern,
    complete_time,
    ignored_lines,
    line_patterns,
    parse_line,
    read_pairs,
)
from ingest.readers.rows import RawRow, RowSource, replace_surrogates

SAMPLE_LINES = 400
"""Lines from which the formats of a log are chosen."""
LONGEST_RECORD = 500
"""Lines of one record that are kept; longer ones are stack traces that repeat themselves."""
_MIN_SHARE = 0.2

COLUMNS = (
    "message", "level", "user_id", "device_id", "error_type", "http_status", "object", "record_id", "field",
    "operation", "app_version",
)  # fmt: skip
"""Cells that any record of a log may have."""

_STACK_LINE = re.compile(
    "|".join(
        (
            r"\s*at [\w.$<>\[\]`]+[ (:].*",  # Java, .NET, JavaScript
            r"\s*at \S+\(.*",
            r"\s*\.\.\. \d+ (?:more|common frames omitted)\s*",
            r"\s*File \".*\", line \d+.*",  # Python
            r"\s*Traceback \(most recent call last\):\s*",
            r"\s+[\w.]+\.swift:\d+.*",
            r"\s*\d+\s+\S+\s+0x[0-9a-f]{8,}.*",  # crash reports of Apple
            r"\s*--- End of .*---\s*",
            r"\s*-{3,}\s*",
            r"\s*goroutine \d+.*",
        )
    )
)
_CONTINUATION = re.compile(
    r"\s+at |Caused by:|\s*\.\.\. \d+ more|\s+Suppressed:|Process: |PID: "
    r"|[\w$]+(?:\.[\w$]+)+(?:Exception|Error|Throwable)\b(?::|$)"
)
_SAME_RECORD = ("process", "thread", "level", "logger")


def choose_patterns(lines: Iterable[str]) -> list[LinePattern]:
    """Return the patterns of the log formats in a sample of lines, best first; none if it is not a log."""
    sample = [line.rstrip("\r\n") for line in lines if line.strip()]
    counts: Counter[LinePattern] = Counter()
    for line in sample:
        for pattern in line_patterns():
            if pattern.expression.fullmatch(line[:2_000]):
                counts[pattern] += 1
                break
    if not counts or sum(counts.values()) < max(1, _MIN_SHARE * len(sample)):
        return []
    order = line_patterns()
    best = max(counts, key=lambda pattern: (counts[pattern], -order.index(pattern)))
    # A line that only looks like a record without a time belongs to the record above it.
    return [pattern for pattern in order if counts[pattern] and (pattern.has_time or not best.has_time)]


def read_text_log(lines: Iterable[str], name: str, *, written_at: datetime | None = None) -> RowSource | None:
    """Read a log, or return None if the lines are not one.

    `written_at`, the time of the file, completes times without a year or a date.
    """
    remaining = iter(lines)
    sample = list(islice(remaining, SAMPLE_LINES))
    patterns = choose_patterns(sample)
    if not patterns:
        return None
    columns = [*(["occurred_at"] if any(pattern.has_time for pattern in patterns) else []), *COLUMNS]
    notes = [f"read as a log: {patterns[0].title}"]
    table = None
    if any("level" in pattern.expression.groupindex for pattern in patterns):
        table = "sync_error"  # the level decides
    records = _join(_split(chain(sample, remaining), patterns, written_at, notes))
    rows = _rows(records, written_at, notes)
    head = list(islice(rows, 200))
    header = list(dict.fromkeys([*columns, *(name for row in head for name in row.cells)]))
    return RowSource(name, header, chain(head, rows), notes=notes, table=table)


def _split(
    lines: Iterable[str], patterns: list[LinePattern], written_at: datetime | None, notes: list[str]
) -> Iterator[tuple[int, Cells, list[str]]]:
    """Yield each record: the number of its first line, its cells, and the lines below it."""
    current: tuple[int, Cells, list[str]] | None = None
    above, cut = 0, 0
    ignored = ignored_lines()
    for number, line in enumerate(lines, start=1):
        text = replace_surrogates(line.rstrip("\r\n")).lstrip("\ufeff")
        if ignored.fullmatch(text):
            continue
        cells = next(filter(None, (pattern.parse(text, written_at) for pattern in patterns)), None)
        if cells is not None:
            if current:
                yield current
            current = (number, cells, [])
        elif current is None:
            above += bool(text.strip())
        elif len(current[2]) < LONGEST_RECORD:
            current[2].append(text)
        else:
            cut += 1
    if current:
        yield current
    if above:
        notes.append(f"skipped above the first record: {above} lines")
    if cut:
        notes.append(f"cut off records longer than {LONGEST_RECORD} lines: {cut} lines")


def _join(records: Iterator[tuple[int, Cells, list[str]]]) -> Iterator[tuple[int, Cells, list[str]]]:
    """Join the records of a stack trace whose lines each have their own prefix, as in logcat."""
    current: tuple[int, Cells, list[str]] | None = None
    for record in records:
        if current and _continues(record[1], current[1]) and len(current[2]) < LONGEST_RECORD:
            current[2].extend([record[1]["message"], *record[2]])
            continue
        if current:
            yield current
        current = record
    if current:
        yield current


def _continues(cells: Cells, above: Cells) -> bool:
    return (
        "logger" in cells
        and "process" in cells
        and all(cells.get(name) == above.get(name) for name in _SAME_RECORD)
        and _CONTINUATION.match(cells["message"]) is not None
    )


def _rows(
    records: Iterator[tuple[int, Cells, list[str]]], written_at: datetime | None, notes: list[str]
) -> Iterator[RawRow]:
    skipped: Counter[str] = Counter()
    for number, cells, below in records:
        complete = complete_record(cells, below, written_at)
        if reason := skip_reason(complete):
            skipped[reason] += 1
        else:
            yield RawRow(number, dict(complete))
    notes += [f"{reason}, skipped: {count}" for reason, count in sorted(skipped.items())]


def complete_record(cells: Cells, below: Sequence[str] = (), written_at: datetime | None = None) -> Cells:
    """Return the cells of a record with its message in full, and the columns that `key=value` pairs fill.

    The frames of a stack trace are in `stack_trace`; all other lines are in `message`.
    """
    if (
        not cells.get("message")
        and "level" not in cells
        and below
        and (first := parse_line(below[0], written_at))
    ):
        cells, below = {**first, **cells, "message": first["message"]}, below[1:]  # java.util.logging
    frames = [line for line in below if _STACK_LINE.fullmatch(line)]
    texts = [cells.get("message", ""), *(line for line in below if not _STACK_LINE.fullmatch(line))]
    message = "\n".join(line.strip() for line in texts if line.strip())
    complete = {**cells, "message": message}
    if frames:
        complete["stack_trace"] = "\n".join(frames)
    pairs = read_pairs(message)
    inner = pairs.pop("message", None)
    if inner:
        complete |= {"message": "\n".join([inner, *message.split("\n")[1:]]), "line": message}
    if "occurred_at" in pairs:
        pairs["occurred_at"] = complete_time(pairs["occurred_at"], (), written_at)
    for column, text in pairs.items():
        complete.setdefault(column, text)
    return complete


def skip_reason(cells: Cells) -> str | None:
    """Return why a record is not an error: its level, its status, or that nothing shows an error."""
    text = cells.get("message", "")
    level = read_level(cells.get("level"))
    if not text.strip() and level != "error":
        return "records without text"
    if level is None and (status := cells.get("http_status")):
        return None if status >= "400" or status == "0" else "successful requests"
    if level == "information":
        return "records with an information level"
    if level == "warning" and not shows_error(text):
        return "warnings that show no error"
    if level is None and not shows_error(text):
        return "records without a level that show no error"
    return None
