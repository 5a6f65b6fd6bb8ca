"""Why two messages are together, or apart: the step that decided, and the words that differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from analysis.grouping.masks import mask_message, split_words
from analysis.grouping.templates import build_templates


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether two messages share a group, by which step, and what differs.

    `step` is `mask` (equal once masked), `template` (made equal among their company) or `words` (apart).
    `differing` lists pairs of words, the first message's and the second's; empty when they are equal.
    """

    together: bool
    step: str
    differing: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        if self.step == "mask":
            return "Together: equal once ids, numbers, times and other variable parts are masked."
        words = ", ".join(f"{ours or 'nothing'} / {theirs or 'nothing'}" for ours, theirs in self.differing)
        if self.step == "template":
            return f"Together: where they differ ({words}), other messages show that a name stands there."
        return f"Apart: they differ in {words}."


def compare_messages(first: str, second: str, *, among: Sequence[str] = ()) -> Comparison:
    """Compare two messages among the others of their store (`among`), by the same steps that group them."""
    ours, theirs = split_words(mask_message(first)), split_words(mask_message(second))
    if ours == theirs:
        return Comparison(True, "mask", ())
    settled = build_templates([ours, theirs, *(split_words(mask_message(message)) for message in among)])
    together = settled[ours] == settled[theirs]
    return Comparison(together, "template" if together else "words", _differing(ours, theirs))


def _differing(ours: Sequence[str], theirs: Sequence[str]) -> tuple[tuple[str, str], ...]:
    matched = SequenceMatcher(a=ours, b=theirs, autojunk=False).get_opcodes()
    return tuple(
        (" ".join(ours[a:b]), " ".join(theirs[c:d])) for tag, a, b, c, d in matched if tag != "equal"
    )
