"""Find the concepts of the lexicon in a text, in one pass over its words.

The lexicon lists the words of each concept by language, in `lexicon/*.toml`. Single words and stems are looked up in
tables. Other entries are patterns, indexed by two letters, and compiled when a text first has these letters. So the
time for a text hardly grows with the number of languages, and loading compiles nothing.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TypeVar

Span = tuple[int, int]
Spans = Mapping[str, tuple[Span, ...]]
"""The concepts of a text, each with the places of its words in the folded text."""

_FOLDER = "analysis.classification.concepts"
_KEY_LETTERS = 2
_MARKS = re.compile(r"[\u0300-\u036f]")
_SIGN = r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
_HAS_SIGN = re.compile(_SIGN)
_PLACE = re.compile(rf"{_SIGN}|(?:(?!{_SIGN})\w)+")
"""A sign of a script without spaces, or a word of another script."""
_GAP = r"\W(?:.{0,24}?\W)?"
_INFLECTED = frozenset({"cs", "hu", "pl", "ro", "ru", "tr", "uk"})
_DISTINCT_LETTERS = 5
_LONGEST_STEM = 24
_ONE_WORD = re.compile(rf"(?:(?!{_SIGN})\w)+")
_Entry = TypeVar("_Entry")
_LETTERS = str.maketrans({"ı": "i", "ł": "l", "ø": "o", "ß": "ss", "’": "'", "‘": "'", "ʼ": "'"})


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The entries of all concepts.

    `by_word` has the concepts of single words, `by_stem` those of single words with any ending. The other entries
    are texts of patterns with the letters they begin with, by the first or the last letters of their first word.
    """

    concepts: frozenset[str]
    by_word: Mapping[str, tuple[str, ...]]
    by_stem: Mapping[str, tuple[str, ...]]
    by_beginning: Mapping[str, tuple[tuple[str, str, str], ...]]
    by_ending: Mapping[str, tuple[tuple[str, str, str], ...]]


def find_concepts(text: str) -> Spans:
    """Return the concepts of a text, each with the places of its words in the folded text."""
    folded, lexicon = fold(text), load_lexicon()
    spans: dict[str, list[Span]] = {}
    for place in _PLACE.finditer(folded):
        word, start = place[0], place.start()
        for concept in lexicon.by_word.get(word, ()):
            spans.setdefault(concept, []).append(place.span())
        for length in range(1, min(len(word), _LONGEST_STEM) + 1):
            for concept in lexicon.by_stem.get(word[:length], ()):
                spans.setdefault(concept, []).append(place.span())
        candidates = (
            *lexicon.by_beginning.get(word[:_KEY_LETTERS], ()),
            *(lexicon.by_beginning.get(word[:1], ()) if len(word) > 1 else ()),
            *lexicon.by_ending.get(word[-_KEY_LETTERS:], ()),
        )
        for concept, letters, pattern in candidates:
            if folded.startswith(letters, start) and (match := _compile(pattern).match(folded, start)):
                spans.setdefault(concept, []).append(match.span())
    return {concept: tuple(dict.fromkeys(places)) for concept, places in spans.items()}


_compile = cache(re.compile)


def fold(text: str) -> str:
    """Return a text in lower case without accents; letters of every script stay."""
    decomposed = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).lower())
    return unicodedata.normalize("NFC", _MARKS.sub("", decomposed)).translate(_LETTERS)


@cache
def load_lexicon() -> Lexicon:
    """Load all files of the lexicon."""
    concepts: set[str] = set()
    words: dict[str, list[str]] = {}
    stems: dict[str, list[str]] = {}
    beginnings: dict[str, list[tuple[str, str, str]]] = {}
    endings: dict[str, list[tuple[str, str, str]]] = {}
    for concept, word in read_entries():
        concepts.add(concept)
        if _ONE_WORD.fullmatch(word):
            words.setdefault(word, []).append(concept)
        elif _ONE_WORD.fullmatch(word[:-1]) and word.endswith("*") and len(word) <= _LONGEST_STEM:
            stems.setdefault(word[:-1], []).append(concept)
        elif word.startswith("*"):
            endings.setdefault(_last_letters(word), []).append((concept, "", word_pattern(word)))
        else:
            letters = re.split(r"[* ]", word, maxsplit=1)[0]
            beginnings.setdefault(_first_letters(word), []).append((concept, letters, word_pattern(word)))
    return Lexicon(
        concepts=frozenset(concepts),
        by_word=_freeze(words),
        by_stem=_freeze(stems),
        by_beginning=_freeze(beginnings),
        by_ending=_freeze(endings),
    )


def _freeze(entries: dict[str, list[_Entry]]) -> dict[str, tuple[_Entry, ...]]:
    return {key: tuple(values) for key, values in entries.items()}


def word_pattern(word: str) -> str:
    """Return the pattern of one folded entry: `*` is any letters, ` .. ` up to 24 characters between words."""
    pattern = _GAP.join(
        re.escape(part).replace(r"\*", r"\w*").replace(r"\ ", r"\s+") for part in word.split(" .. ")
    )
    return pattern if _HAS_SIGN.match(word[-1]) else rf"{pattern}(?!\w)"


def _first_letters(word: str) -> str:
    # A sign is a word by itself, and an entry such as "id*" also begins words that are longer than its letters.
    first = _PLACE.match(word)
    letters = first[0] if first else word
    return letters[:_KEY_LETTERS]


def _last_letters(word: str) -> str:
    return word.split(" ", maxsplit=1)[0].strip("*")[-_KEY_LETTERS:]


@cache
def read_entries() -> tuple[tuple[str, str], ...]:
    """Return every concept with each of its words, folded."""
    return tuple(dict.fromkeys(_entries()))


def _entries() -> Iterator[tuple[str, str]]:
    lexicon = files(_FOLDER).joinpath("lexicon")
    for entry in sorted(lexicon.iterdir(), key=lambda each: each.name):
        language, suffix = entry.name.split(".", maxsplit=1)
        if suffix == "toml":
            for concept, words in tomllib.loads(entry.read_text(encoding="utf-8")).items():
                for word in dict.fromkeys(_with_endings(fold(word), language) for word in words):
                    yield concept, word


def _with_endings(word: str, language: str) -> str:
    """Let a word of an inflected language match with any ending, if it is long enough to be distinct."""
    is_stem = language in _INFLECTED and len(word.rsplit(" ", maxsplit=1)[-1]) >= _DISTINCT_LETTERS
    return f"{word}*" if is_stem and not word.endswith("*") else word
