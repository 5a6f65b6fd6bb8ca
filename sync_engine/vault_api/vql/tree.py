"""The syntax tree of a VQL query."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DateLiteral:
    """A relative date such as `LAST_DAYS:7`. `count` is None for literals without a number."""

    name: str
    count: int | None = None


Value = str | int | float | bool | DateLiteral | None


@dataclass(frozen=True, slots=True)
class Column:
    """A selected, compared or sorted path, with an optional function and alias."""

    path: str
    function: str | None = None
    alias: str | None = None

    @property
    def key(self) -> str:
        """Return the key of the value in a result row."""
        return self.alias or self.path


@dataclass(frozen=True, slots=True)
class Pattern:
    """A LIKE pattern as its literal parts. Any text matches between two parts."""

    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """A comparison of a path with one or more values, or with a LIKE pattern."""

    column: Column
    operator: str
    values: tuple[Value, ...]
    pattern: Pattern | None = None


@dataclass(frozen=True, slots=True)
class InQuery:
    """A condition that a record has related records in an inner query."""

    column: Column
    query: Select


@dataclass(frozen=True, slots=True)
class Junction:
    """Conditions joined by AND or OR."""

    word: str
    parts: tuple[Condition, ...]


Condition = Compare | InQuery | Junction


@dataclass(frozen=True, slots=True)
class Search:
    """One search phrase of FIND with its scope.

    `scope` is PROPERTIES, ALL or a tuple of field paths. `raw` keeps the escapes of the phrase.
    """

    raw: str
    scope: str | tuple[str, ...] = "PROPERTIES"
    negated: bool = False


@dataclass(frozen=True, slots=True)
class SearchJunction:
    """Searches joined by AND or OR."""

    word: str
    parts: tuple[Find, ...]


Find = Search | SearchJunction


@dataclass(frozen=True, slots=True)
class Select:
    """One SELECT query. `find_text` is the text of the FIND clause, as replies repeat it."""

    columns: tuple[Column | Select, ...]
    target: str
    find: Find | None = None
    find_text: str | None = None
    where: Condition | None = None
    order: tuple[tuple[Column, bool], ...] = ()  # column and whether the order is descending
    numbers: tuple[tuple[str, int], ...] = ()

    def number(self, clause: str) -> int | None:
        """Return the value of a numeric clause such as PAGESIZE, if present."""
        return dict(self.numbers).get(clause)


@dataclass(frozen=True, slots=True)
class Show:
    """One SHOW statement, which lists targets, fields or relationships."""

    what: str
    target: str | None = None
    pattern: Pattern | None = None
