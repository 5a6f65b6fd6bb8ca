"""Choose which of several headings fills a column, by what their values look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ingest.mapping.error_clues import heading_words
from ingest.mapping.kinds import words
from ingest.mapping.labels import names_an_error
from ingest.mapping.mapping import ColumnMapping
from ingest.mapping.value_clues import (
    Cells,
    cached_share,
    has_documented_code,
    is_code,
    is_time,
    reports_an_error,
    share,
)

_MOST_TIMES_LOST = 0.2
_LEAST_SUITED = 0.5


@dataclass(frozen=True)
class ColumnChoice:
    """A mapping with its final assignment, and notes on what was decided."""

    mapping: ColumnMapping
    notes: list[str] = field(default_factory=list)


def choose_columns(header: Sequence[str], cells: Cells, mapping: ColumnMapping) -> ColumnChoice:
    """Return the mapping with exactly one heading for each column that the source can fill."""
    assigned = mapping.assign(header)
    notes: list[str] = []
    if not mapping.is_custom and not mapping.is_distinct(header):
        for column in assigned:
            alternatives = mapping.alternatives(column, header)
            if len(alternatives) > 1:
                assigned[column] = max(alternatives, key=lambda name: _fitness(column, cells.get(name, [])))
        if mapping.contract.table == "sync_error":
            assigned = _without_doubles(assigned)
    for column, heading in assigned.items():
        if heading in mapping.inferred:
            notes.append(f"{column} is read from {heading!r}: {mapping.inferred[heading]}")
    return ColumnChoice(replace(mapping, exact=assigned), notes)


def complete_mapping(header: Sequence[str], cells: Cells, mapping: ColumnMapping) -> ColumnMapping:
    """Return a mapping of ordinary headings with headings that its lists lack, but whose values leave no doubt."""
    if not mapping.ordinary_labels:
        return mapping
    assigned = mapping.assign(header)
    added: dict[str, tuple[str, str]] = {}
    if "occurred_at" not in assigned and (times := time_columns(header, cells, assigned)):
        added["occurred_at"] = (times[0], "its values are times")
    for column, test, reason in _TEXTS:
        if column in assigned:
            continue
        named = [name for name in header if names_an_error(name) and name not in set(assigned.values())]
        suited = [name for name in named if cached_share(cells.get(name, []), test) >= _LEAST_SUITED]
        if suited:
            added[column] = (min(suited, key=lambda name: (len(name), name)), reason)
            assigned[column] = added[column][0]
    aliases = {column: (*mapping.aliases.get(column, ()), heading) for column, (heading, _) in added.items()}
    inferred = dict(added.values())
    return replace(mapping, aliases={**mapping.aliases, **aliases}, inferred=inferred)


_TEXTS = (
    ("error_type", is_code, "its values are written like error codes"),
    ("message", reports_an_error, "its heading names an error, and its values report errors"),
)


def time_columns(header: Sequence[str], cells: Cells, assigned: dict[str, str]) -> list[str]:
    """Return free columns whose heading names a time and nothing else, and whose values are times, best first."""
    free = [name for name in header if name not in set(assigned.values())]
    listed = words("subjects")
    matching = [
        name
        for name in free
        if heading_words(name) & set(listed["time"])
        and heading_words(name) <= {*listed["time"], *listed["beside_time"]}
        and share(cells.get(name, []), is_time) > 1 - _MOST_TIMES_LOST
    ]
    return sorted(matching, key=lambda name: (not names_an_error(name), len(name), name))


def _fitness(column: str, cells: Sequence[str]) -> float:
    """Return how well values suit a column, in coarse steps, so that the order of the names decides otherwise."""
    if not cells:
        return -1.0
    if column == "message":
        return round(share(cells, reports_an_error) * 2) / 2
    if column == "error_type":
        return round(max(share(cells, is_code), share(cells, has_documented_code)) * 2) / 2
    if column == "occurred_at":
        return float(share(cells, is_time) > 1 - _MOST_TIMES_LOST)
    return 0.0


def _without_doubles(assigned: dict[str, str]) -> dict[str, str]:
    """Let a heading fill one column only, the first of the table."""
    seen: set[str] = set()
    kept = {}
    for column, heading in assigned.items():
        if heading not in seen:
            kept[column] = heading
            seen.add(heading)
    return kept
