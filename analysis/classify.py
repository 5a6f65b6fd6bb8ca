"""From an error event to its cause, by the catalogue alone. What the store adds is in `analysis.context`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan

import pandas as pd

from analysis.catalogue import UNKNOWN, Catalogue, Rule, Tier, load_catalogue
from analysis.evidence import Evidence, read

FIELDS = ("platform", "error_type", "message", "object", "field", "operation", "http_status", "phase")
MOST_ALTERNATIVES = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause and the reason for it. `rule` is empty where nothing supports a cause."""

    cause: str
    confidence: float
    rule: str
    also: tuple[str, ...]


NOTHING = Finding(UNKNOWN, 0.0, "", ())


def classify(events: pd.DataFrame, catalogue: Catalogue | None = None) -> pd.DataFrame:
    """Name the cause of each event.

    Uses the columns platform, error_type, message, object, field, operation, http_status and phase where they
    are present; anything may be missing. Returns a frame on the same index: cause (an id of the catalogue or
    `unknown`), confidence (0 to 1), rule, also (list of other supported causes). Each distinct event is read
    once.
    """
    chosen = catalogue or load_catalogue()
    names = known_codes(chosen)
    texts = pd.DataFrame(
        {name: _texts(events[name]) for name in FIELDS if name in events.columns}, index=range(len(events))
    )
    known: dict[tuple[str, ...], Finding] = {}
    found = []
    for row in texts.itertuples(index=False, name=None) if len(texts.columns) else [()] * len(events):
        if row not in known:
            event = {name: value for name, value in zip(texts.columns, row, strict=True) if value}
            known[row] = classify_one(event, chosen, names)
        found.append(known[row])
    return pd.DataFrame(
        {
            "cause": pd.Series([finding.cause for finding in found], index=events.index, dtype="str"),
            "confidence": pd.Series(
                [finding.confidence for finding in found], index=events.index, dtype=float
            ),
            "rule": pd.Series([finding.rule for finding in found], index=events.index, dtype="str"),
            "also": pd.Series([list(finding.also) for finding in found], index=events.index, dtype=object),
        },
        index=events.index,
    )


def known_codes(catalogue: Catalogue) -> frozenset[str]:
    """Every code that some rule of the catalogue names, in lower case."""
    return frozenset().union(*(rule.code_tokens for rule in catalogue.rule))


def classify_one(
    event: Mapping[str, str], catalogue: Catalogue, known: frozenset[str] = frozenset()
) -> Finding:
    """Name the cause of one event given as text fields; `NOTHING` where no rule matches.

    The innermost part of the message is asked first, the names of its codes last, and those only where no code
    is `known`: what a system calls OPERATION_NOT_ALLOWED is not what the words say. Within a part the first
    matching rule decides. HTTP statuses are heard when neither words nor codes matched in any part, and rules
    that only hint are asked after them.
    """
    parts = list(read(event))
    whole = next(part for part in reversed(parts) if not part.spelled)
    if whole.codes & known:
        parts = [part for part in parts if not part.spelled]
    for hinting in (False, True):
        rules = [rule for rule in catalogue.rule if (rule.tier == "hint") == hinting]
        for part in parts:
            if matched := [rule for rule in rules if _speaks(rule, part)]:
                return _finding(matched, catalogue, _heard_by(matched[0], part))
        if matched := [rule for rule in rules if rule.statuses & whole.statuses and _agrees(rule, whole)]:
            return _finding(matched, catalogue, heard_by="status")
    return NOTHING


def _speaks(rule: Rule, part: Evidence) -> bool:
    named = bool(rule.code_tokens & part.codes)
    return (named or bool(rule.any_words and rule.any_words.search(part.text))) and _agrees(rule, part)


def _agrees(rule: Rule, part: Evidence) -> bool:
    return (
        not (rule.exceptions and rule.exceptions.search(part.text))
        and all(pattern.search(part.text) for pattern in rule.every)
        and all(pattern.search(part.event.get(name, "")) for name, pattern in rule.circumstances)
    )


def _heard_by(rule: Rule, part: Evidence) -> Tier:
    # A code is a promise of its system; words are read, and may be misread; a name taken apart is a guess.
    if part.spelled:
        return "name"
    return rule.tier if rule.code_tokens & part.codes else "words"


def _finding(matched: list[Rule], catalogue: Catalogue, heard_by: Tier) -> Finding:
    first = matched[0]
    rivals = [rule.cause for rule in matched[1:] if rule.cause not in {first.cause, *first.also}]
    others = dict.fromkeys(cause for cause in [*first.also, *rivals] if cause != first.cause)
    stated = catalogue.contested if rivals else catalogue.confidence
    confidence = min(stated[first.tier], stated[heard_by])
    return Finding(first.cause, confidence, first.id, tuple(others)[:MOST_ALTERNATIVES])


def _texts(column: pd.Series) -> list[str]:
    return ["" if _is_missing(value) else str(value) for value in column.tolist()]


def _is_missing(value: object) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and isnan(value))
