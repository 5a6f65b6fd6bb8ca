"""From masked messages to templates: messages that differ in one place, where a name stands, are one.

Everything is decided on the set of distinct masked messages, so the order of arrival cannot matter. Comparing
words by position is the idea of IPLoM (Makanju et al., 2009) and Drain (He et al., 2017); both decide on what
came first, and so are not used here.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from analysis.grouping.masks import ROLES, Words, is_state

ANYTHING = "<*>"
# So many different words in one place are names, whatever they look like; fewer may turn the meaning.
MANY_WORDS = 5

_LIKE_A_NAME = re.compile(r"^<\w|\d|[a-z][A-Z]|_")


def settle(messages: Iterable[Words]) -> dict[Words, Words]:
    """Give each message, cut into words, its template; `<*>` stands where names vary."""
    final = {message: message for message in messages}
    while widened := _widen(set(final.values())):
        final = {message: widened.get(template, template) for message, template in final.items()}
    return final


def _widen(current: set[Words]) -> dict[Words, Words]:
    """One round: the templates that become wider, each at every place in which names vary."""
    alike: dict[tuple[int, Words], set[str]] = defaultdict(set)
    for template in current:
        for place, word in enumerate(template):
            alike[place, template[:place] + template[place + 1 :]].add(word)
    places: dict[Words, set[int]] = defaultdict(set)
    for (place, rest), words in alike.items():
        if _vary(words, rest, place):
            for word in words:
                places[(*rest[:place], word, *rest[place:])].add(place)
    return {
        template: tuple(ANYTHING if at in chosen else word for at, word in enumerate(template))
        for template, chosen in places.items()
        if any(template[place] != ANYTHING for place in chosen)
    }


def _vary(words: set[str], rest: Words, place: int) -> bool:
    """Tell whether the words that stand in one place, all else being equal, are names."""
    if len(words) == 1 or not any(word[0].isalpha() for word in rest):
        return False
    if ANYTHING in words:
        return True
    if any(not (word[0].isalnum() or word[:1] == "<" != word) for word in words):
        return False
    if len(words) >= MANY_WORDS or all(_LIKE_A_NAME.search(word) for word in words):
        return True
    announced = place > 0 and rest[place - 1].lower() in ROLES
    return announced and not any(is_state(word) for word in words)
