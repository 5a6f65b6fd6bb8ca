"""Read JSON lines, and JSON documents as an API returns them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ingest.readers.plain_json import plain_lines_table
from ingest.readers.rows import RawRow, RowSource, cell_text, replace_surrogates

HEADER_SAMPLE = 200
"""Rows from which the column names are collected; JSON rows may omit empty columns."""

NOT_JSON = "row: is not JSON"
NOT_AN_OBJECT = "row: is not a JSON object"


def read_json_lines(path: Path, encoding: str, *, name: str | None = None) -> RowSource:
    """Read a file with one JSON object per line; blank lines are skipped."""
    source = _source(name or path.name, _from_lines(path, encoding))
    with path.open(encoding=encoding, errors="replace", newline="\n") as file:
        sample = [line.strip() for line in islice(file, HEADER_SAMPLE) if line.strip()]
    source.bulk = plain_lines_table(path, encoding, source.header, sample)
    return source


def read_json_page(page: object, *, name: str) -> RowSource:
    """Read a parsed JSON document: a list of objects, or an object that has one under `data`."""
    records = page.get("data") if isinstance(page, dict) else page
    records = records if isinstance(records, list) else [page]
    return _source(name, (_from_value(number, each) for number, each in enumerate(records, start=1)))


def _source(name: str, rows: Iterator[RawRow]) -> RowSource:
    head = list(islice(rows, HEADER_SAMPLE))
    header = dict.fromkeys(column for row in head for column in row.cells)
    return RowSource(name, list(header), chain(head, rows))


def _from_lines(path: Path, encoding: str) -> Iterator[RawRow]:
    with path.open(encoding=encoding, errors="replace", newline="\n") as file:
        yield from parse_lines(file)


def parse_lines(lines: Iterable[str]) -> Iterator[RawRow]:
    """Parse JSON lines; a line that is not an object becomes a row with a problem."""
    number = 0
    for line in lines:
        if not line.strip():
            continue
        number += 1
        try:
            yield _from_value(number, json.loads(line), line)
        except (ValueError, RecursionError):
            yield RawRow(number, {}, NOT_JSON, replace_surrogates(line.rstrip("\r\n")))


def _from_value(number: int, value: Any, line: str | None = None) -> RawRow:  # noqa: ANN401 - any JSON
    if not isinstance(value, dict):
        raw = line.rstrip("\r\n") if line is not None else json.dumps(value)
        return RawRow(number, {}, NOT_AN_OBJECT, replace_surrogates(raw))
    cells = {name: cell_text(each) for name, each in value.items()}
    if not all(map(str.isascii, cells)):
        cells = {replace_surrogates(name): each for name, each in cells.items()}
    return RawRow(number, cells)
