"""The WHERE clause of a VMOC: a small subset of VQL.

    [WHERE] condition
    condition   : term AND term | term OR term | ( condition )
    term        : path = value | != < <= > >= | path CONTAINS (value, ...) | path LIKE 'text%'
    path        : field__v, or relation__vr.field__v for a field of the record that relation__v references
    value       : 'text', number, true, false, null, @@TOKEN@@

A clause is parsed once into a tree. The Vault translates it to SQL; a validation rule evaluates it on one
record. Comparisons with null other than = and != are false, and so are all comparisons of a missing value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from sync_engine.json_docs import JsonDict

TOKENS = ("@@USER_APP_PROFILE_ID@@", "@@USER_LANGUAGE_CODE@@", "@@USER_LABEL_SET@@")
"""The tokens on Veeva's public pages. Vault may have more; only documented ones are supported."""

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
    """A clause outside the supported subset. The message contains the position."""


@dataclass(frozen=True, slots=True)
class Compare:
    """A comparison of a path with a value, or with several values for CONTAINS."""

    path: str
    operator: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Junction:
    """Conditions joined by AND or OR."""

    word: str
    parts: tuple[Condition, ...]


Condition = Compare | Junction


def parse(clause: str, tokens: Mapping[str, Value]) -> Condition | None:
    """Parse a clause and replace its tokens with values.

    Returns None for an empty clause, which matches every record. Raises InvalidClause.
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
    """Return whether the record `doc` matches the condition.

    `related(field, id)` returns the record that the reference `field` points to.
    """
    if condition is None:
        return True
    if isinstance(condition, Junction):
        combine = all if condition.word == "AND" else any
        return combine(matches(part, doc, related) for part in condition.parts)
    return _compare_value(condition, _resolve_path(condition.path, doc, related))


def to_sql(condition: Condition | None, doc: str = "doc") -> tuple[str, list[Value]]:
    """Translate the condition to SQL over a JSON column, with values to bind."""
    if condition is None:
        return "1", []
    if isinstance(condition, Junction):
        parts = [to_sql(part, doc) for part in condition.parts]
        text = f" {condition.word} ".join(f"({sql})" for sql, _ in parts)
        return text, [value for _, values in parts for value in values]
    return _compare_sql(condition, doc)


def paths(condition: Condition | None) -> list[str]:
    """Return every path that the condition reads, in order."""
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
            inner = self.junction("OR")
            self._expect("sign", ")")
            return inner
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
    related_record = related(reference, doc.get(reference)) if doc.get(reference) else None
    return related_record.get(field) if related_record else None


def reference_field(relation: str) -> str:
    """Return the reference field of a relationship name: `account__v` for `account__vr`."""
    return re.sub(r"__(v|c|sys)r$", r"__\1", relation)


def _compare_value(compare: Compare, value: Value) -> bool:
    if compare.operator == "CONTAINS":
        return value is not None and value in compare.values
    expected = compare.values[0]
    if compare.operator == "LIKE":
        return isinstance(value, str) and _like(str(expected)).fullmatch(value) is not None
    if value is None or expected is None:
        return {"=": value is expected, "!=": value is not expected}.get(compare.operator, False)
    if isinstance(value, str) != isinstance(expected, str):
        return compare.operator == "!="
    return _COMPARISONS[compare.operator](value, expected)


def _like(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(".*" if c == "%" else re.escape(c) for c in pattern), re.DOTALL)


def _compare_sql(compare: Compare, doc: str) -> tuple[str, list[Value]]:
    column, bound = _column(compare.path, doc)
    if compare.operator == "CONTAINS":
        marks = ",".join("?" * len(compare.values))
        return f"{column} IN ({marks})", [*bound, *map(_to_sql_value, compare.values)]
    expected = compare.values[0]
    if compare.operator == "LIKE":
        return f"(typeof({column}) = 'text' AND {column} GLOB ?)", [*bound, *bound, _glob(str(expected))]
    if expected is None:
        sign = {"=": "IS", "!=": "IS NOT"}.get(compare.operator)
        return (f"{column} {sign} NULL", bound) if sign else ("0", [])
    if compare.operator == "!=":
        return f"{column} IS NOT ?", [*bound, _to_sql_value(expected)]
    type_test = "= 'text'" if isinstance(expected, str) else "<> 'text'"
    return f"(typeof({column}) {type_test} AND {column} {compare.operator} ?)", [
        *bound,
        *bound,
        _to_sql_value(expected),
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
