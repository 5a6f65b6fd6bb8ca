"""From masked messages to templates: what differs in one place only, in many ways, is one template.

Everything is decided on the sorted set of distinct masked messages, so the order of arrival cannot matter.
The idea of comparing tokens by position is from IPLoM (Makanju et al., 2009) and Drain (He et al., 2017);
neither is used, because both decide on what came first.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

ANYTHING = "<*>"
# Fewer different words than this in one place may turn the meaning ("started", "paused"); so many do not.
MANY_WORDS = 5
# Names of files, devices and the like carry digits or capitals inside: two of them are enough.
MANY_NAMES = 2

_TOKENS = re.compile(r"<[\w*]+>|[^\W_]+(?:[_$'-][^\W_]+)*_?|[^\w\s]|_+")
_LIKE_A_NAME = re.compile(r"^<|\d|[a-z][A-Z]|_")
Tokens = tuple[str, ...]


def tokens(masked: str) -> Tokens:
    """Cut a masked message into words, marks and masks; runs of one mask count once."""
    found: list[str] = []
    for token in _TOKENS.findall(masked):
        if token.startswith("<") and len(token) > 1 and _goes_on(found, token):
            continue
        found.append(token)
    return tuple(found)


def templates(masked: Iterable[str]) -> dict[str, str]:
    """Give each masked message its template, a text in which `<*>` stands for what varies."""
    cut = {message: tokens(message) for message in sorted(set(masked))}
    final = _settle(set(cut.values()))
    return {message: " ".join(final[found]) for message, found in cut.items()}


def _goes_on(found: list[str], token: str) -> bool:
    if found and found[-1] == token:
        return True
    if len(found) > 1 and found[-1] in ",;" and found[-2] == token:
        found.pop()
        return True
    return False


def _settle(cut: set[Tokens]) -> dict[Tokens, Tokens]:
    final = {found: found for found in cut}
    while True:
        widened = _widen(set(final.values()))
        if not widened:
            return final
        final = {found: widened.get(template, template) for found, template in final.items()}


def _widen(current: set[Tokens]) -> dict[Tokens, Tokens]:
    """One round: which templates become wider, by the place in which they vary."""
    alike: dict[tuple[int, Tokens], set[str]] = defaultdict(set)
    for template in current:
        for place in range(len(template)):
            alike[place, template[:place] + template[place + 1 :]].add(template[place])
    places: dict[Tokens, list[int]] = defaultdict(list)
    for (place, rest), words in alike.items():
        if _vary(words, rest):
            for word in words:
                places[rest[:place] + (word,) + rest[place:]].append(place)
    return {
        template: tuple(ANYTHING if at in chosen else token for at, token in enumerate(template))
        for template, chosen in places.items()
        if any(template[place] != ANYTHING for place in chosen)
    }


def _vary(words: set[str], rest: Tokens) -> bool:
    if len(words) < MANY_NAMES or not any(token[0].isalpha() for token in rest):
        return False
    if ANYTHING in words:
        return True
    if any(not (word[0].isalnum() or word.startswith("<")) for word in words):
        return False
    names = sum(bool(_LIKE_A_NAME.search(word)) for word in words)
    return len(words) >= MANY_WORDS or names == len(words)
