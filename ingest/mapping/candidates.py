"""The tables that a source could be: what speaks for and against each, and what it lacks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property

from ingest.mapping.column_choice import complete_mapping
from ingest.mapping.error_clues import error_clues
from ingest.mapping.headings import fold_heading
from ingest.mapping.kinds import Clue, Kind, kinds
from ingest.mapping.mapping import BUILTIN_MAPPINGS, ColumnMapping
from ingest.mapping.reshape import fitting_shape
from ingest.mapping.shapes import Shape
from ingest.mapping.value_clues import Cells

FEWEST_OWN_NAMES = 3
"""Own names of columns, such as occurred_at, that prove a table of errors whatever its values are."""
DISTINCT_POINTS = 25.0
"""Points for a heading that only sources of one mapping have."""


@dataclass(frozen=True)
class Candidate:
    """A table that a source could be: what speaks for and against it, and what it lacks."""

    mapping: ColumnMapping
    kind: Kind
    clues: tuple[Clue, ...]
    lacks: tuple[str, ...]
    header: tuple[str, ...] = ()
    shape: Shape | None = None
    is_empty: bool = False

    @property
    def table(self) -> str:
        """Return the name of the table."""
        return self.mapping.contract.table

    @cached_property
    def assigned(self) -> Mapping[str, str]:
        """Return the heading of each column that the mapping fills."""
        return self.mapping.assign(self.header)

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


def rank_candidates(
    header: Sequence[str],
    cells: Cells,
    *,
    as_kind: str | None = None,
    custom_mappings: Sequence[ColumnMapping] = (),
    renamed: AbstractSet[str] = frozenset(),
) -> list[Candidate]:
    """Return every table that a source could be, best first; custom mappings come first if they fit.

    `renamed` has the headings that the reader of the file chose: they do not prove a table.
    """
    written = [heading for heading in header if heading not in renamed]
    mappings = [*custom_mappings, *(each for each in BUILTIN_MAPPINGS if _may_be(each, header))]
    candidates = [
        _candidate(mapping, header, cells, written)
        for mapping in mappings
        if as_kind in (None, mapping.contract.table)
    ]
    shape = fitting_shape(header)
    if shape and as_kind in (None, shape.table):
        clue = Clue(f"it has the columns of the {shape.name}", DISTINCT_POINTS)
        mapping = next(m for m in BUILTIN_MAPPINGS if m.contract is shape.contract and not m.aliases)
        candidates.append(Candidate(mapping, kinds()[shape.table], (clue,), (), tuple(header), shape))
    return sorted(candidates, key=_rank)


def _may_be(mapping: ColumnMapping, header: Sequence[str]) -> bool:
    # A list of errors of one product has that product's headings; the ordinary headings are in the error list.
    is_errors = kinds()[mapping.contract.table].values == "errors"
    return not (is_errors and mapping.is_of_one_vendor) or mapping.is_distinct(header)


def _rank(candidate: Candidate) -> tuple[bool, bool, bool, float]:
    custom = candidate.mapping.is_custom and not candidate.lacks
    return (
        not custom,
        not candidate.is_sufficient,
        bool(candidate.lacks),
        candidate.least - candidate.score,
    )


def _candidate(
    mapping: ColumnMapping, header: Sequence[str], cells: Cells, written: Sequence[str]
) -> Candidate:
    kind = kinds()[mapping.contract.table]
    mapping = complete_mapping(header, cells, mapping)
    assigned = mapping.assign(header)
    clues = [*_heading_clues(mapping, assigned, kind)]
    if mapping.is_distinct(header):
        clues.append(Clue(f"it has columns that only {mapping.title} has", DISTINCT_POINTS))
    elif kind.has_signature(written) or (kind.values == "errors" and _has_own_names(assigned, written)):
        clues.append(Clue("it has SyncLens's own column names", kind.least))
    elif kind.values == "errors" and len(assigned) > 0:
        clues += error_clues(assigned, header, cells, kind)
    is_empty = not any(cells.values())
    lacks = tuple(_lacks(mapping, header, kind))
    return Candidate(mapping, kind, tuple(clues), lacks, tuple(header), is_empty=is_empty)


def _has_own_names(assigned: Mapping[str, str], written: Sequence[str]) -> bool:
    own = {name for name, heading in assigned.items() if "_" in name and heading == name and name in written}
    return len(own) >= FEWEST_OWN_NAMES and bool(own & {"occurred_at", "event_id", "error_type"})


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
