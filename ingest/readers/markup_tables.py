"""Read the tables of an HTML or XML file, as systems write that export ".xls" without being Excel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from ingest.readers.rows import RowSource
from ingest.readers.sheets import Cells, open_sheet

_MARKUP = re.compile(
    r"\s*(?:<!--.*?-->\s*)?<(?:!doctype html|html|table|\?xml|workbook|meta|style|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
_TABLES = frozenset({"table"})
_ROWS = frozenset({"tr", "row"})
_CELLS = frozenset({"td", "th", "cell"})
_BREAKS = frozenset({"br", "p", "div"})
_LONGEST_HEADING = 80
_MOST_COLUMNS = 2_000


def is_markup(start: str) -> bool:
    """Return whether a text begins like HTML or XML."""
    return _MARKUP.match(start) is not None


def is_xml(start: str) -> bool:
    """Return whether a text begins like XML that is not HTML."""
    return start.lstrip()[:5].lower() == "<?xml" and "<html" not in start.lower()


def read_markup_tables(text: str, name: str) -> Iterator[RowSource]:
    """Yield a source for each table of a text in HTML, or in the XML format of Excel 2003.

    A table has at least two rows and two columns, and short cells in its first row: others only place text.
    """
    parser = _TableParser()
    parser.feed(text)
    parser.close()
    tables = [(title, rows) for title, rows in parser.tables if _is_data(rows)]
    for number, (title, rows) in enumerate(tables, start=1):
        part = name if len(tables) == 1 else f"{name}#{title or f'table {number}'}"
        if source := open_sheet(part, rows):
            yield source


def _is_data(rows: list[Cells]) -> bool:
    filled = [row for row in rows if sum(bool(cell) for cell in row) > 1]
    return len(filled) > 1 and all(len(cell or "") <= _LONGEST_HEADING for cell in filled[0])


class _TableParser(HTMLParser):
    """Collects the rows of each table that has no other table in it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[tuple[str | None, list[Cells]]] = []
        self._open: list[list[Cells] | None] = []
        self._row: list[str | None] | None = None
        self._cell: list[str] | None = None
        self._span = 1
        self._title: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "worksheet":
            self._title = values.get("ss:name")
        elif tag in _TABLES:
            if self._open:
                self._open[-1] = None  # it only places other tables
            self._open.append([])
        elif tag in _ROWS:
            self._end_row()
            self._row = []
        elif tag in _CELLS:
            self._start_cell(values)
        elif tag in _BREAKS and self._cell:
            self._cell.append("\n")

    def _start_cell(self, values: dict[str, str | None]) -> None:
        self._end_cell()
        self._row = [] if self._row is None else self._row
        index = values.get("ss:index") or ""
        if index.isdecimal():
            self._row += [None] * (min(int(index), _MOST_COLUMNS) - 1 - len(self._row))
        span = values.get("colspan") or ""
        self._span = min(int(span), _MOST_COLUMNS) if span.isdecimal() else 1
        self._cell = []

    def handle_endtag(self, tag: str) -> None:
        if tag in _CELLS:
            self._end_cell()
        elif tag in _ROWS:
            self._end_row()
        elif tag in _TABLES and self._open:
            self._end_row()
            if (rows := self._open.pop()) is not None:
                self.tables.append((self._title, rows))

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)

    def _end_cell(self) -> None:
        if self._cell is not None and self._row is not None:
            text = "\n".join(" ".join(line.split()) for line in "".join(self._cell).split("\n")).strip()
            self._row += [text or None, *([None] * (self._span - 1))]
        self._cell = None

    def _end_row(self) -> None:
        self._end_cell()
        if self._row and self._open and self._open[-1] is not None:
            self._open[-1].append(tuple(self._row))
        self._row = None
