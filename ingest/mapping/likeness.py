"""Which column of a table a heading without a place looks like, by its words and its values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ingest.contracts.tables import Column, Contract
from ingest.mapping.error_clues import heading_words
from ingest.mapping.headings import strip_suffix
from ingest.mapping.labels import labels_of
from ingest.mapping.mapping import ColumnMapping
from ingest.mapping.value_clues import Cells, is_code, is_number, is_time, level_of, reports_an_error, share

_EMAIL = re.compile(r"\S+@\S+\.\w+")
_ID = re.compile(r"(?=[A-Za-z]*[0-9])[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?|[VO][0-9A-Z]{11,14}")
_LEAST = 0.5


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
    fits = share(cells, lambda cell: _suits(cell, column)) if cells else 0.5
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
    tests: Mapping[str, tuple[float, str]] = {
        "occurred_at": (share(cells, is_time), "its values are times"),
        "changed_at": (share(cells, is_time), "its values are times"),
        "error_type": (share(cells, is_code), "its values are written like error codes"),
        "message": (share(cells, reports_an_error), "its values report errors"),
        "user_id": (
            share(cells, lambda cell: bool(_EMAIL.fullmatch(cell))),
            "its values are e-mail addresses",
        ),
        "record_id": (
            0.8 * share(cells, lambda cell: bool(_ID.fullmatch(cell))),
            "its values are record ids",
        ),
    }
    return tests.get(column, (0.0, ""))


def longest_text(header: Sequence[str], cells: Cells, taken: set[str]) -> str | None:
    """Return the free column with the longest texts, at least two words on average; None if there is none."""

    def lengths() -> Iterator[tuple[float, str]]:
        for name in header:
            texts = cells.get(name, [])
            if name not in taken and texts and share(texts, lambda text: " " in text) > _LEAST:
                yield sum(map(len, texts)) / len(texts), name

    return max(lengths(), default=(0.0, None))[1]
