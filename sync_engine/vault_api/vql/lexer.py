"""The lexer of VQL, and its escape sequences.

Source of the escapes: Veeva, VQL, *Syntax Basics* (v21.3 and later).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sync_engine.protocol import VaultError
from sync_engine.vault_api.vql.tree import Pattern, Value

NUMBER_CLAUSES = ("SKIP", "MAXROWS", "LIMIT", "PAGESIZE", "OFFSET", "PAGEOFFSET")
RESERVED = frozenset(
    (
        "SELECT", "FROM", "AS", "FIND", "SCOPE", "WHERE", "ORDER", "BY", "AND", "OR", "NOT", "CONTAINS", "LIKE",
        "BETWEEN", "IN", "ASC", "DESC", "SHOW", "TARGETS", "FIELDS", "RELATIONSHIPS", *NUMBER_CLAUSES,
    )
)  # fmt: skip
_ESCAPES = {"\\": "\\", "'": "'", '"': '"', "%": "%", "*": "*", "n": "\n", "t": "\t", "r": "\r"}
_WORDS: dict[str, Value] = {"true": True, "false": False, "null": None}
_LEXEME = re.compile(
    r"\s*(?:'(?P<text>(?:[^'\\]|\\.|'')*)'|(?P<number>-?\d+(?:\.\d+)?)(?![\w.])"
    r"|(?P<word>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)|(?P<sign><=|>=|!=|[=<>(),:]))",
    re.DOTALL,
)
_ATOM = re.compile(r"\\(.)|''|(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Token:
    """One token. `value` is the raw text without quotes for `text`; `start` is its position in the query."""

    kind: str  # text, value, word, key, sign or end
    value: Value
    start: int


def make_syntax_error(detail: str) -> VaultError:
    """Build the error for a query that VQL does not allow."""
    return VaultError("INCORRECT_QUERY_SYNTAX_ERROR", f"Query syntax error: {detail}")


def tokenize(text: str) -> list[Token]:
    """Split a query into tokens.

    Raises VaultError with the position of a character that cannot be read.
    """
    tokens: list[Token] = []
    text = text.rstrip().removesuffix(";").rstrip()
    at = 0
    while at < len(text):
        match = _LEXEME.match(text, at)
        if match is None:
            raise make_syntax_error(f"cannot read [{text[at : at + 20]}] at position {at}")
        kind = str(match.lastgroup)
        tokens.append(_make_token(kind, match.group(kind), match.start(kind)))
        at = match.end()
    return tokens


def _make_token(kind: str, word: str, start: int) -> Token:
    if kind == "number":
        return Token("value", float(word) if "." in word else int(word), start)
    if kind == "word" and word in _WORDS:
        return Token("value", _WORDS[word], start)
    if kind == "word" and word.upper() in RESERVED:
        return Token("key", word.upper(), start)
    return Token(kind, word, start)


def split_atoms(raw: str) -> list[tuple[str, bool]]:
    """Split quoted text into characters, each with whether it was escaped.

    Raises VaultError for a backslash that starts no documented escape sequence.
    """
    atoms: list[tuple[str, bool]] = []
    for match in _ATOM.finditer(raw):
        if match[1] is None:
            atoms.append((match[2] or "'", match[2] is None))
        elif match[1] in _ESCAPES:
            atoms.append((_ESCAPES[match[1]], True))
        else:
            raise make_syntax_error(f"[\\{match[1]}] is not an escape sequence; write a backslash as [\\\\]")
    return atoms


def unescape(raw: str) -> str:
    """Return the text of a quoted value, without escapes."""
    return "".join(character for character, _ in split_atoms(raw))


def parse_pattern(raw: str) -> Pattern:
    r"""Parse a LIKE pattern. An unescaped `%` matches any text; `\%` matches a percent sign."""
    parts = [""]
    for character, escaped in split_atoms(raw):
        if character == "%" and not escaped:
            parts.append("")
        else:
            parts[-1] += character
    return Pattern(tuple(parts))
