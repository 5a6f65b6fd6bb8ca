"""A parser for a subset of VQL, Vault's query language.

    SELECT field [AS alias], rel__vr.field, FUNCTION(field), (SELECT … FROM rel__vr …)
    FROM target [FIND ('phrase' [SCOPE …])] [WHERE condition] [ORDER BY field [ASC|DESC], …]
    [SKIP n] [MAXROWS n] [PAGESIZE n] [PAGEOFFSET n]
    SHOW TARGETS | SHOW FIELDS FROM target | SHOW RELATIONSHIPS FROM target, each with [LIKE 'pattern']

Conditions support = != < <= > >= CONTAINS LIKE BETWEEN IN AND OR and parentheses. Keywords are not case-sensitive;
names, `true`, `false` and `null` must be lower case, as documented. Dates are text in single quotes or date literals.
"""

from __future__ import annotations

import re

from sync_engine.protocol import VaultError
from sync_engine.vault_api.vql.date_literals import is_date_literal, make_date_literal
from sync_engine.vault_api.vql.lexer import (
    NUMBER_CLAUSES,
    RESERVED,
    Token,
    make_syntax_error,
    parse_pattern,
    tokenize,
    unescape,
)
from sync_engine.vault_api.vql.tree import (
    Column,
    Compare,
    Condition,
    DateLiteral,
    Find,
    InQuery,
    Junction,
    Pattern,
    Search,
    SearchJunction,
    Select,
    Show,
    Value,
)

MAXIMUM_LENGTH = 50_000
MAXIMUM_DEPTH = 100
MAXIMUM_PHRASE = 250
MAXIMUM_SCOPE_FIELDS = 25
FUNCTIONS = {
    "SELECT": ("LONGTEXT", "RICHTEXT", "TOLABEL", "TRIM"),
    "WHERE": ("CASEINSENSITIVE", "TOLABEL"),
    "ORDER BY": ("TOLABEL",),
}
"""Functions of each clause. The functions for documents are not here, because no documents are served."""
_ALIAS = re.compile(r"(?!.*__)[A-Za-z0-9_]{1,40}")
_VAULT_TOKEN = re.compile(r"\$\{(Vault|Custom)\.[\w.]+\}")


def parse(text: str) -> Select | Show:
    """Parse one query.

    Raises VaultError with INCORRECT_QUERY_SYNTAX_ERROR and what was expected.
    """
    if len(text) > MAXIMUM_LENGTH:
        raise make_syntax_error(f"the query has [{len(text)}] characters; the maximum is [{MAXIMUM_LENGTH}]")
    reader = _Parser(text)
    tree = reader.show() if reader.accept("SHOW") else reader.select()
    reader.expect_end()
    return tree


