"""Match manual corrections to errors by content, whatever the id of their issue is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from analysis.grouping.fingerprint import Content, mask_contents
from analysis.grouping.masks import Words, split_words
from analysis.grouping.templates import build_templates, can_hold_name
from analysis.grouping.vocabulary import is_state_word

_Key = tuple[str, str, str, str]
_Pattern = tuple[str | None, ...]  # None matches any name


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A user's decision on the cause of errors with certain contents. A higher `number` is newer.

    It applies to every error whose masked content equals that of a sample in `contents`. If the samples differ in
    a name, it also applies to errors that differ from a sample only in that name. `issue_id` is the id of the
    issue at the time of the correction.
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
    """Return for each content the newest correction that applies to it, or None."""
    newest_first = sorted(corrections, key=lambda correction: correction.number, reverse=True)
    if not newest_first:
        return [None] * len(contents)
    masked = mask_contents(contents)
    index = _CorrectionIndex(newest_first)
    matches = {content: index.find(content) for content in set(masked)}
    return [matches[content] for content in masked]


class _CorrectionIndex:
    """Corrections by masked content, and by patterns of words in which names vary."""

    def __init__(self, newest_first: Iterable[Correction]) -> None:
        self._exact: dict[Content, Correction] = {}
        self._patterns: dict[tuple[_Key, int], list[tuple[_Pattern, Correction]]] = {}
        for correction in newest_first:
            masked = list(dict.fromkeys(mask_contents(correction.contents)))
            for content in masked:
                self._exact.setdefault(content, correction)
            for key, pattern in _build_patterns(masked):
                self._patterns.setdefault((key, len(pattern)), []).append((pattern, correction))

    def find(self, content: Content) -> Correction | None:
        """Return the newest correction for a masked content."""
        words = split_words(content.message)
        by_pattern = (
            correction
            for pattern, correction in self._patterns.get((content[:-1], len(words)), ())
            if _matches(words, pattern)
        )
        matches = [
            correction
            for correction in (self._exact.get(content), next(by_pattern, None))
            if correction is not None
        ]
        return max(matches, key=lambda correction: correction.number, default=None)


def _build_patterns(masked: Iterable[Content]) -> Iterator[tuple[_Key, _Pattern]]:
    """Compare the samples with the same template word by word; a word that differs is a name."""
    messages_by_key: dict[_Key, list[Words]] = {}
    for content in masked:
        messages_by_key.setdefault(content[:-1], []).append(split_words(content.message))
    for key, messages in messages_by_key.items():
        groups: dict[tuple[Words, int], set[Words]] = {}
        for words, template in build_templates(messages).items():
            groups.setdefault((template, len(words)), set()).add(words)
        for group in groups.values():
            if len(group) > 1:
                columns = (set(column) for column in zip(*group, strict=True))
                yield key, tuple(column.pop() if len(column) == 1 else None for column in columns)


def _matches(words: Words, pattern: _Pattern) -> bool:
    return all(
        word == expected if expected is not None else can_hold_name(word) and not is_state_word(word)
        for word, expected in zip(words, pattern, strict=True)
    )
