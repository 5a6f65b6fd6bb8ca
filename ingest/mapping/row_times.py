"""The time of rows that have none: a constant, `--at`, the document's own time, or the time of its file.

The order is fixed, and a note states which one was used: see `docs/ingest.md`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePath

from ingest.mapping.kinds import kinds
from ingest.mapping.mapping import ColumnMapping
from ingest.mapping.value_clues import Cells
from ingest.readers.rows import RawRow, RowSource, derived_key

FILE_TIME = "the time the file was changed"
FILE_NAME = "the file's name"
TIME_SOURCE = "time_source"
"""The key of `extra` that states where the time of a row comes from."""
EVENT_ID = "event_id"
_CLOCK = r"([0-2]\d)[-_.h:]?([0-5]\d)(?:[-_.:]?([0-5]\d))?"
_NAME_TIMES = (
    (rf"(?<!\d)(20\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)[-_T .]*{_CLOCK}(?:\d{{3}})?(?!\d)", "ymd"),
    (r"(?<!\d)(20\d\d)[-_.]([01]\d)[-_.]([0-3]\d)(?!\d)", "ymd"),
    (r"(?<!\d)(20\d\d)([01]\d)([0-3]\d)(?!\d)", "ymd"),
    # Data Loader names its files errorMMDDYYhhmmssmmm.csv (forcedotcom/dataloader).
    (rf"(?:error|success)([01]\d)([0-3]\d)(\d\d){_CLOCK}\d{{3}}(?!\d)", "mdy"),
    (rf"(?<!\d)([0-3]\d)[-_.]([01]\d)[-_.](20\d\d)(?:[-_T .]+{_CLOCK})?(?!\d)", "dmy"),
)
"""Patterns of times in file names, with the order of year, month and day; the first that is a date wins."""


@dataclass(frozen=True, slots=True)
class DocumentTime:
    """A time for rows without one, and what states it."""

    at: datetime
    source: str

    @property
    def is_stable(self) -> bool:
        """Return whether the time stays the same when the file is copied or saved again."""
        return self.source != FILE_TIME


def time_in_name(name: str) -> datetime | None:
    """Return the time in a file's name, in UTC; a day alone is its midnight. None if there is none."""
    stem = PurePath(name.rpartition("#")[2] or name).name
    for pattern, order in _NAME_TIMES:
        for match in re.finditer(pattern, stem, re.IGNORECASE):
            numbers = [int(part) for part in match.groups() if part]
            day = dict(zip(order, numbers[:3], strict=True))
            hour, minute, second = (*numbers[3:], 0, 0, 0)[:3]
            try:
                return datetime(day["y"] % 100 + 2000, day["m"], day["d"], hour, minute, second, tzinfo=UTC)
            except ValueError:
                continue
    return None


def with_times(
    source: RowSource,
    mapping: ColumnMapping,
    cells: Cells,
    *,
    at: datetime | None = None,
) -> tuple[RowSource, ColumnMapping]:
    """Return a source and its mapping with a time for the rows that have none, and a note on where it is from.

    Rows with a time keep it. A row without one gets it only if no row has one, or if `at` or a constant is given;
    otherwise it is rejected.
    """
    kind = kinds()[mapping.contract.table]
    if kind.time is None or not kind.time.from_document:
        return source, mapping
    column = kind.time.column
    heading = mapping.assign(source.header).get(column)
    has_times = bool(heading and cells.get(heading))
    time = document_time(source, at)
    if column in {**mapping.constants, **source.defaults} or time is None or (has_times and at is None):
        return source, mapping
    source.notes.append(_note(source, time, has_times=has_times))
    rows = _timed_rows(source.rows, mapping, heading, column, time)
    header = [*source.header, *({column, TIME_SOURCE} - set(source.header))]
    exact = {**mapping.assign(source.header), column: heading or column}
    if mapping.contract.derived_key and mapping.contract.key[0] not in exact:
        exact[mapping.contract.key[0]] = EVENT_ID
        header.append(EVENT_ID)
    return replace(source, header=header, rows=rows, bulk=None), replace(mapping, exact=exact)


def document_time(source: RowSource, at: datetime | None) -> DocumentTime | None:
    """Return the time for rows without one: `at`, the document's, the one in the file's name, or the file's."""
    if at is not None:
        return DocumentTime(at, "--at")
    if source.document_time is not None:
        return DocumentTime(source.document_time, source.document_time_source or "the document")
    if named := time_in_name(source.name):
        return DocumentTime(named, FILE_NAME)
    return DocumentTime(source.file_time, FILE_TIME) if source.file_time else None


def _note(source: RowSource, time: DocumentTime, *, has_times: bool) -> str:
    rows = "rows without a time are" if has_times else "no row has a time: all are"
    return f"{rows} dated {time.at:%Y-%m-%d %H:%M} UTC by {time.source}; set another time with --at"


def _timed_rows(
    rows: Iterator[RawRow], mapping: ColumnMapping, heading: str | None, column: str, time: DocumentTime
) -> Iterator[RawRow]:
    text = f"{time.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
    key = mapping.contract.key[0]
    needs_key = mapping.contract.derived_key and key not in mapping.assign([*(mapping.exact or {}).values()])
    for row in rows:
        if row.problem or (heading and (row.cells.get(heading) or "").strip()):
            yield _with_key(row, row) if needs_key and not row.problem else row
            continue
        timed = replace(row, cells={**row.cells, heading or column: text, TIME_SOURCE: time.source})
        # A time that changes whenever the file is saved must not make the row a new event.
        yield _with_key(timed, timed if time.is_stable else row) if needs_key else timed


def _with_key(row: RawRow, content: RawRow) -> RawRow:
    return replace(row, cells={**row.cells, EVENT_ID: derived_key(content)})
