"""Turn the records of a JSON document into rows: one for each error in a record, none for a success.

A record may have a document inside it, such as the body of a failed request, or a log line, such as `_raw` of
Splunk. The rows of the inner document then have the cells of the outer record as well.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ingest.readers.flatten import flatten
from ingest.readers.levels import read_level, shows_error
from ingest.readers.log_lines import parse_line, read_pairs
from ingest.readers.rows import cell_text
from ingest.readers.text_logs import complete_record
from ingest.readers.wrapper_files import JsonPath, Wrapper, choose_wrapper

DEEPEST_INNER = 4
"""Documents inside documents that are opened."""

Cells = dict[str, str | None]

_EPOCH = re.compile(r"(\d{10})(\d{3}|\d{6}|\d{9})?(?:\.(\d{1,9}))?")
_TEMPLATE_NAME = re.compile(r"\{[@$]?(\w+)(?:[,:][^{}]*)?\}")
_SIMPLE_PATH = re.compile(r'(?:record|error)\.((?:[\w@]+|"[^"]+")(?:\.(?:[\w@]+|"[^"]+"))*)')


@dataclass(slots=True)
class RecordReader:
    """Reads records with the given wrappers, and counts the records that are no errors.

    `renamed` has the names of columns that replaced other names of members.
    """

    wrappers: Sequence[Wrapper]
    skipped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    titles: dict[str, None] = field(default_factory=dict)
    renamed: set[str] = field(default_factory=set)

    def read(self, wrapper: Wrapper, document: object) -> Iterator[tuple[int, Cells]]:
        """Yield the number and the cells of each row of a document; numbers count its records from 1."""
        self._add_notes(wrapper, document)
        self.titles.setdefault(wrapper.title)
        for number, record in enumerate(select_records(wrapper, document), start=1):
            for cells in self.read_record(wrapper, record, document):
                yield number, cells

    def skipped_notes(self) -> list[str]:
        """Return one note for each reason for which records were skipped."""
        return [f"{reason}, skipped: {count}" for reason, count in sorted(self.skipped.items())]

    def all_notes(self) -> list[str]:
        """Return the notes of the batch: the wrappers that were used, their notes, and the skipped records."""
        titles = [f"read as: {', '.join(self.titles)}"] if self.titles else []
        return [*titles, *self.notes, *self.skipped_notes()]

    def _add_notes(self, wrapper: Wrapper, document: object) -> None:
        texts = [path.search(document) for path in wrapper.notes]
        self.notes += [text for text in texts if isinstance(text, str) and text and text not in self.notes]

    def read_record(
        self, wrapper: Wrapper, record: object, document: object, depth: int = 0
    ) -> Iterator[Cells]:
        """Yield the rows of one record: none if it is a success or its level is no error."""
        record = _as_object(record)
        if not isinstance(record, dict):
            record = {"message": record}
        record = _open_members(record, wrapper.open)
        if wrapper.plain:
            yield flatten(record)
            return
        parts = wrapper.each.search(record) if wrapper.each else None
        parts = parts if isinstance(parts, list) else []
        failed = bool(wrapper.failed.search(record)) if wrapper.failed else not wrapper.each
        if not parts and (wrapper.inner or wrapper.level):
            parts = [None]
        elif not parts and not failed:
            self.skipped["records that succeeded"] += 1
        for part in parts or ([None] if failed else []):
            scope = {"document": document, "record": record, "error": part}
            yield from self._read_part(wrapper, scope, failed=failed or part is not None, depth=depth)

    def _read_part(
        self, wrapper: Wrapper, scope: dict[str, Any], *, failed: bool, depth: int
    ) -> Iterator[Cells]:
        outer = self._cells(wrapper, scope)
        inner = _parse_inner(wrapper.inner.search(scope), scope["record"]) if wrapper.inner else None
        if isinstance(inner, str):
            outer = {**outer, **_cells_of_text(inner, outer)}
        elif inner is not None and depth < DEEPEST_INNER:
            rows = list(self._read_inner(inner, depth + 1))
            certain = choose_wrapper(inner, self.wrappers)
            if rows and (failed or (certain and not certain.general and not certain.plain)):
                yield from ({**outer, **{name: cell for name, cell in row.items() if cell}} for row in rows)
                return
            if not rows and not wrapper.failed:
                return  # the inner document decided that it is no error
        if wrapper.failed and not failed and not wrapper.level:
            self.skipped["records that succeeded"] += 1
        elif reason := _reason_to_skip(wrapper, scope, outer, inner):
            self.skipped[reason] += 1
        else:
            yield outer

    def _read_inner(self, inner: object, depth: int) -> Iterator[Cells]:
        wrapper = choose_wrapper(inner, self.wrappers)
        if wrapper is None:
            records = inner if isinstance(inner, list) else [inner]
            yield from (flatten(record) for record in records if isinstance(record, dict))
        elif not wrapper.plain:
            for record in select_records(wrapper, inner):
                yield from self.read_record(wrapper, record, inner, depth)

    def _cells(self, wrapper: Wrapper, scope: dict[str, Any]) -> Cells:
        columns = {}
        for column, paths in wrapper.columns.items():
            text, path = _first_text(column, paths, scope)
            if text:
                columns[column] = (text, path)
                if path != column:
                    self.renamed.add(column)
        others = _other_headings(wrapper, {path for _, path in columns.values() if path})
        rest = _rest(wrapper, scope, {path for _, path in columns.values() if path}) if wrapper.rest else {}
        cells: Cells = {column: text for column, (text, _) in columns.items()}
        if message := cells.get("message"):
            cells |= _split_message(fill_template(message, scope["record"]))
        for name, cell in rest.items():
            if cells.get(name) in (None, cell) and name not in others:
                cells[name] = cell
            else:
                cells[f"{name} (outer)"] = cell
        if wrapper.level and (level := cell_text(wrapper.level.search(scope))):
            cells.setdefault("level", level)
        return cells


def select_records(wrapper: Wrapper, document: object) -> list[Any]:
    """Return the records of a document: those of its tables if the wrapper has tables."""
    tables = wrapper.tables.search(document) if wrapper.tables else None
    if isinstance(tables, list):
        return [record for table in tables for record in _table_records(table)]
    records = wrapper.records.search(document)
    return records if isinstance(records, list) else [] if records is None else [records]


def _table_records(table: object) -> Iterator[dict[str, Any]]:
    if not isinstance(table, dict) or not isinstance(table.get("rows"), list):
        return
    names = [
        each.get("name", "") if isinstance(each, dict) else str(each) for each in table.get("columns") or []
    ]
    for row in table["rows"]:
        if isinstance(row, list):
            yield dict(zip(map(str, names), row, strict=False))


def _as_object(record: object) -> object:
    """Return a list of `{field, value}` pairs as an object, and any other value unchanged."""
    if (
        isinstance(record, list)
        and record
        and all(isinstance(each, dict) and "field" in each for each in record)
    ):
        return {str(each["field"]): each.get("value") for each in record}
    return record


def _open_members(record: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    opened = {name: parse_object(record[name]) for name in names if isinstance(record.get(name), str)}
    return {**record, **{name: value for name, value in opened.items() if value is not None}}


def parse_object(text: object) -> dict[str, Any] | list[Any] | None:
    """Return the JSON object or list of objects that a text is; None if it is something else."""
    if isinstance(text, dict):
        return text
    if not isinstance(text, str) or text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_list = isinstance(value, list) and value and all(isinstance(each, dict) for each in value)
    return value if is_list or isinstance(value, dict) else None


def _other_headings(wrapper: Wrapper, moved: set[str]) -> set[str]:
    """Return the headings that could also fill a column that another one fills."""
    paths = [_SIMPLE_PATH.fullmatch(path.text) for paths in wrapper.columns.values() for path in paths]
    return {path[1].replace('"', "") for path in paths if path} - moved - wrapper.columns.keys()


def fill_template(message: str, record: Mapping[str, Any]) -> str:
    """Return a message with the values of its names in braces, if the record states that it is a template."""
    if not ({"@mt", "MessageTemplate"} & record.keys()):
        return message
    values = {**record, **(record["Properties"] if isinstance(record.get("Properties"), dict) else {})}
    return _TEMPLATE_NAME.sub(lambda match: cell_text(values.get(match[1])) or match[0], message)


def _split_message(message: str) -> Cells:
    first, _, below = message.partition("\n")
    if not below.strip():
        return {"message": message.strip()}
    frames = complete_record({"message": first}, below.split("\n"))
    return {name: frames[name] for name in ("message", "stack_trace") if name in frames}


def _parse_inner(value: object, record: Mapping[str, Any]) -> dict[str, Any] | list[Any] | str | None:
    if not isinstance(value, str):
        return value if isinstance(value, dict | list) and value else None
    content = (
        record.get("response", {}).get("content", {}) if isinstance(record.get("response"), dict) else {}
    )
    if isinstance(content, dict) and content.get("encoding") == "base64":
        try:
            value = base64.b64decode(value, validate=True).decode("utf-8", "replace")
        except (ValueError, binascii.Error):
            return None
    return parse_object(value) or value


def _cells_of_text(text: str, outer: Cells) -> Cells:
    """Return the cells of a log line, or of `key=value` pairs, in a text."""
    first, _, below = text.partition("\n")
    if line := parse_line(first):
        if outer.get("occurred_at"):
            line.pop("occurred_at", None)
        return dict(complete_record(line, below.splitlines()))
    pairs: Cells = dict(read_pairs(text))
    pairs = {name: cell for name, cell in pairs.items() if name == "message" or not outer.get(name)}
    if "message" in pairs and text != outer.get("message"):
        pairs.pop("message")
    if "message" in pairs:
        pairs["line"] = text
    return pairs


def _first_text(
    column: str, paths: Sequence[JsonPath], scope: dict[str, Any]
) -> tuple[str | None, str | None]:
    """Return the first text that a column's paths select, and the heading of its cell if the path is simple."""
    for path in paths:
        value = path.search(scope)
        if isinstance(value, dict) or value in (None, "", []) or isinstance(value, bool):
            continue
        text = cell_text(value)
        if column == "http_status":
            match = re.match(r"[1-5]\d\d\b", text or "")
            text = match[0] if match else None
        elif column == "occurred_at":
            text = read_epoch(text or "")
        if text and text.strip():
            simple = _SIMPLE_PATH.fullmatch(path.text)
            return text, simple[1].replace('"', "") if simple else None
    return None, None


