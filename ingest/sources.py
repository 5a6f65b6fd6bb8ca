"""What a file is, seen from its first bytes: the name of a file proves nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from ingest.csv_rows import read_csv
from ingest.errors import SourceUnreadable
from ingest.json_rows import read_json_lines, read_json_page
from ingest.rows import RowSource
from ingest.text import Examined


def open_source(path: Path, examined: Examined) -> Iterator[RowSource]:
    """Open a file as the tables of rows it holds. Raises SourceUnreadable."""
    if not examined.size:
        raise SourceUnreadable(path.name, "it is empty")
    start = _start(path, examined.encoding)
    if start[:1] in ("{", "["):
        yield _json(path, examined.encoding, start)
    else:
        yield read_csv(path, examined.encoding)


def _start(path: Path, encoding: str) -> str:
    with path.open(encoding=encoding, errors="replace") as file:
        return file.read(65_536).lstrip()


def _json(path: Path, encoding: str, start: str) -> RowSource:
    if start[0] == "{" and _is_json(start.split("\n", 1)[0]):
        lines = read_json_lines(path, encoding)
        if lines.header != [] and not _is_page(start.split("\n", 1)[0]):
            return lines
    text = path.read_text(encoding=encoding, errors="replace")
    try:
        return read_json_page(json.loads(text), name=path.name)
    except (ValueError, RecursionError):
        return read_json_lines(path, encoding)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_page(text: str) -> bool:
    document = json.loads(text)
    return isinstance(document, dict) and isinstance(document.get("data"), list)
