"""From an error event to its cause, by the catalogue alone. What the store adds is in `analysis.context`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.classification.catalogue import UNKNOWN, Catalogue, Rule, Tier, load_catalogue
from analysis.classification.error_parsing import MessagePart, parse_event

FIELDS = ("platform", "error_type", "message", "object", "field", "operation", "http_status", "phase")
MAX_ALTERNATIVES = 3
_CAPITALS = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause and the reason for it. `rule` is empty where nothing supports a cause."""

    cause: str
    confidence: float
    rule: str
    also: tuple[str, ...]


NO_FINDING = Finding(UNKNOWN, 0.0, "", ())


def classify(events: pd.DataFrame, catalogue: Catalogue | None = None) -> pd.DataFrame:
    """Name the cause of each event.

    Uses the columns platform, error_type, message, object, field, operation, http_status and phase where they
    are present; anything may be missing. Returns a frame on the same index: cause (an id of the catalogue or
    `unknown`), confidence (0 to 1), rule, also (list of other supported causes). Each distinct event is read
    once.
    """
    chosen = catalogue or load_catalogue()
    names = collect_codes(chosen)
    distinct, kinds = _distinct(events)
    found = [classify_event(event, chosen, names) for event in distinct]
    also = [finding.also for finding in found]
    return pd.DataFrame(
        {
            "cause": np.array([finding.cause for finding in found], dtype=object)[kinds],
            "confidence": np.array([finding.confidence for finding in found], dtype=float)[kinds],
            "rule": np.array([finding.rule for finding in found], dtype=object)[kinds],
            "also": pd.Series(
                [list(also[kind]) for kind in kinds.tolist()], index=events.index, dtype=object
            ),
        },
        index=events.index,
    ).astype({"cause": "str", "rule": "str"})


def collect_codes(catalogue: Catalogue) -> frozenset[str]:
    """Every code that some rule of the catalogue names, in lower case."""
    return frozenset().union(*(rule.code_tokens for rule in catalogue.rule))


def classify_event(
    event: Mapping[str, str], catalogue: Catalogue, known: frozenset[str] = frozenset()
) -> Finding:
    """Name the cause of one event given as text fields; `NOTHING` where no rule matches.

    The innermost part of the message is asked first, the names of its codes last, and those only where no code
    is `known`: what a system calls OPERATION_NOT_ALLOWED is not what the words say. Within a part the first
    matching rule decides. Where codes and narrow words are silent in every part, the broad words are asked, then
    HTTP statuses, then rules that only hint.
    """
    parts = list(parse_event(event))
    whole = next(part for part in reversed(parts) if not part.spelled)
    if whole.codes & known:
        parts = [part for part in parts if not part.spelled]
    narrow, broad, hints = _by_turn(catalogue)
    found = _hear(narrow, parts, catalogue)
    if not found and not _names_a_stranger(whole, known):
        found = _hear(broad, parts, catalogue)
    found = found or _hear_status(narrow, whole, catalogue) or _hear(hints, parts, catalogue)
    return found or _hear_status(hints, whole, catalogue) or NO_FINDING


def _names_a_stranger(whole: MessagePart, known: frozenset[str]) -> bool:
    """Whether there is a code in capitals that no rule knows: what it means is not for wide wordings to guess."""
    return any(name.lower() not in known for name in _CAPITALS.findall(whole.text))


def _by_turn(catalogue: Catalogue) -> tuple[list[Rule], list[Rule], list[Rule]]:
    """The rules that are asked first, those that break their silence, and those that are asked last."""
    late = ("broad", "hint")
    narrow = [rule for rule in catalogue.rule if rule.tier not in late]
    broad, hints = ([rule for rule in catalogue.rule if rule.tier == tier] for tier in late)
    return narrow, broad, hints


def _hear(rules: list[Rule], parts: list[MessagePart], catalogue: Catalogue) -> Finding | None:
    for part in parts:
        if matched := [rule for rule in rules if _speaks(rule, part)]:
            return _finding(matched, catalogue, _heard_by(matched[0], part))
    return None


def _hear_status(rules: list[Rule], whole: MessagePart, catalogue: Catalogue) -> Finding | None:
    matched = [rule for rule in rules if rule.statuses & whole.statuses and _agrees(rule, whole)]
    return _finding(matched, catalogue, heard_by="status") if matched else None


def _speaks(rule: Rule, part: MessagePart) -> bool:
    named = bool(rule.code_tokens & part.codes)
    return (named or bool(rule.words_pattern and rule.words_pattern.search(part.text))) and _agrees(
        rule, part
    )


def _agrees(rule: Rule, part: MessagePart) -> bool:
    return (
        not (rule.excluded_pattern and rule.excluded_pattern.search(part.text))
        and all(pattern.search(part.text) for pattern in rule.required_patterns)
        and all(pattern.search(part.event.get(name, "")) for name, pattern in rule.field_patterns)
    )


def _heard_by(rule: Rule, part: MessagePart) -> Tier:
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
    return Finding(first.cause, confidence, first.id, tuple(others)[:MAX_ALTERNATIVES])


def _distinct(events: pd.DataFrame) -> tuple[list[dict[str, str]], np.ndarray]:
    """The distinct events as text, without what is missing, and which of them each row is."""
    kinds = np.zeros(len(events), dtype=np.int64)
    columns: dict[str, tuple[np.ndarray, list[str]]] = {}
    for name in FIELDS:
        if name in events.columns:
            codes, texts = _texts(events[name])
            columns[name] = codes, texts
            kinds = pd.factorize(kinds * len(texts) + codes)[0]
    _, firsts = np.unique(kinds, return_index=True)
    rows = [{name: texts[codes[row]] for name, (codes, texts) in columns.items()} for row in firsts]
    return [{name: text for name, text in row.items() if text} for row in rows], kinds


def _texts(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Which text each row has, and the texts; the first one is empty and stands for what is missing."""
    try:
        codes, values = pd.factorize(column)
    except TypeError:  # something that cannot be hashed, such as a list
        codes, values = pd.factorize(column.map(str))
    return codes + 1, ["", *map(str, values)]
