"""Read a text file by what it is: JSON, a usage log, a text log or a table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ingest.errors import SourceUnreadable
from ingest.readers.csv import read_csv
from ingest.readers.direct_data import deleted_object
from ingest.readers.embedded_logs import open_embedded_logs
from ingest.readers.encoding import FileInspection
from ingest.readers.html_text import html_to_text
from ingest.readers.json_documents import read_json_documents
from ingest.readers.json_lines import read_json_lines
from ingest.readers.json_text import NotJson, begins_with_comment, parse_documents, strip_comments
from ingest.readers.log_lines import parse_line
from ingest.readers.markup_tables import is_markup, is_xml, read_markup_tables
from ingest.readers.pasted_text import read_pasted_text
from ingest.readers.rows import RowSource
from ingest.readers.tables import is_prose, looks_like_table
from ingest.readers.text_logs import choose_patterns, read_text_log
from ingest.readers.usage_log import is_usage_log, read_usage_log
from ingest.readers.w3c_log import is_w3c_log, read_w3c_log
from ingest.readers.wrapper_files import Wrapper

LARGEST_PAGE = 512 << 20
"""Largest JSON document, in bytes; it is read into memory, other than JSON lines."""

_START = 65_536
"""Characters from which the kind of a text is decided."""


def read_text_file(
    path: Path, inspection: FileInspection, name: str, wrappers: Sequence[Wrapper] = ()
) -> Iterator[RowSource]:
    """Read a text file, and yield a source for each table in it. Custom `wrappers` precede the others."""
    with path.open(encoding=inspection.encoding, errors="replace") as opened:
        start = opened.read(_START).lstrip("\ufeff \t\r\n\x1e")
    if begins_with_comment(start):
        start = strip_comments(start).lstrip()
    if is_markup(start) and (tables := _read_markup(path, inspection, start, name)):
        yield from tables
        return
    line = start.split("\n", 1)[0]
    if start[:1] in ("{", "[") and (_is_object(line) or parse_line(line) is None):
        yield from _read_json(path, inspection, start, name, wrappers)
    elif is_w3c_log(start):
        yield read_w3c_log(_lines(path, inspection.encoding), name)
    elif is_usage_log(start):
        yield read_usage_log(path, inspection.encoding, name=name)
    elif (log := _read_log(path, inspection, start, name)) is not None:
        yield log
    elif is_prose(start.splitlines()):
        yield _read_prose(path, inspection, start, name)
    else:
        source = read_csv(path, inspection.encoding, name=name)
        source.deletes_of = deleted_object(name, source.header)
        yield open_embedded_logs(source, wrappers)


def _read_markup(path: Path, inspection: FileInspection, start: str, name: str) -> list[RowSource]:
    if inspection.size > LARGEST_PAGE:
        raise SourceUnreadable(name, "it is too large for HTML or XML", "Export the data as CSV.")
    text = path.read_text(encoding=inspection.encoding, errors="replace")
    tables = list(read_markup_tables(text, name))
    if not tables and is_xml(start):
        raise SourceUnreadable(name, "it is XML without a table", "Export the data as CSV, JSON or .xlsx.")
    return tables


def _read_json(
    path: Path, inspection: FileInspection, start: str, name: str, wrappers: Sequence[Wrapper]
) -> Iterator[RowSource]:
    lines = [line for line in start.splitlines() if line.strip()]
    several = len(lines) > 1 and all(map(_is_object, lines[:2]))
    if several or inspection.size > LARGEST_PAGE:
        yield read_json_lines(path, inspection.encoding, name=name, wrappers=wrappers)
        return
    text = path.read_text(encoding=inspection.encoding, errors="replace")
    try:
        yield from read_json_documents(parse_documents(text), name=name, wrappers=wrappers)
    except NotJson as error:
        source = read_json_lines(path, inspection.encoding, name=name, wrappers=wrappers)
        if not source.header:
            next_step = "It may be cut off: export or download it again."
            raise SourceUnreadable(name, f"it is not complete JSON ({error})", next_step) from error
        yield source


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _read_log(path: Path, inspection: FileInspection, start: str, name: str) -> RowSource | None:
    lines = start.splitlines()[:400]
    if looks_like_table(lines) or not choose_patterns(lines):
        return None
    return read_text_log(_lines(path, inspection.encoding), name, written_at=read_modification_time(path))


def _read_prose(path: Path, inspection: FileInspection, start: str, name: str) -> RowSource:
    if start[:200].lower().startswith(("<!doctype html", "<html")):
        text = html_to_text(path.read_text(encoding=inspection.encoding, errors="replace"))
        return read_pasted_text(text.splitlines(), name)
    return read_pasted_text(_lines(path, inspection.encoding), name)


def _lines(path: Path, encoding: str) -> Iterator[str]:
    with path.open(encoding=encoding, errors="replace") as opened:
        yield from opened


def read_modification_time(path: Path) -> datetime:
    """Return when a file was last changed."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
