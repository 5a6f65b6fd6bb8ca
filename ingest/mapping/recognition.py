"""Recognize which table the rows of a source belong to, by stated evidence and a score.

A kind of table has what it needs, what speaks for it and the least score in `kinds/<table>.toml`. Below that score
nothing is loaded, and the error lists the candidates with what speaks for and against each. A mapping that the user
passes, or `--as`, needs no score.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ingest.errors import MissingColumns
from ingest.mapping.candidates import Candidate, rank_candidates
from ingest.mapping.column_choice import choose_columns
from ingest.mapping.column_report import column_notes
from ingest.mapping.kinds import Clue
from ingest.mapping.mapping import ColumnMapping
from ingest.mapping.refusal import describe_refusal, refuse_if_grouped
from ingest.mapping.reshape import reshape_as
from ingest.mapping.row_filters import filter_rows
from ingest.mapping.row_times import with_times
from ingest.mapping.value_clues import Cells, sample_cells
from ingest.readers.rows import RowSource

SAMPLE_ROWS = 500
"""Rows at the beginning of a source whose values count as evidence."""


@dataclass(frozen=True)
class Recognition:
    """What a source was recognized as.

    `source` has the rows to load, converted and filtered, and `mapping` the final assignment of its columns.
    `candidates` are all tables that were considered, best first. The notes are in `source.notes`.
    """

    source: RowSource
    mapping: ColumnMapping
    candidates: tuple[Candidate, ...] = ()
    clues: tuple[Clue, ...] = ()

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
    custom = list(custom_mappings)
    if as_kind is None and not custom:
        as_kind = source.table
    custom = [each for each in custom if as_kind in (None, each.contract.table)]
    cells = sample_cells(source.header, source.peek(SAMPLE_ROWS))
    candidates = rank_candidates(
        source.header,
        cells,
        as_kind=as_kind,
        custom_mappings=custom,
        renamed=source.renamed,
    )
    if needs_time and not as_kind and not custom:
        refuse_if_grouped(source)
    winner = _choose(source, cells, candidates, as_kind, custom)
    if winner.shape:
        reshaped, mapping = reshape_as(source, winner.shape), winner.mapping
        if needs_time:
            sample = sample_cells(reshaped.header, reshaped.peek(SAMPLE_ROWS))
            reshaped, mapping = with_times(reshaped, mapping, sample, at=at)
        return Recognition(reshaped, mapping, tuple(candidates), winner.clues)
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


def _choose(
    source: RowSource,
    cells: Cells,
    candidates: Sequence[Candidate],
    as_kind: str | None,
    custom: Sequence[ColumnMapping],
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
            key=lambda each: len(each.assigned),
        )
        title = closest.mapping.title if closest.mapping.is_custom else None
        raise MissingColumns(source.name, closest.table, closest.lacks, source.header, title)
    raise describe_refusal(source, cells, candidates)
