"""Vault's daily API usage log: a ZIP with a CSV whose error messages may run over several lines.

A row begins with a date; what does not is the rest of a message and is joined to the row before it, because
Vault writes such messages without quotes (a known defect, Veeva ticket DEV-691878). Session ids are live
credentials for a while: they are replaced by a fingerprint before anything else sees them.
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
"""Bytes of one unpacked file; a day's log of a large Vault stays far below."""
LARGEST_RATIO = 300
"""Unpacked bytes for each packed one; text packs ten- to fiftyfold, a bomb a thousandfold."""
SMALL = 16 << 20
"""Unpacked bytes below which the ratio does not matter."""

_ROW_START = re.compile(r'"?\d{4}-\d{2}-\d{2}T')


def read_usage_zip(path: Path) -> Iterator[RowSource]:
    """Read each CSV in a ZIP file as a usage log. Raises SourceUnreadable, also where it would burst."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [
                each for each in archive.infolist() if each.filename.lower().endswith((".csv", ".log"))
            ]
            if not members:
                raise SourceUnreadable(path.name, "there is no CSV in it")
            check_unpacked_sizes(path)
            for member in members:
                with archive.open(member) as packed:
                    text = io.TextIOWrapper(packed, encoding="utf-8-sig", errors="replace", newline="")
                    yield _source(f"{path.name}#{member.filename}", text)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise SourceUnreadable(path.name, f"it is no whole ZIP file ({error})") from error


def check_unpacked_sizes(path: Path) -> None:
    """Raise SourceUnreadable when a member of the ZIP file at `path` would unpack beyond reason."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            most = max(SMALL, min(LARGEST_MEMBER, member.compress_size * LARGEST_RATIO))
            if member.file_size > most:
                raise SourceUnreadable(path.name, f"{member.filename} unpacks to {member.file_size} bytes")


def _source(name: str, lines: Iterable[str]) -> RowSource:
    feed = iter(lines)
    try:
        header = [cell.strip() for cell in next(csv.reader([next(feed, "")]), [])]
    except csv.Error as error:
        raise SourceUnreadable(name, f"its first line is no header ({error})") from error
    return RowSource(name, header, _rows(join_continuation_lines(feed), header))


def join_continuation_lines(lines: Iterable[str]) -> Iterator[str]:
    """Put the lines of each row together; lines before the first row stay a row of their own."""
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
            shown = compact_json(_hidden(dict(enumerate(cells))))
            yield RawRow(number, {}, f"row: has {len(cells)} cells where the header has {len(header)}", shown)
            continue
        yield RawRow(number, _hidden(dict(zip(header, map(replace_surrogates, cells), strict=True))))


def _cells(text: str, width: int, message: int) -> list[str]:
    try:
        cells = next(csv.reader([text.rstrip("\r\n")], strict=True))
    except (csv.Error, StopIteration):
        cells = text.rstrip("\r\n").replace('"', "").split(",")
    surplus = len(cells) - width
    if surplus > 0 and message >= 0:
        # An unquoted message has commas of its own; it is the only free text beside the warning.
        cells[message : message + surplus + 1] = [",".join(cells[message : message + surplus + 1])]
    return cells


def _hidden(cells: dict[str | int, str]) -> dict[str, str | None]:
    return {
        str(name): f"session-{hashlib.sha256(cell.encode()).hexdigest()[:12]}"
        if _is_session(name) and cell
        else cell
        for name, cell in cells.items()
    }


def _is_session(name: str | int) -> bool:
    # By its place, where a broken row has lost its names: the id is the second cell of Vault's log.
    return name in ("session_id", 1)
