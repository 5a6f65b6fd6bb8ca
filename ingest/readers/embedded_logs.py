"""Open the log records inside the cells of a table, such as `_raw` of a Splunk export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice

from ingest.readers.json_documents import HEADER_SAMPLE, NO_ERRORS_HEADER, read_value
from ingest.readers.json_records import RecordReader, parse_object
from ingest.readers.rows import RawRow, RowSource
from ingest.readers.wrapper_files import Wrapper, builtin_wrappers, choose_wrapper

RAW_HEADINGS = frozenset({"_raw", "@message", "customdimensions"})
"""Headings whose cells are always log records."""

_MESSAGE_HEADINGS = frozenset({"message", "log", "body", "msg", "textpayload"})
_SAMPLE = 50


def open_embedded_logs(source: RowSource, wrappers: Sequence[Wrapper] = ()) -> RowSource:
    """Return a table with the log records in its cells as rows; unchanged if it has none."""
    headings = {name.casefold(): name for name in source.header}
    raw = RAW_HEADINGS & headings.keys()
    messages = [headings[name] for name in _MESSAGE_HEADINGS & headings.keys()]
    if not raw and not any(_has_json(source, name) for name in messages):
        return source
    reader = RecordReader([*wrappers, *builtin_wrappers()])
    notes = source.notes
    rows = _open_rows(source.rows, reader, notes)
    head = list(islice(rows, HEADER_SAMPLE))
    header = list(dict.fromkeys(column for row in head for column in row.cells))
    opened = RowSource(source.name, header or list(NO_ERRORS_HEADER), chain(head, rows), notes=notes)
    opened.content_hash, opened.table = source.content_hash, "sync_error" if raw else None
    opened.renamed = reader.renamed
    return opened


def _has_json(source: RowSource, name: str) -> bool:
    cells = [row.cells.get(name) for row in source.peek(_SAMPLE)]
    filled = [cell for cell in cells if cell]
    return bool(filled) and 2 * sum(parse_object(cell) is not None for cell in filled) >= len(filled)


def _open_rows(rows: Iterator[RawRow], reader: RecordReader, notes: list[str]) -> Iterator[RawRow]:
    for row in rows:
        record = {name: cell for name, cell in row.cells.items() if cell}
        wrapper = choose_wrapper(record, reader.wrappers) if record else None
        if wrapper is None:
            yield row
        else:
            yield from read_value(row.number, record, reader, wrapper)
    notes += reader.all_notes()
