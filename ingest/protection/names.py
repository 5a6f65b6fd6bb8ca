"""Know which columns and headings identify users, and find their names in texts.

The columns and words are data: `fields.toml`.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from ingest.protection.pseudonyms import EMAIL, Pseudonymizer

Identity = Literal["name", "address", "phone", "doubtful"]

_WORDS = re.compile(r"[^\W\d_]+|\d+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_TOKEN = re.compile(r"[^\W_]+")
_BETWEEN = re.compile(r"[\s,.;:_'’`+-]{1,3}")
_WITHOUT_SPACES = re.compile(r"[぀-ヿ㐀-鿿가-힯豈-﫿ｦ-ﾟ]+")
_FULL_NAME = re.compile(r"[^\W\d_][^\W\d_'’.-]*\.?(?:[-'’ ,]{1,2}[^\W\d_][^\W\d_'’.-]*\.?){1,4}")
_SHORTEST_PART = 3


@cache
def _fields() -> dict[str, Any]:
    return tomllib.loads(files("ingest.protection").joinpath("fields.toml").read_text(encoding="utf-8"))


@cache
def _listed(section: str, name: str) -> frozenset[str]:
    return frozenset(_fields()[section][name])


def identity_columns(table: str, row: Mapping[str, str | None]) -> frozenset[str]:
    """Return the columns of a table in which a value identifies a user, always or in this row."""
    columns = set(_fields()["identity"].get(table, ()))
    for each in _fields()["conditional"]:
        if each["table"] == table and row.get(each["where"]) in each["values"]:
            columns.add(each["column"])
    for each in _fields()["by_field"]:
        if each["table"] == table and heading_identity(row.get(each["field"]) or "", "") in ("name", "phone"):
            columns.update(each["columns"])
    return frozenset(columns)


def is_no_name(cell: str) -> bool:
    """Return whether a cell of an identity column is a word such as "unknown"."""
    return cell.strip().casefold() in _listed("text", "no_names")


def looks_like_a_name(cell: str) -> bool:
    """Return whether a cell has the shape of a full name: two to five words, the first and last capitalized."""
    words = _TOKEN.findall(cell)
    return _FULL_NAME.fullmatch(cell.strip()) is not None and all(
        word[0].isupper() for word in (words[0], words[-1])
    )


@cache
def heading_identity(heading: str, table: str) -> Identity | None:
    """Return how a heading identifies users, or None; `table` is the table that the rows are for."""
    words = [word for word in _heading_words(heading) if not word.isdigit()]
    while len(words) > 1 and words[-1] in _listed("headings", "suffixes"):
        words.pop()
    if not words:
        return None
    ends = {"".join(words[-count:]) for count in (1, 2, 3)}
    if ends & _listed("headings", "addresses"):
        return "address"
    if ends & _listed("headings", "phones"):
        return "phone"
    if _is_user_heading(words, ends) or (words == ["name"] and table in _listed("headings", "user_tables")):
        return "name"
    return "doubtful" if "".join(words) in _listed("headings", "doubtful") else None


def _is_user_heading(words: list[str], ends: set[str]) -> bool:
    if ends & _listed("headings", "names") or words[-1] in _listed("headings", "users") or words[-1] == "by":
        return True
    if len(words) == 1:
        return False
    users = _listed("headings", "users")
    return (words[-1] in ("name", "id") and words[-2] in users) or (
        words[-1] == "name" and words[-2] in _listed("headings", "before_name")
    )


def _heading_words(heading: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", _CAMEL.sub(" ", heading))
    return [word.casefold() for word in _WORDS.findall(plain)]


class NameIndex:
    """Finds the names of a file in its texts, in either order, with initials, and a last name alone."""

    def __init__(self, pseudonymizer: Pseudonymizer) -> None:
        self._pseudonymizer = pseudonymizer
        self._added: set[str] = set()
        self._sequences: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        self._parts: dict[str, set[str]] = {}
        self._substrings: dict[str, str] = {}

    def add(self, name: str) -> bool:
        """Add a name, user name or e-mail address, and return whether it is new."""
        if name in self._added:
            return False
        self._added.add(name)
        for email in EMAIL.findall(name):
            local, _, _ = email.partition("@")
            self._add_tokens(_tokens(local), self._pseudonymizer.pseudonym(email), parts=False)
        if rest := EMAIL.sub(" ", name).strip(" <>(),;"):
            self._add_name(rest)
        return True

    def _add_name(self, name: str) -> None:
        pseudonym = self._pseudonymizer.pseudonym(name)
        plain = unicodedata.normalize("NFKC", name).rpartition("\\")[2]
        if _WITHOUT_SPACES.search(plain):
            joined = "".join(plain.split())
            for spelling in {plain.strip(), joined}:
                if len(spelling) > 1:
                    self._substrings[spelling] = pseudonym
        last, comma, first = plain.partition(",")
        self._add_tokens(_tokens(f"{first} {last}" if comma else plain), pseudonym, parts=True)

    def _add_tokens(self, tokens: list[str], pseudonym: str, *, parts: bool) -> None:
        common = _listed("text", "common_words")
        if len(tokens) == 1:
            if len(tokens[0]) >= _SHORTEST_PART and tokens[0] not in common and not tokens[0].isdigit():
                self._add_sequence(tokens, pseudonym)
            return
        if len(tokens) < 2 or all(token.isdigit() for token in tokens):
            return
        first, *middle, last = tokens
        for order in (
            tokens,
            [last, first, *middle],
            [first, last],
            [last, first],
            [first[0], last],
            [last, first[0]],
        ):
            self._add_sequence(order, pseudonym)
        if parts:
            for token in tokens:
                if len(token) >= _SHORTEST_PART and token not in common and not token.isdigit():
                    self._parts.setdefault(token, set()).add(pseudonym)

    def _add_sequence(self, tokens: Sequence[str], pseudonym: str) -> None:
        entry = (tuple(tokens), pseudonym)
        sequences = self._sequences.setdefault(tokens[0], [])
        if entry not in sequences:
            sequences.append(entry)
            sequences.sort(key=lambda each: -len(each[0]))

    def replace(self, text: str) -> str:
        """Replace each name in a text with its pseudonym."""
        for name, pseudonym in self._substrings.items():
            text = text.replace(name, pseudonym)
        if not self._sequences:
            return text
        tokens = list(_TOKEN.finditer(text))
        folded = [match[0].casefold() for match in tokens]
        pieces, end, position = [], 0, 0
        while position < len(tokens):
            count, pseudonym = self._match(text, tokens, folded, position)
            if count:
                pieces += [text[end : tokens[position].start()], pseudonym]
                end = tokens[position + count - 1].end()
            position += count or 1
        return "".join([*pieces, text[end:]])

    def _match(
        self, text: str, tokens: list[re.Match[str]], folded: list[str], position: int
    ) -> tuple[int, str]:
        for sequence, pseudonym in self._sequences.get(folded[position], ()):
            count = len(sequence)
            if tuple(folded[position : position + count]) == sequence and all(
                _BETWEEN.fullmatch(text, left.end(), right.start())
                for left, right in zip(
                    tokens[position : position + count - 1],
                    tokens[position + 1 : position + count],
                    strict=True,
                )
            ):
                return count, pseudonym
        owners = self._parts.get(folded[position])
        if owners and not tokens[position][0].islower():
            part = folded[position]
            return 1, next(iter(owners)) if len(owners) == 1 else self._pseudonymizer.pseudonym(part)
        return 0, ""


def _tokens(name: str) -> list[str]:
    return [token.casefold() for token in _TOKEN.findall(name)]
