"""Read Vault's daily API usage log: a CSV file whose error messages may span lines.

A row begins with a date. Other lines continue the message of the row before: Vault writes messages without
quotes (known defect, Veeva ticket DEV-691878). Its session ids are credentials; `ingest.protection` replaces them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ingest.errors import SourceUnreadable
from ingest.readers.rows import RawRow, RowSource, compact_json, replace_surrogates

_ROW_START = re.compile(r'"?\d{4}-\d{2}-\d{2}T')


_COLUMNS = frozenset({"timestamp", "session_id", "api_response_status", "api_response_error_message"})
"""Columns that only a usage log has."""


def is_usage_log(start: str) -> bool:
    """Return whether a text begins with the header of a usage log."""
    header = start.split("\n", 1)[0].strip().replace('"', "").split(",")
    return {cell.strip() for cell in header} >= _COLUMNS


def read_usage_log(path: Path, encoding: str, *, name: str) -> RowSource:
    """Read a usage log. Raises SourceUnreadable."""
    lines = _lines(path, encoding)
    try:
        header = [cell.strip() for cell in next(csv.reader([next(lines, "")]), [])]
    except csv.Error as error:
        raise SourceUnreadable(name, f"its first line is not a header ({error})") from error
    return RowSource(
        name, header, _rows(join_continuation_lines(lines), header), decimal=".", time_zone="UTC"
    )


def _lines(path: Path, encoding: str) -> Iterator[str]:
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        yield from file


def join_continuation_lines(lines: Iterable[str]) -> Iterator[str]:
    """Join the lines of each row; lines before the first row form one separate row."""
    row = ""
    for line in lines:
        if _ROW_START.match(line) and row:
            yield row
            row = ""
        row += line
    if row.strip():
        yield row


def _rows(rows: Iterable[str], header: list[str]) -> Iterator[RawRow]:
    for number, text in enumerate(rows, start=1):
        cells = _cells(
            text,
            len(header),
            header.index("api_response_error_message") if "api_response_error_message" in header else -1,
        )
        if len(cells) != len(header):
            shown = compact_json(list(map(replace_surrogates, cells)))
            yield RawRow(number, {}, f"row: has {len(cells)} cells where the header has {len(header)}", shown)
            continue
        yield RawRow(number, dict(zip(header, map(replace_surrogates, cells), strict=True)))


def _cells(text: str, width: int, message: int) -> list[str]:
    try:
        cells = next(csv.reader([text.rstrip("\r\n")], strict=True))
    except (csv.Error, StopIteration):
        cells = text.rstrip("\r\n").replace('"', "").split(",")
    surplus = len(cells) - width
    if surplus > 0 and message >= 0:
        # An unquoted message may contain commas; it is the only free text apart from the warning.
        cells[message : message + surplus + 1] = [",".join(cells[message : message + surplus + 1])]
    return cells
