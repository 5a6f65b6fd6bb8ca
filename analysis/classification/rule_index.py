"""Index the rules of a catalogue, so that a message is compared only with rules that can match it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from analysis.classification.catalogue import Catalogue, Rule
from analysis.classification.codes.tables import tokens_of_every_code


@dataclass(frozen=True, slots=True)
class Stage:
    """The rules that are tried together, in their order, with an index of those that have no words."""

    rules: tuple[Rule, ...]
    places_with_words: tuple[int, ...]
    places_by_code: Mapping[str, tuple[int, ...]]
    status_rules: tuple[Rule, ...]

    @classmethod
    def of_rules(cls, rules: Iterable[Rule]) -> Stage:
        """Build the index of a stage."""
        ordered = tuple(rules)
        by_code: dict[str, tuple[int, ...]] = {}
        for place, rule in enumerate(ordered):
            if not rule.words:
                for code in rule.code_tokens:
                    by_code[code] = (*by_code.get(code, ()), place)
        with_words = tuple(place for place, rule in enumerate(ordered) if rule.words)
        return cls(ordered, with_words, by_code, tuple(rule for rule in ordered if rule.statuses))

    def candidates(self, codes: frozenset[str]) -> Iterator[Rule]:
        """Yield the rules that can match an event with these codes, in their order."""
        hit = {place for code in codes for place in self.places_by_code.get(code, ())}
        for place in sorted(hit.union(self.places_with_words)) if hit else self.places_with_words:
            yield self.rules[place]


@dataclass(frozen=True, slots=True)
class RuleIndex:
    """The rules of a catalogue by stage: `narrow` rules are tried first, then `broad` rules, then `hints`.

    `yielding_rules` has the ids of rules that a sentence outranks, `general_rules` those that a specific sentence
    outranks, `known_codes` every code in lower case, and `causes` the causes that a rule has.
    """

    catalogue: Catalogue
    narrow: Stage
    broad: Stage
    hints: Stage
    yielding_rules: frozenset[str]
    general_rules: frozenset[str]
    known_codes: frozenset[str]
    causes: frozenset[str]

    @classmethod
    def of_catalogue(cls, catalogue: Catalogue) -> RuleIndex:
        """Index the rules of a catalogue."""
        rules = catalogue.rule
        return cls(
            catalogue,
            narrow=Stage.of_rules(rule for rule in rules if rule.tier not in ("broad", "hint")),
            broad=Stage.of_rules(rule for rule in rules if rule.tier == "broad"),
            hints=Stage.of_rules(rule for rule in rules if rule.tier == "hint"),
            yielding_rules=frozenset(rule.id for rule in rules if rule.yields),
            general_rules=frozenset(rule.id for rule in rules if rule.general),
            known_codes=tokens_of_every_code().union(*(rule.code_tokens for rule in rules)),
            causes=frozenset(rule.cause for rule in rules),
        )
