"""Classify error events by rules, concepts and models of sentences. Facts from the store are applied by `context`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.classification.catalogue import Catalogue, Rule, Tier, load_catalogue
from analysis.classification.concepts.concepts import ConceptMatch, load_rules, match_concepts
from analysis.classification.error_parsing import MessagePart, parse_event
from analysis.classification.finding import MAX_ALTERNATIVES, NO_FINDING, Finding
from analysis.classification.rule_index import RuleIndex, Stage
from analysis.classification.weighing import weigh_findings

FIELDS = ("platform", "error_type", "message", "object", "field", "operation", "http_status", "phase")
NETWORK = "network"
_PLACEHOLDERS = frozenset({"null", "(null)", "undefined", "none", "nil", "nan", "n/a"})
"""Messages that a program writes for a missing one."""
_STATUSES_OF_GATEWAYS = frozenset({"407", "408", "444", "499", "502", "503", "504", "511", "598", "599"})
_CAPITALS = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")


def classify(
    events: pd.DataFrame, catalogue: Catalogue | None = None, *, rules_only: bool = False
) -> pd.DataFrame:
    """Classify each event by its texts and codes.

    The published rules are weighed against models of labeled sentences (`weighing`), unless `rules_only`. Rules that
    `catalogue` adds to the published ones decide: who writes a rule for an own message knows more than the models.

    Reads the columns platform, error_type, message, object, field, operation, http_status and phase; each may be
    absent or have missing values. Returns a frame on the same index: cause (an id of the catalogue or `unknown`),
    confidence (0 to 1), rule, also (list of alternative causes), chances (list of their chances, 0 to 1, empty if not
    known). Equal events are classified once.
    """
    catalogue = catalogue or load_catalogue()
    index = RuleIndex.of_catalogue(catalogue)
    distinct_events, rows = _distinct_events(events)
    findings = [classify_event(event, index) for event in distinct_events]
    if not rules_only:
        messages = [event.get("message", "") for event in distinct_events]
        weighed = weigh_findings(messages, findings, index.causes)
        own = _own_rules(catalogue)
        findings = [old if old.rule in own else new for old, new in zip(findings, weighed, strict=True)]
    return pd.DataFrame(
        {
            "cause": np.array([finding.cause for finding in findings], dtype=object)[rows],
            "confidence": np.array([finding.confidence for finding in findings], dtype=float)[rows],
            "rule": np.array([finding.rule for finding in findings], dtype=object)[rows],
            "also": _list_column([finding.also for finding in findings], rows, events.index),
            "chances": _list_column([finding.chances for finding in findings], rows, events.index),
        },
        index=events.index,
    ).astype({"cause": "str", "rule": "str"})


def _own_rules(catalogue: Catalogue) -> frozenset[str]:
    """Return the ids of the rules that the published catalogue does not have."""
    return frozenset(rule.id for rule in catalogue.rule) - {rule.id for rule in load_catalogue().rule}


def _list_column(values: Sequence[tuple[object, ...]], rows: np.ndarray, index: pd.Index) -> pd.Series:
    return pd.Series([list(values[row]) for row in rows.tolist()], index=index, dtype=object)


def classify_event(event: Mapping[str, str], index: RuleIndex) -> Finding:
    """Classify one event given as text fields. Returns `NO_FINDING` if no rule matches.

    Each reading of the message is matched with codes, narrow rules and concepts: the texts inside it first, then the
    message without its envelope, then all of it (`error_parsing`). The words in code names are matched last, and only
    if the event has none of the known codes: the name OPERATION_NOT_ALLOWED of a code is not its meaning. Within a
    reading the first matching rule decides. If none matches, or only an HTTP status does, the broad rules decide,
    then the status, and the hints. If the concepts contradict a rule, its confidence is lower.
    """
    readings = parse_event(event)
    whole = readings[-1][0]
    has_known_code = bool(whole.codes & index.known_codes)
    for reading in readings:
        parts = [part for part in reading if not (part.is_code_names and has_known_code)]
        finding = _match_sentence(parts, index)
        if finding and not (finding.cause == NETWORK and _server_has_answered(whole)):
            return finding
    catalogue = index.catalogue
    parts = [part for part in readings[-1] if not (part.is_code_names and has_known_code)]
    finding = None
    if not _has_unknown_code(whole, index.known_codes):
        finding = _match(index.broad, parts, catalogue)
    return (
        finding
        or _match_status(index.narrow, whole, catalogue)
        or _match(index.hints, parts, catalogue)
        or _match_status(index.hints, whole, catalogue)
        or _possible_causes(_match_parts(parts, index))
    )


def _server_has_answered(whole: MessagePart) -> bool:
    """Return whether a status shows that the server was reached. Gateways answer for a server that was not."""
    statuses = {status.removeprefix("http:") for status in whole.statuses}
    return any(status[0] in "45" for status in statuses) and not statuses & _STATUSES_OF_GATEWAYS


def _match_sentence(parts: list[MessagePart], index: RuleIndex) -> Finding | None:
    """Return what narrow rules or concepts find. A sentence outranks an envelope, which states no reason."""
    catalogue = index.catalogue
    finding = _match(index.narrow, parts, catalogue)
    concepts = _match_parts(parts, index)
    if finding and not (concepts and _outranks(concepts, finding, index)):
        return _weigh(finding, concepts, catalogue)
    if concepts and not concepts.rule.weak:
        other = finding or _match(index.broad, parts, catalogue)
        return _concept_finding(concepts, other)
    return None


def _outranks(concepts: ConceptMatch, finding: Finding, index: RuleIndex) -> bool:
    """Return whether concepts decide although a rule matches: it is an envelope, or general and they are specific."""
    rule = concepts.rule
    if rule.weak:
        return False
    return finding.rule in index.yielding_rules or (rule.specific and finding.rule in index.general_rules)


def _match_parts(parts: list[MessagePart], index: RuleIndex) -> ConceptMatch | None:
    """Return the first match of concepts, innermost part first."""
    for part in parts:
        if match := match_concepts(part.text, index.causes):
            return match
    return None


def _weigh(finding: Finding, concepts: ConceptMatch | None, catalogue: Catalogue) -> Finding:
    """Lower the confidence of a finding if the concepts in the message mean another cause."""
    if concepts is None or concepts.rule.weak or concepts.rule.cause in (finding.cause, *finding.also):
        return finding
    rule = next(rule for rule in catalogue.rule if rule.id == finding.rule)
    confidence = min(finding.confidence, catalogue.contested[rule.tier])
    also = (*finding.also, concepts.rule.cause)[:MAX_ALTERNATIVES]
    return replace(finding, confidence=confidence, also=also)


def _possible_causes(concepts: ConceptMatch | None) -> Finding:
    """Return an unknown cause, with the causes that a weak match of concepts makes possible."""
    if concepts is None:
        return NO_FINDING
    possible = dict.fromkeys((concepts.rule.cause, *concepts.rule.also, *concepts.rivals))
    return replace(NO_FINDING, also=tuple(possible)[:MAX_ALTERNATIVES])


def _concept_finding(match: ConceptMatch, other: Finding | None) -> Finding:
    rule, rivals = match.rule, match.rivals
    if other and other.cause not in (rule.cause, *rule.also):
        rivals = (other.cause, *rivals)
    confidence = load_rules().contested if rivals else load_rules().confidence
    also = tuple(dict.fromkeys((*rule.also, *rivals)))[:MAX_ALTERNATIVES]
    return Finding(rule.cause, confidence, f"concept:{rule.id}", also)


def _has_unknown_code(whole: MessagePart, known_codes: frozenset[str]) -> bool:
    """Return whether a code in capitals is in no rule. A broad rule must not guess the meaning of such a code."""
    return any(name.lower() not in known_codes for name in _CAPITALS.findall(whole.text))


def _match(stage: Stage, parts: list[MessagePart], catalogue: Catalogue) -> Finding | None:
    for part in parts:
        if matches := [rule for rule in stage.candidates(part.codes) if _matches(rule, part)]:
            return _build_finding(matches, catalogue, _match_tier(matches[0], part))
    return None


def _match_status(stage: Stage, whole: MessagePart, catalogue: Catalogue) -> Finding | None:
    matches = [
        rule
        for rule in stage.status_rules
        if rule.statuses & whole.statuses and _conditions_hold(rule, whole)
    ]
    return _build_finding(matches, catalogue, "status") if matches else None


def _matches(rule: Rule, part: MessagePart) -> bool:
    has_code = bool(rule.code_tokens & part.codes)
    has_words = bool(rule.words_pattern and rule.words_pattern.search(part.text))
    return (has_code or has_words) and _conditions_hold(rule, part)


def _conditions_hold(rule: Rule, part: MessagePart) -> bool:
    return (
        not (rule.excluded_pattern and rule.excluded_pattern.search(part.text))
        and all(pattern.search(part.text) for pattern in rule.required_patterns)
        and all(pattern.search(part.event.get(name, "")) for name, pattern in rule.field_patterns)
    )


def _match_tier(rule: Rule, part: MessagePart) -> Tier:
    # A code has a defined meaning; words can be misread; the words in a code name are a guess.
    if part.is_code_names:
        return "name"
    return rule.tier if rule.code_tokens & part.codes else "words"


def _build_finding(matches: list[Rule], catalogue: Catalogue, match_tier: Tier) -> Finding:
    first = matches[0]
    rivals = [rule.cause for rule in matches[1:] if rule.cause not in {first.cause, *first.also}]
    alternatives = dict.fromkeys(cause for cause in [*first.also, *rivals] if cause != first.cause)
    confidences = catalogue.contested if rivals else catalogue.confidence
    confidence = min(confidences[first.tier], confidences[match_tier])
    return Finding(first.cause, confidence, first.id, tuple(alternatives)[:MAX_ALTERNATIVES])


def _distinct_events(events: pd.DataFrame) -> tuple[list[dict[str, str]], np.ndarray]:
    """Return the distinct events as text without missing values, and the position of each row in them."""
    rows = np.zeros(len(events), dtype=np.int64)
    columns: dict[str, tuple[np.ndarray, list[str]]] = {}
    for name in FIELDS:
        if name in events.columns:
            codes, texts = _encode(events[name])
            columns[name] = codes, texts
            rows = pd.factorize(rows * len(texts) + codes)[0]
    _, first_rows = np.unique(rows, return_index=True)
    distinct = [{name: texts[codes[row]] for name, (codes, texts) in columns.items()} for row in first_rows]
    return [
        {name: text for name, text in event.items() if not _is_missing(name, text)} for event in distinct
    ], rows


def _is_missing(name: str, text: str) -> bool:
    return not text or (name == "message" and text.strip().lower() in _PLACEHOLDERS)


def _encode(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Return the number of each row's text, and the texts. Text 0 is empty and marks missing values."""
    try:
        codes, values = pd.factorize(column)
    except TypeError:  # a value that cannot be hashed, such as a list
        codes, values = pd.factorize(column.map(str))
    return codes + 1, ["", *map(str, values)]
