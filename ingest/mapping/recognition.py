"""Recognize which table the rows of a source belong to, by stated evidence and a score.

A kind of table has what it needs, what speaks for it and the least score in `kinds/<table>.toml`. Below that score
nothing is loaded, and the error lists the candidates with what speaks for and against each. A mapping that the user
passes, or `--as`, needs no score.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ingest.contracts.tables import CONTRACTS
from ingest.errors import MissingColumns, UnknownKind
from ingest.mapping.column_choice import choose_columns
from ingest.mapping.column_report import column_notes
from ingest.mapping.error_clues import error_clues
from ingest.mapping.headings import fold_heading
from ingest.mapping.kinds import Clue, Kind, kinds
from ingest.mapping.mapping import BUILTIN_MAPPINGS, ColumnMapping
from ingest.mapping.reshape import Shape, fitting_shape, reshape_as
from ingest.mapping.row_filters import filter_rows
from ingest.mapping.row_times import with_times
from ingest.mapping.value_clues import Cells, sample_cells
from ingest.readers.rows import RowSource

SAMPLE_ROWS = 500
"""Rows at the beginning of a source whose values count as evidence."""
DISTINCT_POINTS = 10.0
"""Points for a heading that only sources of one mapping have."""
MOST_CANDIDATES = 3


@dataclass(frozen=True)
class Candidate:
    """A table that a source could be: what speaks for and against it, and what it lacks."""

    mapping: ColumnMapping
    kind: Kind
    clues: tuple[Clue, ...]
    lacks: tuple[str, ...]
    shape: Shape | None = None
    is_empty: bool = False

    @property
    def table(self) -> str:
        """Return the name of the table."""
        return self.mapping.contract.table

    @property
    def score(self) -> float:
        """Return the sum of all points."""
        return sum(clue.points for clue in self.clues)

    @property
    def least(self) -> float:
        """Return the least score; without rows only the headings can speak, so half of it is enough."""
        return self.kind.least / 2 if self.is_empty else self.kind.least

    @property
    def is_sufficient(self) -> bool:
        """Return whether the source may be loaded as this table."""
        return not self.lacks and self.score >= self.least

    def describe(self) -> str:
        """Return one line with the score, what is missing, and what speaks for and against."""
        against = [clue for clue in self.clues if clue.points < 0]
        clues = sorted(self.clues, key=lambda clue: -abs(clue.points))[:6]
        parts = [f"it lacks: {'; '.join(self.lacks)}"] if self.lacks else []
        for title, listed in (
            ("for", [c for c in clues if c.points > 0]),
            ("against", [c for c in clues if c in against]),
        ):
            if listed:
                parts.append(f"{title}: {', '.join(clue.text for clue in listed)}")
        return f"{self.kind.title} ({self.table}): {self.score:.1f} of {self.least:.1f} points; " + "; ".join(
            parts
        )


@dataclass(frozen=True)
class Recognition:
    """What a source was recognized as.

    `source` has the rows to load, converted and filtered, and `mapping` the final assignment of its columns.
    `candidates` are all tables that were considered, best first. The notes are in `source.notes`.
    """

    source: RowSource
    mapping: ColumnMapping
    candidates: tuple[Candidate, ...] = ()
    clues: tuple[Clue, ...] = field(default=())

    @property
    def score(self) -> float:
        """Return the points of the recognized table."""
        return sum(clue.points for clue in self.clues)


def recognize(
    source: RowSource,
    *,
    as_kind: str | None = None,
    custom_mappings: Iterable[ColumnMapping] = (),
    at: datetime | None = None,
    needs_time: bool = True,
) -> Recognition:
    """Recognize the table of a source, and return its rows ready to load.

    `as_kind` sets the table. `at` is the time of rows without one; set `needs_time` to False if rows without a time
    are of use. Raises UnknownKind with the candidates, MissingColumns
    with what a given table or mapping lacks, and AmbiguousHeadings.
    """
    custom = [each for each in custom_mappings if as_kind in (None, each.contract.table)]
    cells = sample_cells(source.header, source.peek(SAMPLE_ROWS))
    candidates = rank_candidates(source.header, cells, as_kind=as_kind, custom_mappings=custom)
    winner = _choose(source, candidates, as_kind, custom)
    if winner.shape:
        reshaped = reshape_as(source, winner.shape)
        return Recognition(reshaped, winner.mapping, tuple(candidates), winner.clues)
    winner.mapping.check_headings(source.name, source.header)
    choice = choose_columns(source.header, cells, winner.mapping)
    source.notes += choice.notes
    source.notes += column_notes(source.header, choice.mapping, winner.mapping, custom)
    loaded = filter_rows(source, choice.mapping, cells)
    if needs_time:
        loaded, mapping = with_times(loaded, choice.mapping, cells, at=at)
    else:
        mapping = choice.mapping
    return Recognition(loaded, mapping, tuple(candidates), winner.clues)


def rank_candidates(
    header: Sequence[str],
    cells: Cells,
    *,
    as_kind: str | None = None,
    custom_mappings: Sequence[ColumnMapping] = (),
) -> list[Candidate]:
    """Return every table that a source could be, best first; custom mappings come first if they fit."""
    mappings = [*custom_mappings, *BUILTIN_MAPPINGS]
    candidates = [
        _candidate(mapping, header, cells)
        for mapping in mappings
        if as_kind in (None, mapping.contract.table)
    ]
    shape = fitting_shape(header)
    if shape and as_kind in (None, shape.table):
        clue = Clue(f"it has the columns of the {shape.name}", DISTINCT_POINTS)
        mapping = next(m for m in BUILTIN_MAPPINGS if m.contract is shape.contract and not m.aliases)
        candidates.append(Candidate(mapping, kinds()[shape.table], (clue,), (), shape))
    return sorted(candidates, key=_rank)


def _rank(candidate: Candidate) -> tuple[bool, bool, bool, float]:
    custom = candidate.mapping.is_custom and not candidate.lacks
    return (
        not custom,
        not candidate.is_sufficient,
        bool(candidate.lacks),
        candidate.least - candidate.score,
    )


def _candidate(mapping: ColumnMapping, header: Sequence[str], cells: Cells) -> Candidate:
    kind = kinds()[mapping.contract.table]
    assigned = mapping.assign(header)
    clues = [*_heading_clues(mapping, assigned, kind)]
    if mapping.is_distinct(header):
        clues.append(Clue(f"it has columns that only {mapping.title} has", DISTINCT_POINTS))
    elif kind.values == "errors" and len(assigned) > 0:
        clues += error_clues(assigned, header, cells, kind)
    is_empty = not any(cells.values())
    return Candidate(mapping, kind, tuple(clues), tuple(_lacks(mapping, header, kind)), is_empty=is_empty)


def _heading_clues(mapping: ColumnMapping, assigned: Mapping[str, str], kind: Kind) -> Iterable[Clue]:
    marked = 0.0
    for column, heading in assigned.items():
        is_own = fold_heading(heading) == fold_heading(column)
        points = kind.points.own + (0.5 if "_" in column else 0.0) if is_own else kind.points.accepted
        points = (
            kind.points.columns.get(column, points)
            if not is_own
            else max(points, kind.points.columns.get(column, 0))
        )
        if kind.marks.name(column, heading) and marked < kind.marks.most:
            added = min(kind.marks.points, kind.marks.most - marked)
            marked += added
            points += added
        yield Clue(f"{heading!r} is {column}", points)


def _lacks(mapping: ColumnMapping, header: Sequence[str], kind: Kind) -> Iterable[str]:
    filled = set(mapping.assign(header)) | set(mapping.constants)
    from_document = {kind.time.column} if kind.time and kind.time.from_document else set()
    if mapping.is_custom:
        from_document -= {column for column, names in mapping.aliases.items() if names}
    missing = set(mapping.missing_columns(header)) - from_document
    for column, names in mapping.names_for(mapping.contract.names).items():
        if column in missing:
            yield f"{column} (accepted names: {', '.join(names[:12])})"
    groups = [need.one_of for need in kind.needs] if not mapping.is_custom or kind.values else []
    if mapping.any_of:
        groups = list(mapping.any_of)
    reasons = {need.one_of: need.because for need in kind.needs}
    for group in groups:
        if not (filled | missing) & set(group):
            reason = reasons.get(group)
            yield f"one of {', '.join(group)}" + (f": {reason}" if reason else "")


def _choose(
    source: RowSource, candidates: Sequence[Candidate], as_kind: str | None, custom: Sequence[ColumnMapping]
) -> Candidate:
    fitting_custom = [each for each in candidates if each.mapping.is_custom and not each.lacks]
    if fitting_custom:
        return max(fitting_custom, key=lambda each: len(each.mapping.assign(source.header)))
    sufficient = [each for each in candidates if each.is_sufficient or (as_kind and not each.lacks)]
    if sufficient and not (custom and as_kind):
        return sufficient[0]
    if custom or as_kind:
        closest = max(
            (each for each in candidates if not custom or each.mapping.is_custom),
            key=lambda each: len(each.mapping.assign(source.header)),
        )
        title = closest.mapping.title if closest.mapping.is_custom else None
        raise MissingColumns(source.name, closest.table, closest.lacks, source.header, title)
    advised = [
        each
        for each in _nearest_of_each_table(candidates)
        if each.kind.advise and each.mapping.assign(source.header)
    ]
    raise UnknownKind(
        source.name,
        source.header,
        [table for table in CONTRACTS if kinds()[table].advise],
        candidates=[each.describe() for each in advised[:MOST_CANDIDATES]],
    )


def _nearest_of_each_table(candidates: Sequence[Candidate]) -> list[Candidate]:
    best: dict[str, Candidate] = {}
    for each in sorted(candidates, key=lambda each: each.least - each.score + 2 * len(each.lacks)):
        best.setdefault(each.table, each)
    return list(best.values())
