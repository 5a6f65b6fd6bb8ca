"""Build message templates from content alone; the order of the messages has no effect.

Masked messages that agree in all words but one are compared. If the different words look like names (there are
many of them, or the word before announces a name), that position becomes variable; if they look like states, the
messages stay separate. All messages are compared in rounds until nothing changes. Comparing words by position is
the idea of IPLoM (Makanju et al., 2009) and Drain (He et al., 2017). Both depend on the order of the messages, so
they are not used here.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from analysis.grouping.masks import ROLES, VARIABLE, Words, collapse_variables, is_state_word

MAX_ROUNDS = 8
NAMES_NEEDED = 4  # with this many different words, a position holds names
NAMES_NEEDED_FIRST = 12  # the first word of a message is rarely a name
NAMES_NEEDED_ANNOUNCED = 2  # after `user`, `for`, `package` and the like, or if all words look like names
CONSTANT_WORDS_NEEDED = 2
_LOOKS_LIKE_NAME = re.compile(r"[a-z][A-Z]|[_$]|\w[.-]\w")

_WordsByContext = Mapping[
    tuple[Words, Words], set[str]
]  # (words before, words after): the words between them


def build_templates(messages: Iterable[Words]) -> dict[Words, Words]:
    """Map each message, split into words, to its template; names in a template are `<*>`."""
    templates = {words: words for words in messages}
    for _ in range(MAX_ROUNDS):
        generalized = _generalize(set(templates.values()))
        if all(before == after for before, after in generalized.items()):
            break
        templates = {words: generalized[template] for words, template in templates.items()}
    return templates


def can_hold_name(word: str) -> bool:
    """Return whether the position of this word can hold a name: it is a word or variable, not punctuation."""
    return word == VARIABLE or word[0].isalpha() or word[0] == "_"


def _generalize(templates: set[Words]) -> dict[Words, Words]:
    words_by_context: dict[tuple[Words, Words], set[str]] = defaultdict(set)
    for words in templates:
        for position, word in enumerate(words):
            if can_hold_name(word):
                words_by_context[words[:position], words[position + 1 :]].add(word)
    return {words: _mask_names(words, words_by_context) for words in templates}


def _mask_names(words: Words, words_by_context: _WordsByContext) -> Words:
    masked = list(words)
    for position, word in enumerate(words):
        if word != VARIABLE and can_hold_name(word):
            alternatives = words_by_context[words[:position], words[position + 1 :]]
            if len(alternatives) > 1 and _are_names(alternatives, words, position):
                masked[position] = VARIABLE
    return collapse_variables(masked)


def _are_names(alternatives: set[str], words: Words, position: int) -> bool:
    if sum(word[0].isalpha() for word in words) - 1 < CONSTANT_WORDS_NEEDED:
        return False
    states = sum(is_state_word(word) for word in alternatives)
    return len(alternatives) >= _names_needed(alternatives, words, position) and states * 4 <= len(
        alternatives
    )


def _names_needed(alternatives: set[str], words: Words, position: int) -> int:
    word_before = next((word.lower() for word in reversed(words[:position]) if word[0].isalpha()), None)
    if word_before in ROLES or all(_LOOKS_LIKE_NAME.search(word) for word in alternatives):
        return NAMES_NEEDED_ANNOUNCED
    if word_before is None:
        return NAMES_NEEDED_FIRST
    return NAMES_NEEDED - (VARIABLE in alternatives)  # a variable position needs one name less
