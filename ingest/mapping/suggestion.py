"""Write a mapping file for a source that is not recognized, for the user to check and pass with `--mapping`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.errors import SourceUnreadable, UnknownKind
from ingest.mapping.candidates import Candidate, rank_candidates
from ingest.mapping.column_choice import choose_columns
from ingest.mapping.error_clues import level_column
from ingest.mapping.kinds import kinds
from ingest.mapping.likeness import find_likenesses, longest_text
from ingest.mapping.recognition import SAMPLE_ROWS
from ingest.mapping.value_clues import Cells, level_of, sample_cells
from ingest.readers.detect import open_sources
from ingest.readers.rows import RowSource

_SLASHED = re.compile(r"\d{1,2}[/-]\d{1,2}[/-]\d{2,4}.*")
_LIKELY = 0.6


@dataclass(frozen=True)
class Suggestion:
    """A mapping file as text, the table it is for, and whether the table is recognized without it."""

    text: str
    table: str
    is_recognized: bool


@dataclass(frozen=True)
class _Line:
    column: str
    heading: str
    reason: str


def suggest_mapping(
    path: Path | str, *, as_kind: str | None = None, encoding: str | None = None
) -> Suggestion:
    """Return a mapping file for the first table of a file or folder. Raises an IngestError if there is none."""
    for source in open_sources(path, encoding=encoding):
        if isinstance(source, RowSource) and source.header:
            return suggest_mapping_for_rows(source, as_kind=as_kind)
    raise SourceUnreadable(str(path), "it has no table")


def suggest_mapping_for_rows(source: RowSource, *, as_kind: str | None = None) -> Suggestion:
    """Return a mapping file for a source. Raises UnknownKind if no table is near."""
    cells = sample_cells(source.header, source.peek(SAMPLE_ROWS))
    candidates = [
        each
        for each in rank_candidates(source.header, cells, as_kind=as_kind, renamed=source.renamed)
        if each.shape is None and (each.kind.advise or as_kind)
    ]
    options = [(each, _lines(each, source.header, cells)) for each in candidates]
    complete = [(each, lines) for each, lines in options if not _unmet(each, lines)]
    if not complete:
        raise UnknownKind(
            source.name,
            source.header,
            list(kinds()),
            candidates=[each.describe() for each, _ in options[:3]],
            next_step="Write a mapping file by hand (docs/ingest.md has an example): no column looks like what "
            "one of these tables needs.",
        )
    best, lines = max(
        complete,
        key=lambda option: (option[0].is_sufficient, option[0].score - option[0].kind.least, len(option[1])),
    )
    text = "\n".join(_text(source, best, lines, cells)) + "\n"
    return Suggestion(text, best.table, best.is_sufficient)


def _lines(candidate: Candidate, header: Sequence[str], cells: Cells) -> list[_Line]:
    mapping = choose_columns(header, cells, candidate.mapping).mapping
    lines = [
        _Line(column, heading, "a known name for it") for column, heading in mapping.assign(header).items()
    ]
    lines += [
        _Line(each.column, each.heading, each.reason)
        for each in find_likenesses(header, cells, mapping)
        if each.degree >= _LIKELY
    ]
    filled = {line.column for line in lines}
    if candidate.kind.values == "errors" and "message" not in filled:
        text = longest_text(header, cells, {line.heading for line in lines})
        if text:
            lines.append(_Line("message", text, "it has the longest texts: check that they are the errors"))
    order = {name: number for number, name in enumerate(mapping.contract.names)}
    return sorted(lines, key=lambda line: order[line.column])


def _unmet(candidate: Candidate, lines: Sequence[_Line]) -> set[str]:
    kind, contract = candidate.kind, candidate.mapping.contract
    filled = {line.column for line in lines}
    from_document = {kind.time.column} if kind.time and kind.time.from_document else set()
    unmet = set(contract.required) - filled - from_document - candidate.mapping.constants.keys()
    return unmet | {
        need.because for need in kind.needs if not {*filled, *candidate.mapping.constants} & set(need.one_of)
    }


def _text(source: RowSource, candidate: Candidate, lines: Sequence[_Line], cells: Cells) -> Iterator[str]:
    kind, contract = candidate.kind, candidate.mapping.contract
    yield f"# A mapping for {_comment(source.name)}, suggested from its headings and first rows."
    yield f"# Check each line, then run: synclens load {_comment(source.name)} --mapping THIS_FILE"
    yield f"kind = {_quoted(contract.table)}  # {kind.title}: {kind.describes}"
    times = [
        cell
        for line in lines
        if line.column in _time_columns(candidate)
        for cell in cells.get(line.heading, [])
    ]
    if any(_SLASHED.fullmatch(cell) for cell in times):
        yield '# date_order = "dmy"  # or "mdy": the order of day and month, if the dates do not show it'
    if times and not any(cell.endswith("Z") or "+" in cell for cell in times):
        yield '# time_zone = "Europe/Berlin"  # the zone of the times; UTC if you leave this out'
    yield ""
    yield "[columns]"
    for line in lines:
        yield f"{line.column} = [{_quoted(line.heading)}]  # {_comment(line.reason)}"
    taken = {line.heading for line in lines}
    if kind.time and kind.time.column not in {line.column for line in lines}:
        yield f'# {kind.time.column} = ["…"]  # no column has times: pass --at TIME, or the time of the file is used'
    level = (
        level_column(source.header, {line.column: line.heading for line in lines}, cells)
        if kind.values
        else None
    )
    for heading in source.header:
        if heading not in taken and heading != level:
            sample = next(iter(cells.get(heading, [])), "empty")
            yield f"# without a place, kept in extra: {_comment(heading)} ({_comment(sample[:40])})"
    if level:
        values = sorted({cell for cell in cells[level] if level_of(cell) is False})
        yield ""
        yield "[skip]  # rows with these values are no errors: add other values that are none"
        yield f"{_quoted(level)} = [{', '.join(map(_quoted, values))}]"


def _time_columns(candidate: Candidate) -> set[str]:
    return {column.name for column in candidate.mapping.contract.columns if column.kind == "time"}


def _quoted(text: str) -> str:
    """Return a TOML string."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in quoted)


def _comment(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
