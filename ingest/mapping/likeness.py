"""Which column of a table a heading without a place looks like, by its words and its values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ingest.contracts.tables import Column, Contract
from ingest.mapping.error_clues import heading_words
from ingest.mapping.headings import strip_suffix
from ingest.mapping.labels import labels_of
from ingest.mapping.mapping import ColumnMapping
from ingest.mapping.value_clues import (
    Cells,
    cached_share,
    is_code,
    is_number,
    is_time,
    level_of,
    reports_an_error,
    share,
)

_EMAIL = re.compile(r"\S+@\S+\.\w+")
_ID = re.compile(r"(?=[A-Za-z]*[0-9])[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?|[VO][0-9A-Z]{11,14}")
_LEAST = 0.5
_MOST_TESTED = 100


@dataclass(frozen=True, slots=True)
class Likeness:
    """A heading that looks like a column, how much (0 to 1), and why."""

    heading: str
    column: str
    degree: float
    reason: str

    def __str__(self) -> str:
        return f"{self.heading!r} looks like {self.column} ({self.reason})"


def find_likenesses(header: Sequence[str], cells: Cells, mapping: ColumnMapping) -> list[Likeness]:
    """Return headings that look like columns which the mapping leaves empty, each at most once, best first."""
    assigned = mapping.assign(header)
    free = [name for name in header if name not in set(assigned.values())]
    empty = [column for column in mapping.contract.columns if column.name not in assigned]
    candidates = [
        likeness
        for column in empty
        for heading in free
        if (likeness := _likeness(heading, cells.get(heading, []), column, mapping.contract))
    ]
    order = {
        column.name: (not column.required, number) for number, column in enumerate(mapping.contract.columns)
    }
    candidates.sort(key=lambda each: (-each.degree, order[each.column], each.heading))
    best: list[Likeness] = []
    for each in candidates:
        if all(each.heading != other.heading and each.column != other.column for other in best):
            best.append(each)
    return best


def _likeness(heading: str, cells: Sequence[str], column: Column, contract: Contract) -> Likeness | None:
    by_words = _word_overlap(heading_words(heading), column.name, contract.table)
    fits = share(cells[:_MOST_TESTED], lambda cell: _suits(cell, column)) if cells else 0.5
    if fits < _LEAST:
        return None
    by_values, reason = _value_likeness(cells, column.name)
    degree = max(by_words, by_values)
    if degree < _LEAST:
        return None
    return Likeness(heading, column.name, degree, reason if by_values >= by_words else "by its name")


def _suits(cell: str, column: Column) -> bool:
    match column.kind:
        case "time":
            return is_time(cell)
        case "integer" | "number":
            return is_number(cell)
        case "flag":
            return level_of(cell) is not None or len(cell) <= 10
        case _:
            return not is_time(cell)


def _word_overlap(words: set[str], column: str, table: str) -> float:
    names = [strip_suffix(column).replace("_", " "), *labels_of(table).get(column, ())]
    best = 0.0
    for name in names:
        own = heading_words(name)
        common = len(words & own)
        if common:
            best = max(best, common / len(words | own), 0.6 if own <= words and len(words) <= 4 else 0.0)
    return best


def _value_likeness(cells: Sequence[str], column: str) -> tuple[float, str]:
    test, weight, reason = _TESTS.get(column, (None, 0.0, ""))
    return (weight * cached_share(cells, test), reason) if test else (0.0, "")


def _is_email(cell: str) -> bool:
    return bool(_EMAIL.fullmatch(cell))


def _is_record_id(cell: str) -> bool:
    return bool(_ID.fullmatch(cell))


_TESTS: Mapping[str, tuple[Callable[[str], bool], float, str]] = {
    "occurred_at": (is_time, 1.0, "its values are times"),
    "changed_at": (is_time, 1.0, "its values are times"),
    "error_type": (is_code, 1.0, "its values are written like error codes"),
    "message": (reports_an_error, 1.0, "its values report errors"),
    "user_id": (_is_email, 1.0, "its values are e-mail addresses"),
    "record_id": (_is_record_id, 0.8, "its values are record ids"),
}
"""How the values of a column are tested, how much a full match counts, and what it shows."""


def longest_text(header: Sequence[str], cells: Cells, taken: set[str]) -> str | None:
    """Return the free column with the longest texts, at least two words on average; None if there is none."""

    def lengths() -> Iterator[tuple[float, str]]:
        for name in header:
            texts = cells.get(name, [])
            if name not in taken and texts and share(texts, lambda text: " " in text) > _LEAST:
                yield sum(map(len, texts)) / len(texts), name

    return max(lengths(), default=(0.0, None))[1]
