"""A parser for a subset of VQL, Vault's query language.

    SELECT field, rel__vr.field, FUNCTION(field), (SELECT … FROM rel__vr …)
    FROM target [WHERE condition] [ORDER BY path [ASC|DESC], …]
    [SKIP n] [MAXROWS n] [LIMIT n] [OFFSET n] [PAGESIZE n] [PAGEOFFSET n]
    SHOW TARGETS | SHOW FIELDS FROM target | SHOW RELATIONSHIPS FROM target

Conditions support = != < <= > >= CONTAINS LIKE BETWEEN IN AND OR NOT and parentheses. Keywords are not
case-sensitive; names, `true`, `false` and `null` must be lower case, as documented. Dates are text in single quotes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sync_engine.protocol import VaultError

MAXIMUM_LENGTH = 50_000
FUNCTIONS = ("LONGTEXT", "RICHTEXT", "TONAME", "TOLABEL", "CASEINSENSITIVE")
Value = str | int | float | bool | None
_WORDS: dict[str, Value] = {"true": True, "false": False, "null": None}
_CLAUSES = ("SKIP", "MAXROWS", "LIMIT", "OFFSET", "PAGESIZE", "PAGEOFFSET")
_RESERVED = frozenset(
    (
        "SELECT",
        "FROM",
        "WHERE",
        "ORDER",
        "BY",
        "AND",
        "OR",
        "NOT",
        "CONTAINS",
        "LIKE",
        "BETWEEN",
        "IN",
        "ASC",
        "DESC",
        "SHOW",
        "TARGETS",
        "FIELDS",
        "RELATIONSHIPS",
        *_CLAUSES,
    )
)
_LEXEME = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.|'')*')|(?P<number>-?\d+(?:\.\d+)?)(?![\w.])"
    r"|(?P<word>[A-Za-z_][\w]*(?:\.[A-Za-z_]\w*)*)|(?P<sign><=|>=|!=|[=<>(),]))"
)


@dataclass(frozen=True, slots=True)
class Column:
    """A selected or compared path, with an optional function."""

    path: str
    function: str | None = None

    @property
    def name(self) -> str:
        """Return the key of the value in a result row."""
        return (
            f"{self.function.lower()}({self.path})" if self.function in ("TONAME", "TOLABEL") else self.path
        )


@dataclass(frozen=True, slots=True)
class Compare:
    """A comparison of a path with one or more values."""

    column: Column
    operator: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class InQuery:
    """A condition that a value is in the results of an inner query."""

    column: Column
    query: Select


@dataclass(frozen=True, slots=True)
class Junction:
    """Conditions joined by AND or OR, or one condition negated by NOT."""

    word: str
    parts: tuple[Condition, ...]


Condition = Compare | InQuery | Junction


@dataclass(frozen=True, slots=True)
class Select:
    """One SELECT query."""

    columns: tuple[Column | Select, ...]
    target: str
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


def parse(text: str) -> Select | Show:
    """Parse one query.

    Raises VaultError with INCORRECT_QUERY_SYNTAX_ERROR and the position of the error.
    """
    if len(text) > MAXIMUM_LENGTH:
        raise _syntax_error(f"the query has [{len(text)}] characters; the maximum is [{MAXIMUM_LENGTH}]")
    reader = _Parser(_tokenize(text))
    tree = reader.show() if reader.accept("SHOW") else reader.select()
    reader.expect_end()
    return tree


def _syntax_error(detail: str) -> VaultError:
    return VaultError("INCORRECT_QUERY_SYNTAX_ERROR", f"Query syntax error: {detail}")


def _tokenize(text: str) -> list[tuple[str, Value]]:
    tokens: list[tuple[str, Value]] = []
    text = text.rstrip().removesuffix(";").rstrip()
    at = 0
    while at < len(text):
        match = _LEXEME.match(text, at)
        if match is None:
            raise _syntax_error(f"cannot read [{text[at : at + 20]}] at position {at}")
        kind = str(match.lastgroup)
        tokens.append(_read_token(kind, match.group(kind)))
        at = match.end()
    return tokens


def _read_token(kind: str, word: str) -> tuple[str, Value]:
    if kind == "text":
        return "value", re.sub(r"\\(.)|''", lambda hit: hit[1] or "'", word[1:-1])
    if kind == "number":
        return "value", float(word) if "." in word else int(word)
    if kind == "word" and word in _WORDS:
        return "value", _WORDS[word]
    return ("key", word.upper()) if word.upper() in _RESERVED else (kind, word)


class _Parser:
    """A recursive descent parser. Each method parses one part of the grammar."""

    def __init__(self, lexemes: list[tuple[str, Value]]) -> None:
        self.lexemes = lexemes
        self.at = 0
        self.depth = 0

    def peek(self) -> tuple[str, Value]:
        return self.lexemes[self.at] if self.at < len(self.lexemes) else ("end", None)

    def accept(self, *words: str) -> bool:
        """Consume these keywords or signs if they are next, and return whether they were."""
        next_values = [value for _, value in self.lexemes[self.at : self.at + len(words)]]
        kinds = {kind for kind, _ in self.lexemes[self.at : self.at + len(words)]}
        if next_values != list(words) or not kinds <= {"key", "sign"}:
            return False
        self.at += len(words)
        return True

    def expect(self, *words: str) -> None:
        if not self.accept(*words):
            raise self.unexpected(f"[{' '.join(words)}]")

    def unexpected(self, expected: str) -> VaultError:
        kind, value = self.peek()
        return _syntax_error(f"expected {expected} but found [{'the end' if kind == 'end' else value}]")

    def expect_end(self) -> None:
        if self.at < len(self.lexemes):
            raise self.unexpected("the end of the query")

    def name(self, expected: str) -> str:
        kind, value = self.peek()
        if kind != "word":
            raise self.unexpected(expected)
        self.at += 1
        return str(value)

    def value(self) -> Value:
        kind, value = self.peek()
        if kind != "value":
            raise self.unexpected("a value; text and dates need single quotes")
        self.at += 1
        return value

    def show(self) -> Show:
        if self.accept("TARGETS"):
            return Show("TARGETS")
        what = "FIELDS" if self.accept("FIELDS") else "RELATIONSHIPS"
        if what == "RELATIONSHIPS":
            self.expect("RELATIONSHIPS")
        self.expect("FROM")
        return Show(what, self.name("a target"))

    def select(self) -> Select:
        self.expect("SELECT")
        columns = [self.result_column()]
        while self.accept(","):
            columns.append(self.result_column())
        self.expect("FROM")
        target = self.name("a target")
        where = self.junction("OR") if self.accept("WHERE") else None
        order = self.order() if self.accept("ORDER", "BY") else ()
        return Select(tuple(columns), target, where, order, tuple(self.numbers()))

    def result_column(self) -> Column | Select:
        if not self.accept("("):
            return self.column()
        if self.depth:
            raise _syntax_error("a subquery cannot hold another one")
        self.depth += 1
        inner = self.select()
        self.depth -= 1
        self.expect(")")
        return inner

    def column(self) -> Column:
        word = self.name("a field")
        if not self.accept("("):
            return Column(word)
        if word.upper() not in FUNCTIONS:
            raise _syntax_error(f"unknown function [{word}]")
        inner = Column(self.name("a field"), word.upper())
        self.expect(")")
        return inner

    def order(self) -> tuple[tuple[Column, bool], ...]:
        columns: list[tuple[Column, bool]] = []
        while not columns or self.accept(","):
            column = self.column()
            descending = self.accept("DESC")
            if not descending:
                self.accept("ASC")
            columns.append((column, descending))
        return tuple(columns)

    def numbers(self) -> list[tuple[str, int]]:
        clauses: list[tuple[str, int]] = []
        while self.peek()[1] in _CLAUSES and self.peek()[0] == "key":
            clause = str(self.peek()[1])
            self.at += 1
            value = self.value()
            minimum = 1 if clause in ("PAGESIZE", "LIMIT", "MAXROWS") else 0
            if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
                raise _syntax_error(f"{clause} needs a whole number of at least {minimum}")
            clauses.append((clause, value))
        return clauses

    def junction(self, word: str) -> Condition:
        inner = self.negation if word == "AND" else lambda: self.junction("AND")
        parts = [inner()]
        while self.accept(word):
            parts.append(inner())
        return parts[0] if len(parts) == 1 else Junction(word, tuple(parts))

    def negation(self) -> Condition:
        self.depth += 1
        if self.depth > 100:  # the parser is recursive; a query must not exhaust the stack
            raise _syntax_error("conditions are nested too deeply")
        try:
            if self.accept("NOT"):
                return Junction("NOT", (self.negation(),))
            if not self.accept("("):
                return self.comparison()
            inner = self.junction("OR")
            self.expect(")")
            return inner
        finally:
            self.depth -= 1

    def comparison(self) -> Condition:
        column = self.column()
        if self.accept("IN"):
            return InQuery(column, self.inner_query())
        if self.accept("CONTAINS"):
            return Compare(column, "CONTAINS", self.value_list())
        if self.accept("BETWEEN"):
            low = self.value()
            self.expect("AND")
            return Compare(column, "BETWEEN", (low, self.value()))
        for sign in ("=", "!=", "<=", ">=", "<", ">", "LIKE"):
            if self.accept(sign):
                return Compare(column, sign, (self.value(),))
        raise self.unexpected("a comparison")

    def inner_query(self) -> Select:
        self.expect("(")
        inner = self.select()
        self.expect(")")
        return inner

    def value_list(self) -> tuple[Value, ...]:
        self.expect("(")
        values = [self.value()]
        while self.accept(","):
            values.append(self.value())
        self.expect(")")
        return tuple(values)
