"""Which errors a person's correction is about: those that say the same, whatever issue they are in by now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from analysis.grouping.fingerprint import Content, mask_contents
from analysis.grouping.masks import Words, is_state_word, split_words
from analysis.grouping.templates import build_templates, can_hold_name

_Key = tuple[str, str, str, str]
_Pattern = tuple[str | None, ...]  # None where names vary


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A person said what the errors with these contents really are. Of two, the higher number is the newer.

    It is about every error whose masked content is that of a sample in `contents`. Where the samples show a
    place in which names stand, it is also about the errors that differ from a sample in that name alone.
    `issue_id` is what their issue was called when the person looked at it.
    """

    number: int
    cause: str
    contents: tuple[Content, ...]
    issue_id: str
    at: datetime
    actor: str
    reason: str


def match_corrections(
    contents: Sequence[Content], corrections: Iterable[Correction]
) -> list[Correction | None]:
    """Give each content the newest correction that is about it, or None."""
    rules = sorted(corrections, key=lambda one: one.number, reverse=True)
    if not rules:
        return [None] * len(contents)
    shapes = mask_contents(contents)
    book = _Book(rules)
    found = {shape: book.look_up(shape) for shape in set(shapes)}
    return [found[shape] for shape in shapes]


class _Book:
    """The corrections by what they are about."""

    def __init__(self, rules: Iterable[Correction]) -> None:
        self._exact: dict[Content, Correction] = {}
        self._varying: dict[tuple[_Key, int], list[tuple[_Pattern, Correction]]] = {}
        for rule in rules:
            shapes = list(dict.fromkeys(mask_contents(rule.contents)))
            for shape in shapes:
                self._exact.setdefault(shape, rule)
            for key, pattern in _patterns(shapes):
                self._varying.setdefault((key, len(pattern)), []).append((pattern, rule))

    def look_up(self, shape: Content) -> Correction | None:
        words = split_words(shape.message)
        fitting = (
            rule for pattern, rule in self._varying.get((shape[:-1], len(words)), ()) if _fits(words, pattern)
        )
        found = [rule for rule in (self._exact.get(shape), next(fitting, None)) if rule is not None]
        return max(found, key=lambda one: one.number, default=None)


def _patterns(shapes: Iterable[Content]) -> Iterator[tuple[_Key, _Pattern]]:
    """Lay the samples of one template side by side: where they differ, a name stands."""
    said: dict[_Key, list[Words]] = {}
    for shape in shapes:
        said.setdefault(shape[:-1], []).append(split_words(shape.message))
    for key, messages in said.items():
        settled = build_templates(messages)
        alike: dict[tuple[Words, int], set[Words]] = {}
        for words, template in settled.items():
            alike.setdefault((template, len(words)), set()).add(words)
        for group in alike.values():
            if len(group) > 1:
                columns = (set(column) for column in zip(*group, strict=True))
                yield key, tuple(column.pop() if len(column) == 1 else None for column in columns)


def _fits(words: Words, pattern: _Pattern) -> bool:
    return all(
        word == wanted if wanted is not None else can_hold_name(word) and not is_state_word(word)
        for word, wanted in zip(words, pattern, strict=True)
    )
