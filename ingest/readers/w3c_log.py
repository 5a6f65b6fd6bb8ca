"""Read logs in the W3C extended format, as IIS writes them: `#Fields:` names the columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice

from ingest.readers.rows import RawRow, RowSource, replace_surrogates

_FIELDS = "#Fields:"
_COLUMNS = {"cs-username": "user_id", "sc-status": "http_status"}


def is_w3c_log(start: str) -> bool:
    """Return whether a text has the directive of the W3C format among its first lines."""
    return any(line.startswith(_FIELDS) for line in start.split("\n", 20)[:20])


def read_w3c_log(lines: Iterable[str], name: str) -> RowSource:
    """Read the failed requests of a log: those with a status of 400 or more."""
    notes = ["read as a log: W3C extended format"]
    rows = _rows(lines, notes)
    head = list(islice(rows, 200))
    usual = ["occurred_at", "message", "http_status", "user_id"]
    header = list(dict.fromkeys([*usual, *(column for row in head for column in row.cells)]))
    return RowSource(name, header, chain(head, rows), notes=notes, table="sync_error")


def _rows(lines: Iterable[str], notes: list[str]) -> Iterator[RawRow]:
    fields: list[str] = []
    successful = 0
    for number, line in enumerate(lines, start=1):
        text = replace_surrogates(line.strip("\r\n\ufeff"))
        if text.startswith(_FIELDS):
            fields = text.removeprefix(_FIELDS).split()
        elif text.strip() and not text.startswith("#"):
            values = text.split()
            if len(values) != len(fields):
                problem = f"row: has {len(values)} cells where the header has {len(fields)}"
                yield RawRow(number, {}, problem, text)
            elif (cells := _cells(dict(zip(fields, values, strict=True)))) is not None:
                yield RawRow(number, cells)
            else:
                successful += 1
    if successful:
        notes.append(f"successful requests, skipped: {successful}")


def _cells(values: dict[str, str]) -> dict[str, str | None] | None:
    status = values.get("sc-status", "")
    if not status.isdecimal() or int(status) < 400:
        return None
    cells: dict[str, str | None] = {
        _COLUMNS.get(name, name): value for name, value in values.items() if value != "-"
    }
    if "date" in values and "time" in values:
        cells["occurred_at"] = f"{values['date']}T{values['time']}Z"  # always UTC
    request = [values.get(name, "") for name in ("cs-method", "cs-uri-stem")]
    cells["message"] = " ".join([*filter(None, request), status])
    return cells
