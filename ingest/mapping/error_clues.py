"""What speaks for and against a table of sync errors, beside its headings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from ingest.mapping.headings import fold_heading
from ingest.mapping.kinds import Clue, Kind, words
from ingest.mapping.labels import folded_labels, names_an_error
from ingest.mapping.value_clues import (
    Cells,
    cached_share,
    has_documented_code,
    is_about_access,
    is_about_sync,
    is_code,
    is_level_column,
    is_number,
    is_time,
    level_of,
    reports_an_error,
    share,
)

_WORD = re.compile(r"[A-Z]{2,}(?![a-z])|[A-Z]?[a-z]+|[^\W\dA-Za-z_]+")
_FEW, _MANY = 0.25, 0.5
"""Shares of messages: fewer speak against, more speak for a kind."""
MOST_AGAINST = 7.0
"""Points that headings of other subjects cost at most."""
MOST_ABOUT_SYNC = 2.0
"""Points for headings about syncs, at most."""


def error_clues(
    assigned: Mapping[str, str], header: Sequence[str], cells: Cells, kind: Kind
) -> Iterator[Clue]:
    """Yield what the values, and the columns without a place, show about a table of errors."""
    columns = [cells[assigned[name]] for name in ("message", "error_type") if name in assigned]
    yield from _text_clues(columns, max(map(len, cells.values()), default=0))
    yield from _code_clues(assigned, cells)
    if level := level_column(header, assigned, cells):
        if any(map(level_of, cells[level])):
            yield Clue(f"{level!r} has levels, some of them errors", 0.5)
        else:
            yield Clue(f"{level!r} has levels, none of them an error", -3.0)
    if "occurred_at" in assigned and (times := cells[assigned["occurred_at"]]):
        is_read = share(times, is_time) > 0.5
        yield Clue(
            f"{assigned['occurred_at']!r} has {'times' if is_read else 'no times'}", 0.5 if is_read else -1.5
        )
    yield from _subject_clues(assigned, header, cells)
    yield from _context_clues(assigned, cells)
    for title, headings in kind.instead.items():
        if len(set(map(fold_heading, headings)) & set(map(fold_heading, header))) == len(headings):
            yield Clue(f"it has the columns of {title}", -9.0)


def _context_clues(assigned: Mapping[str, str], cells: Cells) -> Iterator[Clue]:
    texts = [cells[assigned[name]] for name in ("message", "error_type") if name in assigned]
    if not any(texts) or any(cached_share(column, has_documented_code) >= _FEW for column in texts):
        return
    share_about = max(max(cached_share(c, is_about_access), cached_share(c, is_about_sync)) for c in texts)
    if share_about < _FEW:
        yield Clue("the messages are not about syncs, access, records or connections", -3.0)
    elif share_about >= _MANY:
        yield Clue(f"{share_about:.0%} of the messages are about access, records or connections", 1.0)


def level_column(header: Sequence[str], assigned: Mapping[str, str], cells: Cells) -> str | None:
    """Return the heading of the column with levels or outcomes, if it is not read otherwise."""
    names = folded_labels("level") | folded_labels("status")
    free = [name for name in header if fold_heading(name) in names and name not in set(assigned.values())]
    levels = [name for name in free if is_level_column(cells.get(name, []))]
    levels.sort(key=lambda name: fold_heading(name) not in folded_labels("level"))
    return next(iter(levels), None)


def _text_clues(columns: Sequence[Sequence[str]], rows: int) -> Iterator[Clue]:
    if not any(columns):
        return
    if max(map(len, columns)) < _MANY * rows:
        yield Clue("most rows have no message and no code", -2.5)
    reporting = max(cached_share(column, reports_an_error) for column in columns)
    if reporting < 0.15:
        yield Clue("the messages report no errors", -3.0)
    else:
        yield Clue(f"{reporting:.0%} of the messages report an error", min(1.0, reporting * 1.25) * 2)
    if sync := max(cached_share(column, is_about_sync) for column in columns):
        yield Clue(
            f"{sync:.0%} of the messages are about syncs, records or Vault names", min(1.0, sync * 2) * 1.5
        )


def _code_clues(assigned: Mapping[str, str], cells: Cells) -> Iterator[Clue]:
    types, messages = (
        cells[assigned[name]] if name in assigned else [] for name in ("error_type", "message")
    )
    documented = max(share(types, has_documented_code), share(messages, has_documented_code))
    if documented:
        yield Clue(
            f"{documented:.0%} of the codes are documented by Vault or Salesforce",
            min(1.0, documented * 2) * 4,
        )
    if codes := share(types, is_code):
        yield Clue(f"{codes:.0%} of the types are written like error codes", codes * 1.5)
    elif types and not names_an_error(assigned["error_type"]) and share(types, _is_error_type) < _FEW:
        yield Clue(f"{assigned['error_type']!r} has no codes and no types of errors", -1.5)


def _is_error_type(cell: str) -> bool:
    return level_of(cell) is True or is_number(cell) or reports_an_error(cell)


def _subject_clues(assigned: Mapping[str, str], header: Sequence[str], cells: Cells) -> Iterator[Clue]:
    against = about_sync = 0.0
    for heading in header:
        own_words = heading_words(heading)
        if own_words & _sync_words() and about_sync < MOST_ABOUT_SYNC:
            about_sync += 1.0
            yield Clue(f"{heading!r} is about syncs", 1.0)
        subject = next((name for name, foreign in _foreign_words().items() if own_words & foreign), None)
        if subject and against < MOST_AGAINST:
            against += 1.5
            yield Clue(f"{heading!r} is a column of tables about {subject}", -1.5)
    free = [name for name in header if name not in set(assigned.values())]
    if header:
        yield Clue(f"{len(free)} of {len(header)} columns have no place", -2.5 * len(free) / len(header))
    measures = [name for name in free if share(cells.get(name, []), is_number) > 0.9]
    if measures:
        yield Clue(f"{len(measures)} other columns are numbers", -0.75 * min(len(measures), 4))


def heading_words(heading: str) -> set[str]:
    """Return the words of a heading, in lower case: `ErrorTime` and `error_time` have two."""
    return {word.casefold() for word in _WORD.findall(heading)}


@cache
def _sync_words() -> frozenset[str]:
    return frozenset(words("subjects")["sync"])


@cache
def _foreign_words() -> dict[str, frozenset[str]]:
    return {name: frozenset(listed) for name, listed in words("subjects")["foreign"].items()}
