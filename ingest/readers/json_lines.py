"""Read JSON lines: one object on each line, perhaps in a wrapper, perhaps after blank lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ingest.readers.flatten import flatten
from ingest.readers.json_documents import HEADER_SAMPLE, NO_ERRORS_HEADER, NOT_AN_OBJECT, read_value
from ingest.readers.json_records import RecordReader
from ingest.readers.plain_json import plain_lines_table
from ingest.readers.rows import RawRow, RowSource, replace_surrogates
from ingest.readers.wrapper_files import Wrapper, builtin_wrappers, choose_wrapper

NOT_JSON = "row: is not JSON"


def read_json_lines(
    path: Path, encoding: str, *, name: str | None = None, wrappers: Sequence[Wrapper] = ()
) -> RowSource:
    """Read a file with one JSON object per line; blank lines are skipped."""
    with path.open(encoding=encoding, errors="replace", newline="\n") as file:
        sample = [line.strip() for line in islice(file, HEADER_SAMPLE) if line.strip()]
    used = _wrappers_of(sample, [*wrappers, *builtin_wrappers()])
    if used:
        reader = RecordReader([*used, *(each for each in wrappers if each not in used), *builtin_wrappers()])
        notes: list[str] = []
        source = _source(name or path.name, _wrapped_lines(path, encoding, used, reader, notes), notes)
        source.header = source.headings = source.header or list(NO_ERRORS_HEADER)
        source.renamed = reader.renamed
        source.table = "sync_error" if all(wrapper.errors for wrapper in used) else None
        return source
    source = _source(name or path.name, _from_lines(path, encoding), [])
    source.bulk = plain_lines_table(path, encoding, source.header, sample)
    return source


def _wrappers_of(lines: Sequence[str], wrappers: Sequence[Wrapper]) -> list[Wrapper]:
    """Return the wrappers that the lines of a sample are in."""
    values = [value for line in lines if isinstance(value := _parse(line), dict)]
    matches = [choose_wrapper(value, wrappers) for value in values]
    return [wrapper for wrapper in wrappers if wrapper in matches]


def _parse(line: str) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _wrapped_lines(
    path: Path, encoding: str, used: list[Wrapper], reader: RecordReader, notes: list[str]
) -> Iterator[RawRow]:
    with path.open(encoding=encoding, errors="replace", newline="\n") as file:
        for number, line in _numbered(file):
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                yield _not_json(number, line)
            else:
                # Only the wrappers of the sample are tried: a line is in one of a few.
                wrapper = choose_wrapper(value, used) if isinstance(value, dict) else None
                yield from read_value(number, value, reader, wrapper)
    notes += reader.all_notes()


def _numbered(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    return enumerate((line for line in lines if line.strip()), start=1)


def _source(name: str, rows: Iterator[RawRow], notes: list[str]) -> RowSource:
    head = list(islice(rows, HEADER_SAMPLE))
    header = dict.fromkeys(column for row in head for column in row.cells)
    return RowSource(name, list(header), chain(head, rows), notes=notes, decimal=".")


def _from_lines(path: Path, encoding: str) -> Iterator[RawRow]:
    with path.open(encoding=encoding, errors="replace", newline="\n") as file:
        yield from parse_lines(file)


def parse_lines(lines: Iterable[str]) -> Iterator[RawRow]:
    """Parse JSON lines; a line that is not an object becomes a row with a problem."""
    for number, line in _numbered(lines):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            yield _not_json(number, line)
            continue
        if isinstance(value, dict):
            yield RawRow(number, flatten(value))
        else:
            yield RawRow(number, {}, NOT_AN_OBJECT, replace_surrogates(line.rstrip("\r\n")))


def _not_json(number: int, line: str) -> RawRow:
    return RawRow(number, {}, NOT_JSON, replace_surrogates(line.rstrip("\r\n")))