class _Parser:
    """A recursive descent parser. Each method parses one part of the grammar."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokenize(text)
        self.at = 0
        self.depth = 0
        self.inside_subquery = False

    def peek(self) -> Token:
        return self.tokens[self.at] if self.at < len(self.tokens) else Token("end", None, len(self.text))

    def next_token(self) -> Token:
        token = self.peek()
        self.at += 1
        return token

    def accept(self, *words: str) -> bool:
        """Consume these keywords or signs if they are next, and return whether they were."""
        following = self.tokens[self.at : self.at + len(words)]
        matches = [token.value for token in following] == list(words)
        if not matches or not {token.kind for token in following} <= {"key", "sign"}:
            return False
        self.at += len(words)
        return True

    def expect(self, *words: str) -> None:
        if not self.accept(*words):
            raise self.unexpected(f"[{' '.join(words)}]")

    def unexpected(self, expected: str) -> VaultError:
        token = self.peek()
        actual = "the end" if token.kind == "end" else token.value
        return make_syntax_error(f"expected {expected} but found [{actual}]")

    def expect_end(self) -> None:
        if self.at < len(self.tokens):
            raise self.unexpected("the end of the query")

    def enter(self) -> None:
        """Count one level of nesting. The parser is recursive; a query must not exhaust the stack."""
        self.depth += 1
        if self.depth > MAXIMUM_DEPTH:
            raise make_syntax_error("conditions are nested too deeply")

    def name(self, expected: str) -> str:
        if self.peek().kind != "word":
            raise self.unexpected(expected)
        return str(self.next_token().value)

    def raw_text(self, expected: str) -> str:
        if self.peek().kind != "text":
            raise self.unexpected(expected)
        return str(self.next_token().value)

    def value(self) -> Value:
        token = self.peek()
        if token.kind == "text":
            text = unescape(self.raw_text("a value"))
            if _VAULT_TOKEN.fullmatch(text):
                raise VaultError("OPERATION_NOT_ALLOWED", f"The Vault token [{text}] is not resolved here")
            return text
        if token.kind == "word" and is_date_literal(str(token.value)):
            return self.date_literal()
        if token.kind != "value":
            raise self.unexpected("a value; text and dates need single quotes")
        return self.next_token().value

    def date_literal(self) -> DateLiteral:
        word = self.name("a date literal")
        if not self.accept(":"):
            return make_date_literal(word, None)
        count = self.next_token().value
        if not isinstance(count, int) or isinstance(count, bool):
            raise make_syntax_error(f"[{word}:] needs a whole number")
        return make_date_literal(word, count)

    def show(self) -> Show:
        if self.accept("TARGETS"):
            return Show("TARGETS", None, self.show_pattern())
        what = "FIELDS" if self.accept("FIELDS") else "RELATIONSHIPS"
        if what == "RELATIONSHIPS":
            self.expect("RELATIONSHIPS")
        self.expect("FROM")
        target = self.name("a target")
        return Show(what, target, self.show_pattern())

    def show_pattern(self) -> Pattern | None:
        return parse_pattern(self.raw_text("a pattern in single quotes")) if self.accept("LIKE") else None

    def select(self) -> Select:
        self.expect("SELECT")
        columns = [self.result_column()]
        while self.accept(","):
            columns.append(self.result_column())
        self.expect("FROM")
        target = self.name("a target")
        find, find_text = self.find() if self.accept("FIND") else (None, None)
        where = self.junction("OR") if self.accept("WHERE") else None
        order = self.order() if self.accept("ORDER", "BY") else ()
        return Select(tuple(columns), target, find, find_text, where, order, tuple(self.numbers()))

    def result_column(self) -> Column | Select:
        if not self.accept("("):
            column = self.column("SELECT")
            return Column(column.path, column.function, self.alias()) if self.accept("AS") else column
        inner = self.inner_query()
        self.expect(")")
        return inner

    def alias(self) -> str:
        word = str(self.next_token().value)
        if not _ALIAS.fullmatch(word) or word.upper() in RESERVED:
            raise make_syntax_error(
                f"[{word[:50]}] is not an alias; use at most 40 letters, digits and single underscores"
            )
        return word

    def inner_query(self) -> Select:
        if self.inside_subquery:
            raise make_syntax_error("a subquery cannot hold another one")
        self.inside_subquery = True
        inner = self.select()
        self.inside_subquery = False
        return inner

    def column(self, clause: str) -> Column:
        word = self.name("a field")
        if not self.accept("("):
            return Column(word)
        if word.upper() not in FUNCTIONS[clause]:
            raise make_syntax_error(f"the function [{word}] is not supported in {clause}")
        inner = Column(self.name("a field"), word.upper())
        self.expect(")")
        return inner

    def find(self) -> tuple[Find, str]:
        start = self.peek().start
        self.expect("(")
        tree = self.search_junction("OR")
        self.expect(")")
        return tree, self.text[start : self.tokens[self.at - 1].start + 1]

    def search_junction(self, word: str) -> Find:
        inner = self.search if word == "AND" else lambda: self.search_junction("AND")
        parts = [inner()]
        while self.accept(word):
            parts.append(inner())
        return parts[0] if len(parts) == 1 else SearchJunction(word, tuple(parts))

    def search(self) -> Find:
        if self.accept("("):
            self.enter()
            inner = self.search_junction("OR")
            self.expect(")")
            self.depth -= 1
            return inner
        negated = self.accept("NOT")
        raw = self.raw_text("a search phrase in single quotes")
        if not 1 <= len(unescape(raw)) <= MAXIMUM_PHRASE:
            raise make_syntax_error(f"a search phrase has 1 to {MAXIMUM_PHRASE} characters")
        return Search(raw, self.scope() if self.accept("SCOPE") else "PROPERTIES", negated)

    def scope(self) -> str | tuple[str, ...]:
        words = [self.name("a scope")]
        if words[0].upper() == "CONTENT":
            raise make_syntax_error("SCOPE CONTENT searches documents only")
        if words[0].upper() in ("ALL", "PROPERTIES"):
            return words[0].upper()
        while self.accept(","):
            words.append(self.name("a field"))
        if len(words) > MAXIMUM_SCOPE_FIELDS:
            raise make_syntax_error(f"SCOPE has at most {MAXIMUM_SCOPE_FIELDS} fields")
        return tuple(words)

    def order(self) -> tuple[tuple[Column, bool], ...]:
        columns: list[tuple[Column, bool]] = []
        while not columns or self.accept(","):
            column = self.column("ORDER BY")
            if "." in column.path:
                raise make_syntax_error(
                    f"[{column.path}] belongs to a related object; VQL cannot order by it"
                )
            descending = self.accept("DESC")
            if not descending:
                self.accept("ASC")
            columns.append((column, descending))
        return tuple(columns)

    def numbers(self) -> list[tuple[str, int]]:
        clauses: dict[str, int] = {}
        while self.peek().kind == "key" and self.peek().value in NUMBER_CLAUSES:
            clause = str(self.next_token().value)
            if clause in clauses:
                raise make_syntax_error(f"{clause} occurs twice")
            if clause == "MAXROWS" and "PAGESIZE" in clauses:
                raise make_syntax_error("MAXROWS must come before PAGESIZE")
            value = self.value()
            minimum = 1 if clause in ("PAGESIZE", "LIMIT", "MAXROWS") else 0
            if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
                raise make_syntax_error(f"{clause} needs a whole number of at least {minimum}")
            clauses[clause] = value
        return list(clauses.items())

    def junction(self, word: str) -> Condition:
        inner = self.condition if word == "AND" else lambda: self.junction("AND")
        parts = [inner()]
        while self.accept(word):
            parts.append(inner())
        return parts[0] if len(parts) == 1 else Junction(word, tuple(parts))

    def condition(self) -> Condition:
        if self.accept("NOT"):
            raise make_syntax_error("NOT is supported in FIND only; use != in WHERE")
        if not self.accept("("):
            return self.comparison()
        self.enter()
        inner = self.junction("OR")
        self.expect(")")
        self.depth -= 1
        return inner

    def comparison(self) -> Condition:
        column = self.column("WHERE")
        if self.accept("IN"):
            self.expect("(")
            inner = self.inner_query()
            self.expect(")")
            return InQuery(column, inner)
        if self.accept("CONTAINS"):
            return Compare(column, "CONTAINS", self.value_list())
        if self.accept("BETWEEN"):
            low = self.value()
            self.expect("AND")
            return Compare(column, "BETWEEN", (low, self.value()))
        if self.accept("LIKE"):
            return Compare(column, "LIKE", (), self.like_pattern())
        for sign in ("=", "!=", "<=", ">=", "<", ">"):
            if self.accept(sign):
                return self.symbolic(column, sign)
        raise self.unexpected("a comparison")

    def symbolic(self, column: Column, sign: str) -> Compare:
        value = self.value()
        if value is None and sign not in ("=", "!="):
            raise make_syntax_error(f"null can be compared with = and != only, not with {sign}")
        return Compare(column, sign, (value,))

    def like_pattern(self) -> Pattern:
        pattern = parse_pattern(self.raw_text("a pattern in single quotes"))
        if len(pattern.parts) > 1 and not pattern.parts[0]:
            raise make_syntax_error("LIKE with a leading wildcard is supported in SHOW only")
        return pattern

    def value_list(self) -> tuple[Value, ...]:
        self.expect("(")
        values = [self.value()]
        while self.accept(","):
            values.append(self.value())
        self.expect(")")
        return tuple(values)
