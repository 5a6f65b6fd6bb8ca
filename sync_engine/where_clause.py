"""The WHERE clause of a VMOC: a small, stated subset of VQL.

    [WHERE] condition
    condition   : term AND term | term OR term | ( condition )
    term        : path = value | != < <= > >= | path CONTAINS (value, ...) | path LIKE 'text%'
    path        : field__v, or relation__vr.field__v for a field of the record that relation__v refers to
    value       : 'text', number, true, false, null, @@TOKEN@@

A clause is parsed once into a tree; the Vault turns it into SQL, a rule or a test evaluates it on one record.
A comparison with null other than = and != is false, as is any comparison of a missing value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from sync_engine.json_docs import JsonDict

TOKENS = ("@@USER_APP_PROFILE_ID@@", "@@USER_LANGUAGE_CODE@@", "@@USER_LABEL_SET@@")
"""The tokens that Veeva's public pages show. Others surely exist; none is invented here."""

Value = str | int | float | bool | None
_LEXEME = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<token>@@\w+@@)"
    r"|(?P<word>[A-Za-z_][\w.]*)|(?P<sign><=|>=|!=|[=<>(),]))"
)
_COMPARISONS: dict[str, Callable[[Value, Value], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,  # type: ignore[operator]
    "<=": lambda a, b: a <= b,  # type: ignore[operator]
    ">": lambda a, b: a > b,  # type: ignore[operator]
    ">=": lambda a, b: a >= b,  # type: ignore[operator]
}
_WORDS: dict[str, Value] = {"true": True, "false": False, "null": None}


class InvalidClause(ValueError):
    """The clause is outside the subset; the message has the position."""


@dataclass(frozen=True, slots=True)
class Compare:
    """One comparison of a path with values; CONTAINS has several values."""

    path: str
    operator: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Junction:
    """AND or OR of conditions."""

    word: str
    parts: tuple[Condition, ...]


Condition = Compare | Junction


def parse(clause: str, tokens: Mapping[str, Value]) -> Condition | None:
    """Read a clause with its tokens filled in; an empty one is None, which holds for every record.

    Raises BadClause.
    """
    return _parse(clause, tuple(tokens.items()))


@lru_cache(maxsize=512)
def _parse(clause: str, tokens: tuple[tuple[str, Value], ...]) -> Condition | None:
    lexemes = _tokenize(clause, dict(tokens))
    if lexemes and lexemes[0] == ("word", "WHERE"):
        lexemes = lexemes[1:]
    if not lexemes:
        return None
    reader = _Parser(lexemes)
    condition = reader.junction("OR")
    if reader.at < len(lexemes):
        raise InvalidClause(f"unexpected {lexemes[reader.at][1]!r} in WHERE clause [{clause}]")
    return condition


def matches(
    condition: Condition | None, doc: JsonDict, related: Callable[[str, object], JsonDict | None]
) -> bool:
    """Whether the record `doc` fulfils the condition; `related(field, id)` fetches what a path leads to."""
    if condition is None:
        return True
    if isinstance(condition, Junction):
        every = all if condition.word == "AND" else any
        return every(matches(part, doc, related) for part in condition.parts)
    return _compare_value(condition, _resolve_path(condition.path, doc, related))


def to_sql(condition: Condition | None, doc: str = "doc") -> tuple[str, list[Value]]:
    """The condition over a JSON column, as SQL text and the values to bind, in order."""
    if condition is None:
        return "1", []
    if isinstance(condition, Junction):
        parts = [to_sql(part, doc) for part in condition.parts]
        text = f" {condition.word} ".join(f"({sql})" for sql, _ in parts)
        return text, [value for _, values in parts for value in values]
    return _compare_sql(condition, doc)


def paths(condition: Condition | None) -> list[str]:
    """Every path that the condition reads, in order."""
    if condition is None:
        return []
    if isinstance(condition, Junction):
        return [path for part in condition.parts for path in paths(part)]
    return [condition.path]


def _tokenize(clause: str, tokens: Mapping[str, Value]) -> list[tuple[str, Value]]:
    lexemes: list[tuple[str, Value]] = []
    at = 0
    text = clause.rstrip()
    while at < len(text):
        match = _LEXEME.match(text, at)
        if match is None:
            raise InvalidClause(f"cannot read WHERE clause [{clause}] at position {at}")
        at = match.end()
        lexemes.append(_read_token(str(match.lastgroup), match.group(str(match.lastgroup)), tokens))
    return lexemes


def _read_token(kind: str, text: str, tokens: Mapping[str, Value]) -> tuple[str, Value]:
    if kind == "text":
        return "value", re.sub(r"\\(.)", r"\1", text[1:-1])
    if kind == "number":
        return "value", float(text) if "." in text else int(text)
    if kind == "token":
        if text not in tokens:
            raise InvalidClause(f"unknown token {text} in WHERE clause")
        return "value", tokens[text]
    if kind == "word" and text.lower() in _WORDS:
        return "value", _WORDS[text.lower()]
    return (kind, text.upper()) if text.upper() in KEYWORDS else (kind, text)


KEYWORDS = frozenset({"WHERE", "AND", "OR", "CONTAINS", "LIKE"})


class _Parser:
    def __init__(self, lexemes: list[tuple[str, Value]]) -> None:
        self.lexemes = lexemes
        self.at = 0

    def junction(self, word: str) -> Condition:
        parts = [self._part(word)]
        while self._peek() == ("word", word):
            self.at += 1
            parts.append(self._part(word))
        return parts[0] if len(parts) == 1 else Junction(word, tuple(parts))

    def _part(self, word: str) -> Condition:
        return self.junction("AND") if word == "OR" else self._term()

    def _term(self) -> Condition:
        if self._peek() == ("sign", "("):
            self.at += 1
            inside = self.junction("OR")
            self._expect("sign", ")")
            return inside
        path = self._expect("word")
        kind, operator = self._next()
        if (kind, operator) == ("word", "CONTAINS"):
            return Compare(path, "CONTAINS", self._list())
        if (kind, operator) == ("word", "LIKE") or (kind == "sign" and operator in _COMPARISONS):
            return Compare(path, str(operator), (self._value(),))
        raise InvalidClause(f"expected a comparison after {path!r}")

    def _list(self) -> tuple[Value, ...]:
        self._expect("sign", "(")
        values = [self._value()]
        while self._peek() == ("sign", ","):
            self.at += 1
            values.append(self._value())
        self._expect("sign", ")")
        return tuple(values)

    def _value(self) -> Value:
        kind, value = self._next()
        if kind != "value":
            raise InvalidClause(f"expected a value, found {value!r}")
        return value

    def _expect(self, kind: str, text: str | None = None) -> str:
        token_kind, value = self._next()
        if token_kind != kind or (text is not None and value != text) or value in KEYWORDS:
            raise InvalidClause(f"expected {text or 'a field'}, found {value!r}")
        return str(value)

    def _peek(self) -> tuple[str, Value] | None:
        return self.lexemes[self.at] if self.at < len(self.lexemes) else None

    def _next(self) -> tuple[str, Value]:
        token = self._peek()
        if token is None:
            raise InvalidClause("the WHERE clause ends too early")
        self.at += 1
        return token


def _resolve_path(path: str, doc: JsonDict, related: Callable[[str, object], JsonDict | None]) -> Value:
    if "." not in path:
        return doc.get(path)
    relation, field = path.split(".", 1)
    reference = reference_field(relation)
    other = related(reference, doc.get(reference)) if doc.get(reference) else None
    return other.get(field) if other else None


def reference_field(relation: str) -> str:
    """Return the reference field of a relationship name: `account__v` for `account__vr`."""
    return re.sub(r"__(v|c|sys)r$", r"__\1", relation)


def _compare_value(compare: Compare, value: Value) -> bool:
    if compare.operator == "CONTAINS":
        return value is not None and value in compare.values
    wanted = compare.values[0]
    if compare.operator == "LIKE":
        return isinstance(value, str) and _like(str(wanted)).fullmatch(value) is not None
    if value is None or wanted is None:
        return {"=": value is wanted, "!=": value is not wanted}.get(compare.operator, False)
    if isinstance(value, str) != isinstance(wanted, str):
        return compare.operator == "!="
    return _COMPARISONS[compare.operator](value, wanted)


def _like(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(".*" if c == "%" else re.escape(c) for c in pattern), re.DOTALL)


def _compare_sql(compare: Compare, doc: str) -> tuple[str, list[Value]]:
    column, bound = _column(compare.path, doc)
    if compare.operator == "CONTAINS":
        marks = ",".join("?" * len(compare.values))
        return f"{column} IN ({marks})", [*bound, *map(_to_sql_value, compare.values)]
    wanted = compare.values[0]
    if compare.operator == "LIKE":
        return f"(typeof({column}) = 'text' AND {column} GLOB ?)", [*bound, *bound, _glob(str(wanted))]
    if wanted is None:
        sign = {"=": "IS", "!=": "IS NOT"}.get(compare.operator)
        return (f"{column} {sign} NULL", bound) if sign else ("0", [])
    if compare.operator == "!=":
        return f"{column} IS NOT ?", [*bound, _to_sql_value(wanted)]
    alike = "= 'text'" if isinstance(wanted, str) else "<> 'text'"
    return f"(typeof({column}) {alike} AND {column} {compare.operator} ?)", [
        *bound,
        *bound,
        _to_sql_value(wanted),
    ]


def _column(path: str, doc: str) -> tuple[str, list[Value]]:
    if "." not in path:
        return f"json_extract({doc}, ?)", [f"$.{path}"]
    relation, field = path.split(".", 1)
    return (
        "(SELECT json_extract(o.doc, ?) FROM record AS o "
        f"WHERE o.id = json_extract({doc}, ?) AND NOT o.deleted)",
        [f"$.{field}", f"$.{reference_field(relation)}"],
    )


def _to_sql_value(value: Value) -> Value:
    return int(value) if isinstance(value, bool) else value


def _glob(pattern: str) -> str:
    return "".join("*" if c == "%" else f"[{c}]" if c in "*?[" else c for c in pattern)
