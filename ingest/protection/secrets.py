"""Find secrets in texts, and replace each with a fingerprint.

What a secret looks like is data: `secrets.toml`. A value is replaced because of the name beside it, because of the
heading of its column, or because of its format. Ids, hashes and UUIDs of records have none of these.
"""

from __future__ import annotations

import base64
import binascii
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

Fingerprint = Callable[[str], str]

HIDDEN = "secret-hidden"
"""Replaces secrets where no key is at hand, such as in error messages."""

_FINGERPRINT = re.compile(r"(?:secret|session)-(?:[0-9a-f]{12}|hidden)")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_LETTER, _DIGIT = re.compile(r"[A-Za-z]"), re.compile(r"[0-9]")
_LONG_WORD = re.compile(r"[\w+=!-]{19,}", re.ASCII)
_CLOSING = ".)]}>"


@dataclass(frozen=True, slots=True)
class Rule:
    """One format of a secret; the group `secret` of `pattern` is replaced.

    A text without any of the `needles`, in lower case, has no such secret, nor has a text with less than `shortest`
    characters, or one without the `hint`, a pattern for DuckDB.
    """

    name: str
    needles: tuple[str, ...]
    shortest: int
    expression: str
    flags: int
    hint: str
    value: str
    source: str

    @property
    def pattern(self) -> re.Pattern[str]:
        """The compiled expression; few loads need more than one of them."""
        return _compile(self.expression, self.flags)


@cache
def _compile(expression: str, flags: int) -> re.Pattern[str]:
    return re.compile(expression, flags)


@dataclass(frozen=True, slots=True)
class _Catalogue:
    rules: tuple[Rule, ...]
    words: frozenset[str]
    headings: re.Pattern[str]
    doubtful_headings: re.Pattern[str]
    heading_hint: str


@cache
def _catalogue() -> _Catalogue:
    data = tomllib.loads(files("ingest.protection").joinpath("secrets.toml").read_text(encoding="utf-8"))
    return _Catalogue(
        rules=tuple(_rule(each, data["names"], data["needles"]) for each in data["rule"]),
        words=frozenset(data["words"]),
        headings=re.compile(data["headings"]),
        doubtful_headings=re.compile(data["doubtful_headings"]),
        heading_hint=data["heading_hint"],
    )


def _rule(data: dict[str, Any], names: dict[str, str], needles: dict[str, list[str]]) -> Rule:
    pattern, hint = data["pattern"], data["hint"]
    own_needles = needles[data["needles"]] if isinstance(data["needles"], str) else data["needles"]
    for name, text in names.items():
        pattern, hint = pattern.replace(f"<<{name}>>", text), hint.replace(f"<<{name}>>", text)
    flags = 0 if data.get("case") else re.IGNORECASE
    scope = "?:" if data.get("case") else "?i:"
    return Rule(
        data["name"],
        tuple(own_needles),
        data.get("shortest", 0),
        pattern,
        flags | re.ASCII,
        f"({scope}{hint})",
        data["value"],
        data["source"],
    )


def rules() -> tuple[Rule, ...]:
    """Return all rules of `secrets.toml`."""
    return _catalogue().rules


@cache
def hint_pattern() -> str:
    """Return one RE2 pattern that occurs in every text with a secret."""
    return "|".join([*(rule.hint for rule in rules()), _catalogue().heading_hint])


def hide_secrets(text: str, fingerprint: Fingerprint = lambda _: HIDDEN) -> str:
    """Replace every secret in a text; without a `fingerprint`, by the same word."""
    lowered = text.lower()
    for rule in rules():
        if len(text) >= rule.shortest and any(needle in lowered for needle in rule.needles):
            text = rule.pattern.sub(lambda match, rule=rule: _replacement(match, rule, fingerprint), text)  # type: ignore[misc]
    return text


def is_secret_cell(heading: str, cell: str) -> bool:
    """Return whether a whole cell is a secret, because of its heading."""
    if cell.strip().casefold() in _catalogue().words or _FINGERPRINT.fullmatch(cell.strip()):
        return False
    return is_secret_heading(heading) or (
        is_doubtful_heading(heading) and " " not in cell and _is_opaque(cell, 16)
    )


def is_fingerprint(cell: str) -> bool:
    """Return whether a cell is the fingerprint of a secret."""
    return _FINGERPRINT.fullmatch(cell.strip().strip('"')) is not None


@cache
def is_secret_heading(heading: str) -> bool:
    """Return whether every value under a heading is a secret."""
    return _catalogue().headings.fullmatch(_letters_and_digits(heading)) is not None


@cache
def is_doubtful_heading(heading: str) -> bool:
    """Return whether long opaque values under a heading are secrets."""
    return _catalogue().doubtful_headings.fullmatch(_letters_and_digits(heading)) is not None


def hide_opaque_words(text: str, fingerprint: Fingerprint) -> str:
    """Replace every long opaque word, for a row whose columns are unknown and one of them has secrets."""
    return _LONG_WORD.sub(
        lambda match: (
            fingerprint(match[0]) if _is_opaque(match[0], 19) and "__" not in match[0] else match[0]
        ),
        text,
    )


def _letters_and_digits(heading: str) -> str:
    return "".join(filter(str.isalnum, heading.casefold()))


def _replacement(match: re.Match[str], rule: Rule, fingerprint: Fingerprint) -> str:
    secret = match["secret"]
    core = secret.strip() if rule.value == "any" and " " in secret else secret.rstrip(_CLOSING)
    if not core or not _is_secret(core, rule.value):
        return match[0]
    start = match.start("secret") - match.start() + secret.index(core)
    return match[0][:start] + fingerprint(core) + match[0][start + len(core) :]


def _is_secret(value: str, kind: str) -> bool:
    if value.casefold() in _catalogue().words or _FINGERPRINT.search(value) or not value.strip("*•.xX "):
        return False
    match kind:
        case "token":
            return len(value) >= 6 and _DIGIT.search(value) is not None
        case "opaque":
            return _is_opaque(value, 8)
        case "long":
            return _is_opaque(value, 16)
        case "basic":
            return _is_basic(value)
    return True


def _is_opaque(value: str, shortest: int) -> bool:
    return (
        len(value) >= shortest
        and _LETTER.search(value) is not None
        and _DIGIT.search(value) is not None
        and not _UUID.fullmatch(value)
        and not _FINGERPRINT.fullmatch(value)
        and not re.fullmatch(r"\d{4}-\d\d-\d\d[T ][\d:.,+Zz-]+", value)
    )


def _is_basic(value: str) -> bool:
    try:
        decoded = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return b":" in decoded and decoded.isascii()
