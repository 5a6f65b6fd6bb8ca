"""Compare two messages: whether they are grouped together, by which step, and how they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from analysis.grouping.masks import mask_message, split_words
from analysis.grouping.templates import build_templates


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison of two messages: same group or not, the deciding step, the differences.

    `step` is `mask` (equal after masking), `template` (equal in their templates) or `words` (different).
    `differing` lists pairs of words, of the first and the second message; it is empty if the messages are equal.
    """

    together: bool
    step: str
    differing: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        if self.step == "mask":
            return "Same group: equal after ids, numbers, times and other variable parts are masked."
        words = ", ".join(f"{first or 'nothing'} / {second or 'nothing'}" for first, second in self.differing)
        if self.step == "template":
            return f"Same group: other messages show that the different words ({words}) are names."
        return f"Different groups: the messages differ in {words}."


def compare_messages(first: str, second: str, *, among: Sequence[str] = ()) -> Comparison:
    """Compare two messages by the steps of grouping. `among` are the other messages of their store."""
    first_words, second_words = split_words(mask_message(first)), split_words(mask_message(second))
    if first_words == second_words:
        return Comparison(True, "mask", ())
    others = (split_words(mask_message(message)) for message in among)
    templates = build_templates([first_words, second_words, *others])
    together = templates[first_words] == templates[second_words]
    step = "template" if together else "words"
    return Comparison(together, step, _differing_words(first_words, second_words))


def _differing_words(first: Sequence[str], second: Sequence[str]) -> tuple[tuple[str, str], ...]:
    opcodes = SequenceMatcher(a=first, b=second, autojunk=False).get_opcodes()
    return tuple(
        (" ".join(first[a:b]), " ".join(second[c:d])) for tag, a, b, c, d in opcodes if tag != "equal"
    )
