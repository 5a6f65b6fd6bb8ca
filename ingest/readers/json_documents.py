"""Read JSON documents: find the records wherever they are, and yield one source for each list of records.

A wrapper (`wrappers/*.toml`) describes where a system keeps its records. In other documents, all lists of
objects are searched for, and those that look most like errors or syncs are read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any

from ingest.readers.flatten import flatten
from ingest.readers.json_records import RecordReader
from ingest.readers.json_search import find_best_lists
from ingest.readers.rows import RawRow, RowSource, replace_surrogates
from ingest.readers.wrapper_files import Wrapper, builtin_wrappers, choose_wrapper

HEADER_SAMPLE = 200
"""Rows from which the column names are collected; JSON rows may omit empty columns."""
NOT_AN_OBJECT = "row: is not a JSON object"
NO_ERRORS_HEADER = ("error_type", "message")


def read_json_documents(
    documents: Sequence[Any], *, name: str, wrappers: Sequence[Wrapper] = ()
) -> list[RowSource]:
    """Read the documents of one text: usually one, or several that follow each other."""
    all_wrappers = [*wrappers, *builtin_wrappers()]
    if len(documents) == 1 or all(_is_wrapped_list(each, all_wrappers) for each in documents):
        return [source for document in documents for source in _read_document(document, name, all_wrappers)]
    return [_rows_of_records(list(documents), name, all_wrappers)]


def read_json_page(page: object, *, name: str, wrappers: Sequence[Wrapper] = ()) -> RowSource:
    """Read a parsed JSON document as one source: its first list of records."""
    return read_json_documents([page], name=name, wrappers=wrappers)[0]


def _is_wrapped_list(document: object, wrappers: Sequence[Wrapper]) -> bool:
    wrapper = choose_wrapper(document, wrappers)
    return wrapper is not None and wrapper.records.text not in ("[@]", "[result]", "results || [result]")


def _read_document(document: object, name: str, wrappers: Sequence[Wrapper]) -> Iterator[RowSource]:
    if wrapper := choose_wrapper(document, wrappers):
        yield _wrapped(document, wrapper, name, wrappers)
        return
    if isinstance(document, list):
        yield _rows_of_records(document, name, wrappers)
        return
    lists = find_best_lists(document, lambda records: choose_wrapper(records, wrappers) is not None)
    if not lists:
        yield _rows_of_records([document], name, wrappers)
    for each in lists:
        part = f"{name}#{each.path}" if len(lists) > 1 else name
        if wrapper := choose_wrapper(each.records, wrappers):
            source = _wrapped(each.records, wrapper, part, wrappers)
        else:
            source = _rows_of_records(each.records, part, wrappers)
        source.notes.insert(0, f"read the {len(each.records)} records at {each.path}")
        yield source


def _wrapped(document: object, wrapper: Wrapper, name: str, wrappers: Sequence[Wrapper]) -> RowSource:
    reader = RecordReader(wrappers)
    notes: list[str] = []
    rows = (RawRow(number, cells) for number, cells in reader.read(wrapper, document))
    source = _source(name, _finish(rows, reader, notes), notes)
    source.table = "sync_error" if wrapper.errors else None
    source.renamed = reader.renamed
    refusal = wrapper.refusal.search(document) if wrapper.refusal else None
    source.refusal = f"it is no data: the API refused the call ({refusal})" if refusal else None
    if not source.header:
        source.header = source.headings = list(wrapper.columns or NO_ERRORS_HEADER)
    return source


def _rows_of_records(records: list[Any], name: str, wrappers: Sequence[Wrapper]) -> RowSource:
    reader = RecordReader(wrappers)
    notes: list[str] = []
    source = _source(name, _finish(read_values(records, reader), reader, notes), notes)
    source.renamed = reader.renamed
    if not source.header and reader.skipped:
        source.header = list(NO_ERRORS_HEADER)
    return source


def read_values(values: Sequence[Any] | Iterator[Any], reader: RecordReader) -> Iterator[RawRow]:
    """Yield the rows of values that follow each other, each perhaps in a wrapper."""
    for number, value in enumerate(values, start=1):
        wrapper = choose_wrapper(value, reader.wrappers) if isinstance(value, dict) else None
        yield from read_value(number, value, reader, wrapper)


def read_value(number: int, value: object, reader: RecordReader, wrapper: Wrapper | None) -> Iterator[RawRow]:
    """Yield the rows of one value: those in its wrapper, itself if it is an object, or a row with a problem."""
    if not isinstance(value, dict):
        yield RawRow(number, {}, NOT_AN_OBJECT, replace_surrogates(json.dumps(value)))
    elif wrapper:
        yield from (RawRow(number, cells) for _, cells in reader.read(wrapper, value))
    else:
        yield RawRow(number, flatten(value))


def _finish(rows: Iterator[RawRow], reader: RecordReader, notes: list[str]) -> Iterator[RawRow]:
    yield from rows
    notes += reader.all_notes()


def _source(name: str, rows: Iterator[RawRow], notes: list[str]) -> RowSource:
    head = list(islice(rows, HEADER_SAMPLE))
    header = dict.fromkeys(column for row in head for column in row.cells)
    return RowSource(name, list(header), chain(head, rows), notes=notes, decimal=".")