def read_epoch(text: str) -> str:
    """Return a time in seconds, milli-, micro- or nanoseconds since 1970 in ISO format; other texts unchanged."""
    match = _EPOCH.fullmatch(text.strip())
    if match is None:
        return text
    seconds, digits, decimals = match.groups()
    time = datetime.fromtimestamp(int(seconds), UTC)
    micros = int(((digits or "") + (decimals or "")).ljust(6, "0")[:6])
    return time.replace(microsecond=micros).isoformat().replace("+00:00", "Z")


def _rest(wrapper: Wrapper, scope: dict[str, Any], moved: set[str]) -> Cells:
    record, part = scope["record"], scope["error"]
    kept = {name: value for name, value in record.items() if part is None or not _is_part(value, part)}
    cells = {name: cell for name, cell in flatten(kept).items() if name not in moved}
    if isinstance(part, dict):
        for name, cell in flatten(part).items():
            if name not in moved:
                cells.setdefault(f"error.{name}" if name in cells or name in wrapper.columns else name, cell)
    return cells


def _is_part(value: object, part: object) -> bool:
    return isinstance(value, list) and any(each is part for each in value)


def _reason_to_skip(wrapper: Wrapper, scope: dict[str, Any], cells: Cells, inner: object) -> str | None:
    """Return why a row is no error, by its level; None if it is one or if the wrapper has no levels."""
    text = " ".join(filter(None, (cells.get("message"), cells.get("error_type"))))
    if wrapper.failed and wrapper.failed.search(scope["record"]):
        level = read_level(cells.get("level"), _level_heading(wrapper))
        return "records with an information level" if level == "information" else None
    if wrapper.level is None and not isinstance(inner, str) and not cells.get("level"):
        return None
    level = read_level(cells.get("level"), _level_heading(wrapper))
    if level == "information":
        return "records with an information level"
    if level is None and (_names_error(cells) or (cells.get("http_status") or "") >= "400"):
        return None
    if level != "error" and not shows_error(text):
        return "warnings that show no error" if level else "records without a level that show no error"
    return None


def _names_error(cells: Cells) -> bool:
    return any(cell and name.startswith(("error", "exception")) for name, cell in cells.items())


def _level_heading(wrapper: Wrapper) -> str:
    text = wrapper.level.text if wrapper.level else "level"
    return "severitylevel" if "severityLevel" in text else "priority" if "PRIORITY" in text else "level"
