"""From messages to templates, by content alone: the order of the messages plays no part.

Masked messages that agree in all words but one are laid side by side. If the words that differ look like
names (many of them, or in a place where a name is announced) the place is variable; if they look like states,
the messages stay apart. Everything is decided for all messages at once, round by round, until nothing changes.
Comparing words by position is the idea of IPLoM (Makanju et al., 2009) and Drain (He et al., 2017); both decide
on what came first, and so are not used here.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from analysis.grouping.masks import ROLES, VARIABLE, Words, collapse_variables, is_state_word

MOST_ROUNDS = 8
NAMES_NEEDED = 4  # so many different words in one place are names ...
NAMES_NEEDED_FIRST = 12  # ... but the first word of a message is seldom one
NAMES_NEEDED_ANNOUNCED = 2  # after `user`, `for`, `package` and the like, or when all are written like names
CONSTANT_WORDS_NEEDED = 2
_WRITTEN_LIKE_A_NAME = re.compile(r"[a-z][A-Z]|[_$]|\w[.-]\w")

_Rivals = Mapping[tuple[Words, Words], set[str]]


def build_templates(messages: Iterable[Words]) -> dict[Words, Words]:
    """Give each message, cut into words, its template; `<*>` stands where names vary."""
    current = {words: words for words in messages}
    for _ in range(MOST_ROUNDS):
        step = _round(set(current.values()))
        if all(before == after for before, after in step.items()):
            break
        current = {words: step[template] for words, template in current.items()}
    return current


def can_hold_name(word: str) -> bool:
    """Tell whether a name may stand in the place of this word: it is one, or varies already; not a mark."""
    return word == VARIABLE or word[0].isalpha() or word[0] == "_"


def _round(templates: set[Words]) -> dict[Words, Words]:
    seen: dict[tuple[Words, Words], set[str]] = defaultdict(set)
    for words in templates:
        for place, word in enumerate(words):
            if can_hold_name(word):
                seen[words[:place], words[place + 1 :]].add(word)
    return {words: _with_names_masked(words, seen) for words in templates}


def _with_names_masked(words: Words, seen: _Rivals) -> Words:
    settled = list(words)
    for place, word in enumerate(words):
        if word != VARIABLE and can_hold_name(word):
            rivals = seen[words[:place], words[place + 1 :]]
            if len(rivals) > 1 and _are_names(rivals, words, place):
                settled[place] = VARIABLE
    return collapse_variables(settled)


def _are_names(rivals: set[str], words: Words, place: int) -> bool:
    if sum(word[0].isalpha() for word in words) - 1 < CONSTANT_WORDS_NEEDED:
        return False
    states = sum(is_state_word(word) for word in rivals)
    return len(rivals) >= _needed(rivals, words, place) and states * 4 <= len(rivals)


def _needed(rivals: set[str], words: Words, place: int) -> int:
    before = next((word.lower() for word in reversed(words[:place]) if word[0].isalpha()), None)
    if before in ROLES or all(_WRITTEN_LIKE_A_NAME.search(word) for word in rivals):
        return NAMES_NEEDED_ANNOUNCED
    if before is None:
        return NAMES_NEEDED_FIRST
    return NAMES_NEEDED - (VARIABLE in rivals)  # a place that varies already needs less proof
