"""Read the errors in files without a store: whatever can be loaded can be read here, and the other way round.

Only messages, types or codes are needed: neither a time nor a user.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ingest.contracts.tables import CONTRACTS
from ingest.errors import IngestError, MissingColumns, NotErrors, SourceUnreadable, UnknownKind
from ingest.mapping.header_search import recognize_below_titles
from ingest.mapping.mapping import ColumnMapping, read_mapping
from ingest.mapping.recognition import Recognition, recognize
from ingest.readers.detect import open_sources
from ingest.readers.folders import group_inputs
from ingest.readers.rows import RawRow, RowSource, SkippedPart
from ingest.readers.wrapper_files import Wrapper, read_wrapper

ERRORS = "sync_error"
NO_ROWS = "No results to display"


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """One error in a file: where it is, and its cells by the columns of `sync_error`.

    A row that could not be read has a `problem` and its text as `message`.
    """

    source: str
    row: int
    cells: Mapping[str, str]
    problem: str | None = None


@dataclass(slots=True)
class ErrorPart:
    """One table in a file: how many errors it has, notes on it, or the reason why it was not read."""

    name: str
    errors: int = 0
    notes: list[str] = field(default_factory=list)
    error: IngestError | None = None
    is_expected: bool = False


@dataclass(slots=True)
class ErrorReading:
    """The errors in files; `parts` is complete once all events are read."""

    paths: list[Path]
    as_kind: str | None
    mappings: list[ColumnMapping]
    wrappers: list[Wrapper]
    encoding: str | None
    parts: list[ErrorPart] = field(default_factory=list)

    def __iter__(self) -> Iterator[ErrorEvent]:
        """Yield each error, in the order of the files and of their rows."""
        for path, names in group_inputs(self.paths):
            try:
                for part in open_sources(path, encoding=self.encoding, names=names, wrappers=self.wrappers):
                    yield from self._read_part(part)
            except IngestError as error:
                self.parts.append(ErrorPart(path.name or str(path), error=error))

    def _read_part(self, part: RowSource | SkippedPart) -> Iterator[ErrorEvent]:
        if isinstance(part, SkippedPart):
            error = SourceUnreadable(part.name, part.reason, part.next_step)
            self.parts.append(ErrorPart(part.name, error=error, is_expected=part.expected))
            return
        summary = ErrorPart(part.name, notes=part.notes)
        self.parts.append(summary)
        if part.header == [NO_ROWS]:
            return
        try:
            recognition = self._recognize(part)
        except IngestError as error:
            summary.error, summary.is_expected = error, part.may_be_unknown
            return
        for row in recognition.source.rows:
            summary.errors += 1
            yield _event(recognition, row)
        summary.notes = list(dict.fromkeys([*part.notes, *recognition.source.notes]))

    def _recognize(self, source: RowSource) -> Recognition:
        """Recognize a table of errors. Raises NotErrors for other tables, and MissingColumns."""
        try:
            recognition = self._search(source, self.as_kind or source.table)
        except UnknownKind as unknown:
            # The user states that these are errors; a message, a type or a status is enough.
            try:
                return self._search(source, ERRORS)
            except MissingColumns:
                raise unknown from None
        table = recognition.mapping.contract.table
        if table != ERRORS:
            raise NotErrors(source.name, f"its rows are those of {table}", "Load it with `synclens load`.")
        return recognition

    def _search(self, opened: RowSource, kind: str | None) -> Recognition:
        """Recognize a table below titles, as a load does."""

        def recognize_one(source: RowSource) -> Recognition:
            return recognize(source, as_kind=kind, custom_mappings=self.mappings, needs_time=False)

        return recognize_below_titles(opened, recognize_one)


def read_errors(
    paths: Iterable[Path | str],
    *,
    as_kind: str | None = None,
    mappings: Iterable[Path | str] = (),
    wrappers: Iterable[Path | str] = (),
    encoding: str | None = None,
) -> ErrorReading:
    """Return the errors in files, folders or standard input (`-`), to iterate over.

    `mappings` are custom mapping files, `wrappers` custom wrapper files. `encoding` overrides the detected
    encoding. A file that cannot be read does not end the reading: its part has the error.
    """
    return ErrorReading(
        paths=[Path(path) for path in paths],
        as_kind=as_kind,
        mappings=[read_mapping(Path(each)) for each in mappings],
        wrappers=[read_wrapper(Path(each)) for each in wrappers],
        encoding=encoding,
    )


def _event(recognition: Recognition, row: RawRow) -> ErrorEvent:
    source, mapping = recognition.source, recognition.mapping
    if row.problem:
        return ErrorEvent(source.name, row.number, {"message": row.original_text()}, row.problem)
    assigned = mapping.assign(source.header)
    cells: dict[str, str] = {}
    for column in CONTRACTS[ERRORS].names:
        cell = row.cells.get(assigned.get(column, "")) if column in assigned else None
        text = cell or source.defaults.get(column) or mapping.constants.get(column)
        if text and text.strip():
            cells[column] = _meaning(mapping, column, text)
    return ErrorEvent(source.name, row.number, cells)


def _meaning(mapping: ColumnMapping, column: str, text: str) -> str:
    words = mapping.cell_format.values.get(column)
    if not words:
        return text
    return {word.strip().lower(): value for word, value in words.items()}.get(text.strip().lower(), text)
