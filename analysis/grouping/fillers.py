"""Recognize values of shapes that no list has: they are where other messages have values.

A template *covers* another one if both are equal, except that the other has a few words in place of variables.
These words are fillers. Two things show that a filler is a value: its form, or that the same filler is in place of
values in several templates. Codes, states, request methods and clauses are never values.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise
from typing import NamedTuple

from analysis.grouping import vocabulary as words_of
from analysis.grouping.items import VARIABLE, Words
from analysis.grouping.shapes import collapse_variables

MAX_FILLER = 8  # words
PLACES_NEEDED = 3  # a filler in so many places of values,
VALUE_SHARE = 0.3  # and in this share of the templates that contain it, is a value everywhere
CONSTANT_WORDS_NEEDED = 3  # beside a filler that only has a capital
CONSTANT_WORDS_NEEDED_KNOWN = 2  # beside values that are known from other places
FEW = 64  # templates; more than these are searched by pairs of words
SHORT_WORD = 2  # characters: "PM" belongs to a time, "HTTPS" names a protocol
ABBREVIATION = 4  # characters: "jeu. 5 avr."
_SENTENCE_SIGNS = frozenset(":=;?!：；＝？！。，、—–→")  # what follows them can be a reason,
_INNER_SIGNS = frozenset(":=;?")  # except in the middle of a message
_GLUE = frozenset("@~$#^|{}[]<>\\°")  # a word beside one of these is no word of a sentence

Fillers = tuple[Words, ...]
_Key = str | tuple[str, str]  # a word, or two neighbors; an empty word is the start or the end
_Place = tuple[Words, Words]  # the words before and after a variable, at most one of each


class Match(NamedTuple):
    """A template that another one covers, and what it has in place of each variable."""

    words: Words
    fillers: Fillers


def find_values(templates: set[Words]) -> frozenset[Words]:
    """Return the fillers that are values wherever they occur, and their words; the order has no effect."""
    places: dict[Words, set[_Place]] = defaultdict(set)
    uses: dict[Words, set[Words]] = defaultdict(set)
    for wide, matches in _match_templates(templates):
        variables = [(before[-1:], after[:1]) for before, after in pairwise(_split(wide))]
        for words, fillers in matches:
            for filler, place in zip(fillers, variables, strict=True):
                for part in _list_parts(filler):
                    places[part].add(place)
                    uses[part].add(words)
    occurrences = Counter(word for words in templates for word in set(words))
    return frozenset(
        part
        for part, distinct in places.items()
        if len(distinct) >= PLACES_NEEDED
        and not any(map(_is_content, part))
        and len(uses[part]) >= VALUE_SHARE * min(occurrences[word] for word in part)
    )


def absorb_values(templates: set[Words], values: frozenset[Words]) -> dict[Words, Words]:
    """Map each template to the most specific one that covers it by values alone."""
    wider: dict[Words, tuple[int, Words]] = {}
    for wide, matches in _match_templates(templates):
        constant_words = _count_constant_words(wide)
        rank = (-constant_words, wide)
        for words, fillers in matches:
            is_covered = all(
                _is_value(
                    filler,
                    values,
                    begins=number == 0 and wide[0] == VARIABLE,
                    ends=number == len(fillers) - 1 and wide[-1] == VARIABLE,
                    constant_words=constant_words,
                )
                for number, filler in enumerate(fillers)
            )
            if is_covered and (words not in wider or rank < wider[words]):
                wider[words] = rank
    absorbed = _join_values(templates, values)
    for words in wider:
        wide = words
        while wide in wider:  # ends: each has fewer constant words than the one before
            wide = wider[wide][1]
        absorbed[words] = wide
    return absorbed


def _join_values(templates: set[Words], values: frozenset[Words]) -> dict[Words, Words]:
    """Replace words that are values everywhere, in templates that become equal by it."""
    members: dict[Words, list[Words]] = defaultdict(list)
    for words in templates:
        members[collapse_variables(VARIABLE if (word,) in values else word for word in words)].append(words)
    return {
        words: wide
        if len(group) > 1 and _count_constant_words(wide) >= CONSTANT_WORDS_NEEDED_KNOWN
        else words
        for wide, group in members.items()
        for words in group
    }


def _list_parts(filler: Words) -> set[Words]:
    """Return the words of a filler, and the filler itself if it is without variables."""
    parts: set[Words] = {(word,) for word in filler if word[0].isalnum()}
    return parts if VARIABLE in filler else parts | {filler}


def _is_value(
    filler: Words, values: frozenset[Words], *, begins: bool, ends: bool, constant_words: int
) -> bool:
    if filler == (VARIABLE,) or filler in values:
        return True
    is_certain = constant_words >= CONSTANT_WORDS_NEEDED and not begins
    for before, word, after in zip(("", *filler), filler, (*filler[1:], ""), strict=False):
        if word == VARIABLE or (word,) in values:
            is_certain = True
        elif _is_content(word):
            return False
        elif not word[0].isalnum():
            if word in _SENTENCE_SIGNS and (begins or ends or word not in _INNER_SIGNS):
                return False
        elif words_of.has_name_form(word) or before in _GLUE or after in _GLUE:
            is_certain = True
        elif not _can_be_part(word) and not (after == "." and len(word) <= ABBREVIATION):
            return False
    return is_certain


def _can_be_part(word: str) -> bool:
    """Return whether a word can be a part of a value: a name, a unit, a file extension."""
    folded = word.casefold()
    if words_of.is_name(word):
        return not word.isupper() or len(word) <= SHORT_WORD or folded in words_of.TIME_WORDS
    is_unit = folded in words_of.UNITS or folded in words_of.TIME_WORDS or folded in words_of.FILE_EXTENSIONS
    return is_unit or not (word.isalpha() or word.isdigit())


def _is_content(word: str) -> bool:
    """Return whether a word names what is wrong, so that it is never a value."""
    return word != VARIABLE and (
        word.isdigit()
        or word in words_of.METHODS
        or words_of.is_state_word(word)
        or words_of.is_clause(word)
        or (words_of.is_code(word) and not words_of.is_capital_word(word))
    )


def _count_constant_words(words: Words) -> int:
    return sum(map(words_of.count_words, words))


def _match_templates(templates: set[Words]) -> Iterator[tuple[Words, list[Match]]]:
    """Yield each template that covers others, with these."""
    occurrences = Counter(chain.from_iterable(map(set, templates)))
    wides = [words for words in templates if VARIABLE in words]
    keys = {wide: keys for wide in wides if (keys := _list_keys(wide, occurrences))}
    index: dict[_Key, list[Words]] = {key: [] for wide_keys in keys.values() for key in wide_keys}
    single = {key for key in index if isinstance(key, str)}
    has_pairs = len(single) < len(index)
    for words in templates:
        for word in single.intersection(words):
            index[word].append(words)
        if has_pairs:
            for pair in index.keys() & set(pairwise(("", *words, ""))):
                index[pair].append(words)
    for wide, wide_keys in keys.items():
        candidates = min((index[key] for key in wide_keys), key=len)
        matches = list(_match_candidates(wide, candidates)) if len(candidates) > 1 else []
        if matches:
            yield wide, matches


def _list_keys(wide: Words, occurrences: Counter[str]) -> list[_Key]:
    """Return what each covered template contains too: a rare word, or pairs of neighbors if there is none."""
    constant = [word for word in wide if word != VARIABLE and words_of.count_words(word)]
    rarest = min(constant, key=occurrences.__getitem__, default=None)
    if rarest is None or occurrences[rarest] == 1:  # no other template contains it
        return []
    pairs: list[_Key] = [pair for pair in pairwise(("", *wide, "")) if VARIABLE not in pair]
    return [rarest] if occurrences[rarest] <= FEW or not pairs else pairs


def _match_candidates(wide: Words, candidates: Iterable[Words]) -> Iterator[Match]:
    segments = _split(wide)
    longest = len(wide) + (MAX_FILLER - 1) * (len(segments) - 1)
    for words in candidates:
        if len(wide) <= len(words) <= longest and words != wide:
            fillers = _find_fillers(words, segments)
            if fillers is not None:
                yield Match(words, fillers)


def _split(wide: Words) -> list[Words]:
    """Return the constant words before, between and after the variables."""
    bounds = [-1, *(position for position, word in enumerate(wide) if word == VARIABLE), len(wide)]
    return [wide[before + 1 : after] for before, after in pairwise(bounds)]


def _find_fillers(words: Words, segments: Sequence[Words]) -> Fillers | None:
    """Return what `words` have between the segments; None if a segment is missing or too far away."""
    first, last = segments[0], segments[-1]
    position, end = len(first), len(words) - len(last)
    if words[:position] != first or words[end:] != last:
        return None
    fillers = []
    for segment in segments[1:-1]:
        starts = range(position + 1, min(position + MAX_FILLER + 1, end - len(segment)))
        start = next((start for start in starts if words[start : start + len(segment)] == segment), None)
        if start is None:
            return None
        fillers.append(words[position:start])
        position = start + len(segment)
    if not 0 < end - position <= MAX_FILLER:
        return None
    return (*fillers, words[position:end])
