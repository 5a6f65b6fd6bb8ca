"""FIND: a search for words in the text fields of a record.

Documented: case is ignored; a phrase without operators needs every word, one with AND or OR joins its other words by
OR; `*` and the end of a word match further characters; double quotes search the exact words. How Vault splits text
into words is not documented in detail; here a word is a run of letters and digits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sync_engine.vault_api.vql.lexer import make_syntax_error, split_atoms
from sync_engine.vault_api.vql.tree import Find, Search, SearchJunction

_WORD = re.compile(r"\w+")
TextTest = Callable[[list[list[str]]], bool]
"""A test of a record's texts, each as its folded words."""


@dataclass(frozen=True, slots=True)
class _Term:
    """Consecutive word patterns. The record matches if one of its texts contains them in a row."""

    patterns: tuple[re.Pattern[str], ...]

    def matches(self, texts: list[list[str]]) -> bool:
        return any(self._matches_words(words) for words in texts)

    def _matches_words(self, words: Sequence[str]) -> bool:
        count = len(self.patterns)
        return any(
            all(
                pattern.fullmatch(word)
                for pattern, word in zip(self.patterns, words[at : at + count], strict=True)
            )
            for at in range(len(words) - count + 1)
        )


def split_words(text: str) -> list[str]:
    """Split text into its folded words."""
    return _WORD.findall(text.casefold())


def iterate_searches(tree: Find) -> list[Search]:
    """Return the searches of a FIND clause in order."""
    if isinstance(tree, Search):
        return [tree]
    return [search for part in tree.parts for search in iterate_searches(part)]


def combine_searches(tree: Find, evaluate: Callable[[Search], bool]) -> bool:
    """Evaluate a FIND clause. `evaluate` returns the result of one search."""
    if isinstance(tree, SearchJunction):
        results = (combine_searches(part, evaluate) for part in tree.parts)
        return all(results) if tree.word == "AND" else any(results)
    return evaluate(tree) != tree.negated


def build_phrase_test(raw: str) -> TextTest:
    """Return the test of a search phrase. `raw` keeps its escapes.

    Raises VaultError if the phrase has no word.
    """
    items = _split_phrase(raw)
    terms = [item for item in items if isinstance(item, _Term)]
    if not terms:
        raise make_syntax_error("a search phrase needs a word")
    if "AND" not in items and "OR" not in items:
        return lambda texts: all(term.matches(texts) for term in terms)
    groups: list[list[_Term]] = [[]]
    joined = True
    for item in items:
        if isinstance(item, _Term):
            if not joined:  # words without an operator between them
                groups.append([])
            groups[-1].append(item)
            joined = False
        elif item == "AND":
            joined = True
    return lambda texts: any(all(term.matches(texts) for term in group) for group in groups if group)


def _split_phrase(raw: str) -> list[_Term | str]:
    """Split a phrase into terms and the operators AND and OR."""
    items: list[_Term | str] = []
    word: list[tuple[str, bool]] = []
    quoted = False
    for character, escaped in [*split_atoms(raw), (" ", False)]:
        if character == '"' and not escaped:
            items += _make_items(word, exact=quoted)
            word, quoted = [], not quoted
        elif character.isspace() and not quoted:
            items += _make_items(word, exact=False)
            word = []
        else:
            word.append((character, escaped))
    if quoted:
        raise make_syntax_error("a double quote in the search phrase is not closed")
    return items


def _make_items(word: list[tuple[str, bool]], *, exact: bool) -> list[_Term | str]:
    text = "".join(character for character, _ in word)
    if text in ("AND", "OR") and not exact:
        return [text]
    # A wildcard is marked by a character that no word can contain.
    marked = "".join(
        "\0" if character == "*" and not escaped and not exact else character for character, escaped in word
    )
    pieces = re.findall(r"[\w\0]+", marked.casefold())
    if not pieces:
        return []
    expressions = [re.escape(piece).replace(re.escape("\0"), ".*") for piece in pieces]
    if not exact:
        expressions[-1] += ".*"  # documented: wildcards are added to most search terms
    return [_Term(tuple(re.compile(expression, re.DOTALL) for expression in expressions))]
