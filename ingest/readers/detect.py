"""Detect the format of a file from its first bytes; its name proves nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from ingest.errors import SourceUnreadable
from ingest.readers.csv import read_csv
from ingest.readers.direct_data import ArchiveName, read_archive
from ingest.readers.encoding import FileInspection
from ingest.readers.excel_parquet import read_excel, read_parquet
from ingest.readers.json_lines import read_json_lines, read_json_page
from ingest.readers.rows import RowSource
from ingest.readers.usage_log import read_usage_zip

LARGEST_PAGE = 512 << 20
"""Largest JSON document, in bytes; it is read into memory, other than JSON lines."""


def open_source(path: Path, inspection: FileInspection) -> Iterator[RowSource]:
    """Open a file, and yield one source for each table in it. Raises SourceUnreadable."""
    if not inspection.size:
        raise SourceUnreadable(path.name, "the file is empty")
    with path.open("rb") as file:
        magic = file.read(8)
    if magic.startswith(b"\x1f\x8b") or ArchiveName.parse(path):
        yield from read_archive(path)
    elif magic.startswith(b"PAR1"):
        yield read_parquet(path)
    elif magic.startswith(b"PK\x03\x04"):
        yield from _zip(path)
    elif magic.startswith((b"\xd0\xcf\x11\xe0", b"%PDF", b"\x89PNG")):
        raise SourceUnreadable(path.name, "the format is not CSV, JSON, Parquet or .xlsx")
    else:
        yield _text(path, inspection)


def _zip(path: Path) -> Iterator[RowSource]:
    if path.suffix.lower() == ".zip":
        yield from read_usage_zip(path)
    else:
        yield from read_excel(path)


def _text(path: Path, inspection: FileInspection) -> RowSource:
    with path.open(encoding=inspection.encoding, errors="replace") as file:
        start = file.read(65_536).lstrip()
    if start[:1] in ("{", "["):
        return _json(path, inspection, start)
    return read_csv(path, inspection.encoding)


def _json(path: Path, inspection: FileInspection, start: str) -> RowSource:
    first = start.split("\n", 1)[0]
    if (
        _is_json(first) and not _is_page(first) and first != start.rstrip()
    ) or inspection.size > LARGEST_PAGE:
        return read_json_lines(path, inspection.encoding)
    text = path.read_text(encoding=inspection.encoding, errors="replace")
    try:
        return read_json_page(json.loads(text), name=path.name)
    except (ValueError, RecursionError):
        return read_json_lines(path, inspection.encoding)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_page(text: str) -> bool:
    document = json.loads(text)
    return isinstance(document, dict) and isinstance(document.get("data"), list)
