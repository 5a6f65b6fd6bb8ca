"""Classify a message by the concepts in it, in any of the languages of the lexicon.

The rules state which concepts in one sentence mean which cause. Another wording of the same idea, in any language,
needs no additional rule.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from analysis.base.errors import AnalysisError
from analysis.classification.concepts.lexicon import Span, Spans, find_concepts, load_lexicon

_CODE_LIKE = re.compile(
    r"[_=@\\/<>{}#]|::|[A-Za-z]\d|\d[A-Za-z]|[a-z][A-Z]|[A-Z]{2,}[a-z]{2,}|\w\.\w", re.ASCII
)
"""What marks a token as a name, an address or code: its letters are not words of a sentence."""
_TOKEN = re.compile(r"[^\s\u3000-\u9fff\uac00-\ud7af\uff00-\uffef]+")
"""A run of characters of scripts with spaces."""
_MOST_WORDS = 40
"""Words of the longest sentence that is read; longer ones are dumps."""
_SENTENCE_END = re.compile(r"[.!?;](?=\s|$)|[。！？；]|\s[–—|]\s|\n")
ADVICE, SAYS_NOTHING = "advice", "says_nothing"


@dataclass(frozen=True, slots=True)
class ConceptRule:
    """One rule: a sentence with all concepts of `all`, and none of `none`, has the cause.

    Each entry of `all` is a set of concepts of which one is enough. A `weak` rule rests on one concept
    alone: its cause is possible, but not assigned. A `specific` rule outranks general rules of the catalogue.
    """

    id: str
    cause: str
    all: tuple[frozenset[str], ...]
    none: frozenset[str]
    also: tuple[str, ...] = ()
    weak: bool = False
    specific: bool = False


@dataclass(frozen=True, slots=True)
class ConceptRules:
    """All rules in their order, and the expected precision of a match.

    `contested` is the precision if a rule of another cause also matches.
    """

    confidence: float
    contested: float
    rules: tuple[ConceptRule, ...]


@dataclass(frozen=True, slots=True)
class ConceptMatch:
    """The rule that a sentence of a message fits, and the other causes whose rules it also fits."""

    rule: ConceptRule
    rivals: tuple[str, ...]


def match_concepts(message: str, causes: Container[str]) -> ConceptMatch | None:
    """Return the first rule of one of `causes` that a sentence of the message fits, or None."""
    sentences = list(_concepts_by_sentence(message))
    statements = [concepts for concepts in sentences if ADVICE not in concepts] or sentences
    matches = [
        rule
        for rule in load_rules().rules
        if rule.cause in causes and any(_fits(rule, concepts) for concepts in statements)
    ]
    if not matches:
        return None
    first = matches[0]
    rivals = dict.fromkeys(
        rule.cause
        for rule in matches
        if rule.cause not in (first.cause, *first.also) and (first.weak or not rule.weak)
    )
    return ConceptMatch(first, tuple(rivals))


@cache
def load_rules() -> ConceptRules:
    """Load the rules in their order. Raises AnalysisError if one uses a concept that the lexicon lacks."""
    text = files("analysis.classification.concepts").joinpath("rules.toml").read_text(encoding="utf-8")
    document = tomllib.loads(text)
    rules = tuple(
        ConceptRule(
            id=entry["id"],
            cause=entry["cause"],
            all=tuple(frozenset(each.split("|")) for each in entry["all"]),
            none=frozenset(entry.get("none", ())),
            also=tuple(entry.get("also", ())),
            weak=entry.get("weak", False),
            specific=entry.get("specific", False),
        )
        for entry in document["rule"]
    )
    used = {concept for rule in rules for concept in rule.none.union(*rule.all)}
    if unknown := sorted(used - load_lexicon().concepts):
        raise AnalysisError(
            f"concept rules use concepts that the lexicon lacks: {', '.join(unknown)}",
            next_step="Add them to a file of analysis/classification/concepts/lexicon.",
        )
    return ConceptRules(document["confidence"], document["contested"], rules)


def _concepts_by_sentence(message: str) -> Iterator[Spans]:
    for sentence in _SENTENCE_END.split(_without_code(message)):
        if 0 < len(sentence.split()) <= _MOST_WORDS:
            yield _without_empty_words(find_concepts(sentence))


def _without_code(message: str) -> str:
    return _TOKEN.sub(lambda token: "#" if _CODE_LIKE.search(token[0]) else token[0], message)


def _without_empty_words(concepts: Spans) -> Spans:
    """Drop what lies within words that state nothing: the "unknown" of an unknown error is no missing record."""
    empty = concepts.get(SAYS_NOTHING, ())
    kept = {
        concept: tuple(span for span in spans if not any(s <= span[0] and span[1] <= e for s, e in empty))
        for concept, spans in concepts.items()
        if concept != SAYS_NOTHING
    }
    return {concept: spans for concept, spans in kept.items() if spans}


def _fits(rule: ConceptRule, concepts: Spans) -> bool:
    if rule.none & concepts.keys():
        return False
    return _has_all(rule.all, concepts, ())


def _has_all(needed: tuple[frozenset[str], ...], concepts: Spans, used: tuple[Span, ...]) -> bool:
    """Return whether each needed concept has different words in the sentence; words may be part of longer ones."""
    if not needed:
        return True
    for concept in needed[0]:
        for span in concepts.get(concept, ()):
            if span not in used and _has_all(needed[1:], concepts, (*used, span)):
                return True
    return False
