"""Read Vault's daily API usage log: a ZIP file with a CSV file whose error messages may span lines.

A row begins with a date. Other lines continue the message of the row before: Vault writes messages without
quotes (known defect, Veeva ticket DEV-691878). Session ids are valid credentials for some time, so the reader
replaces them with a fingerprint.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from ingest.errors import SourceUnreadable
from ingest.readers.rows import RawRow, RowSource, compact_json, replace_surrogates

LARGEST_MEMBER = 4 << 30
"""Largest unpacked file, in bytes; the daily log of a large Vault is much smaller."""
LARGEST_RATIO = 300
"""Largest ratio of unpacked to packed bytes: text compresses 10 to 50 times, a ZIP bomb 1,000 times."""
SMALL = 16 << 20
"""Unpacked size, in bytes, below which the ratio is not checked."""

_ROW_START = re.compile(r'"?\d{4}-\d{2}-\d{2}T')


def read_usage_zip(path: Path) -> Iterator[RowSource]:
    """Read each CSV file in a ZIP file as a usage log. Raises SourceUnreadable, also for a ZIP bomb."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [
                each for each in archive.infolist() if each.filename.lower().endswith((".csv", ".log"))
            ]
            if not members:
                raise SourceUnreadable(path.name, "it contains no CSV file")
            check_unpacked_sizes(path)
            for member in members:
                with archive.open(member) as packed:
                    text = io.TextIOWrapper(packed, encoding="utf-8-sig", errors="replace", newline="")
                    yield _source(f"{path.name}#{member.filename}", text)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise SourceUnreadable(path.name, f"it is not a complete ZIP file ({error})") from error


def check_unpacked_sizes(path: Path) -> None:
    """Raise SourceUnreadable if a member of a ZIP file unpacks to an extreme size."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            most = max(SMALL, min(LARGEST_MEMBER, member.compress_size * LARGEST_RATIO))
            if member.file_size > most:
                raise SourceUnreadable(path.name, f"{member.filename} unpacks to {member.file_size} bytes")


def _source(name: str, lines: Iterable[str]) -> RowSource:
    remaining_lines = iter(lines)
    try:
        header = [cell.strip() for cell in next(csv.reader([next(remaining_lines, "")]), [])]
    except csv.Error as error:
        raise SourceUnreadable(name, f"its first line is not a header ({error})") from error
    return RowSource(name, header, _rows(join_continuation_lines(remaining_lines), header))


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
            shown = compact_json(_hide_sessions(dict(enumerate(cells))))
            yield RawRow(number, {}, f"row: has {len(cells)} cells where the header has {len(header)}", shown)
            continue
        yield RawRow(number, _hide_sessions(dict(zip(header, map(replace_surrogates, cells), strict=True))))


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


def _hide_sessions(cells: dict[str | int, str]) -> dict[str, str | None]:
    return {
        str(name): f"session-{hashlib.sha256(cell.encode()).hexdigest()[:12]}"
        if _is_session(name) and cell
        else cell
        for name, cell in cells.items()
    }


def _is_session(name: str | int) -> bool:
    # A broken row has positions instead of names: the session id is the second cell.
    return name in ("session_id", 1)
