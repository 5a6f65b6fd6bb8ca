"""Weigh the findings of the rules against the chances of each cause by the sentence models.

Rules and models err in different messages. If they agree, the finding is more certain than either. If they differ,
the finding of the rules stays, less certain, unless another cause is far more likely; the other is listed as an
alternative. If the rules find nothing, a cause is assigned only if its chance passes the cut; otherwise the
finding is `unknown` and lists what is possible.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from analysis.classification.catalogue import UNKNOWN
from analysis.classification.finding import MAX_ALTERNATIVES, Finding
from analysis.classification.sentences.encoder import is_installed
from analysis.classification.sentences.model import SentenceModel, has_words, load_model

SENTENCE_RULE = "similar-sentences"
"""The rule id of findings that the sentence models decided."""
CONCEPT_PREFIX = "concept:"
_LEAST_CHANCE = 1e-6
_LEAST_SHOWN = 0.05
_MOST_CERTAIN = 0.98
"""No finding is more certain. Chosen, not measured."""
_MOST_CERTAIN_AGAINST_A_RULE = 0.9
_FEWEST_BYTES_OF_A_SENTENCE = 20
"""Bytes of its letters in UTF-8, where a Latin letter has one, a Cyrillic one two, and a Chinese one three."""
_CERTAIN = 0.9
"""A finding that the n-grams confirm to this chance is not encoded: the vector would hardly change it."""


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each source of evidence counts, in units of log-odds.

    `ngrams` and `vector` multiply the logarithms of the chances of the models. `rule` and `concept` multiply the
    log-odds of the confidence of a rule and of a concept rule; `also` is added to the alternatives of a rule, and
    `stated` taken from `unknown` if there is a finding. Without a finding, a cause is assigned if its chance is at
    least `cut`; another cause than that of a finding, if its chance is at least `overrule`. A finding that stays
    against a more likely cause has the confidence `contested`.
    """

    ngrams: float
    vector: float
    rule: float
    concept: float
    also: float
    stated: float
    cut: float
    overrule: float
    contested: float


def weigh_findings(
    messages: Sequence[str],
    findings: Sequence[Finding],
    causes: Collection[str],
    model: SentenceModel | None = None,
) -> list[Finding]:
    """Return the finding of each message after weighing; messages without words keep theirs.

    Only `causes` and those of the findings are assigned: the chances of others count as `unknown`. Messages that the
    n-grams leave open are also judged by their sentence vector if the extra `classify` is installed.
    """
    model = model or load_model()
    weighed = list(findings)
    rows = [row for row, message in enumerate(messages) if _is_judged(message, findings[row])]
    if not rows:
        return weighed
    judged = [findings[row] for row in rows]
    by_ngrams = model.chances_by_ngrams([messages[row] for row in rows])
    chances = weigh(judged, model.causes, by_ngrams, None, load_weights(with_vector=False))
    if is_installed():
        places = _open_places(judged, chances, model.causes)
        by_vector = model.chances_by_vector([messages[rows[place]] for place in places])
        weights = load_weights(with_vector=True)
        chances[places] = weigh(
            [judged[place] for place in places], model.causes, by_ngrams[places], by_vector, weights
        )
    weights = load_weights(with_vector=is_installed())
    for row, row_chances in zip(rows, chances, strict=True):
        allowed = {*causes, findings[row].cause, *findings[row].also}
        possible = _without_others(row_chances, model.causes, allowed)
        weighed[row] = _decide(findings[row], possible, model.causes, weights)
    return weighed


def weigh(
    findings: Sequence[Finding],
    causes: Sequence[str],
    by_ngrams: np.ndarray,
    by_vector: np.ndarray | None,
    weights: Weights,
) -> np.ndarray:
    """Return the chance of each of `causes` (columns) for each finding (rows); the chances of models alike."""
    scores = weights.ngrams * np.log(np.maximum(by_ngrams, _LEAST_CHANCE))
    if by_vector is not None:
        scores += weights.vector * np.log(np.maximum(by_vector, _LEAST_CHANCE))
    of_rules = np.array([weights.rule, weights.concept, weights.also, weights.stated])
    scores += measure_evidence(findings, causes) @ of_rules
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def measure_evidence(findings: Sequence[Finding], causes: Sequence[str]) -> np.ndarray:
    """Return what the rules state for each cause: findings x causes x (rule, concept, also, stated)."""
    evidence = np.zeros((len(findings), len(causes), 4))
    places = {cause: place for place, cause in enumerate(causes)}
    for row, finding in enumerate(findings):
        for cause in finding.also:
            evidence[row, places[cause], 2] = 1.0
        if finding.cause != UNKNOWN:
            kind = 1 if finding.rule.startswith(CONCEPT_PREFIX) else 0
            evidence[row, places[finding.cause], kind] = math.log(
                finding.confidence / (1 - finding.confidence)
            )
            evidence[row, places[UNKNOWN], 3] = -1.0
    return evidence


@cache
def load_weights(*, with_vector: bool) -> Weights:
    """Load the fitted weights, for both models or for the n-grams alone."""
    path = files("analysis.classification").joinpath("weighing.toml")
    section = "with_vector" if with_vector else "ngrams_only"
    return Weights(**tomllib.loads(path.read_text(encoding="utf-8"))[section])


def _open_places(findings: Sequence[Finding], chances: np.ndarray, causes: Sequence[str]) -> list[int]:
    """Return the places of findings that the n-grams do not confirm."""
    columns = [causes.index(finding.cause) for finding in findings]
    confirmed = chances[np.arange(len(findings)), columns] >= _CERTAIN
    is_open = [
        finding.cause == UNKNOWN or not sure for finding, sure in zip(findings, confirmed, strict=True)
    ]
    return [place for place, value in enumerate(is_open) if value]


def _without_others(chances: np.ndarray, causes: Sequence[str], allowed: Collection[str]) -> np.ndarray:
    """Move the chances of causes that must not be assigned to `unknown`."""
    is_other = np.array([cause not in allowed and cause != UNKNOWN for cause in causes])
    moved = np.where(is_other, 0.0, chances)
    moved[causes.index(UNKNOWN)] += chances[is_other].sum()
    return moved


def _is_judged(message: str, finding: Finding) -> bool:
    """Return whether the models judge a message: it has words, and more than one if there is a finding.

    A finding for a very short message often rests on a status or a code, which the models do not see.
    """
    letters = "".join(filter(str.isalpha, message))
    is_sentence = len(letters.encode()) >= _FEWEST_BYTES_OF_A_SENTENCE
    return has_words(message) and (is_sentence or finding.cause == UNKNOWN)


def _decide(finding: Finding, chances: np.ndarray, causes: Sequence[str], weights: Weights) -> Finding:
    chance_of = {
        cause: min(round(float(chance), 2), _MOST_CERTAIN)
        for cause, chance in zip(causes, chances, strict=True)
    }
    likely = sorted(chance_of, key=lambda cause: -chances[causes.index(cause)])
    first = likely[0]
    if finding.cause == UNKNOWN:
        cause = first if chance_of[first] >= weights.cut else UNKNOWN
    else:
        cause = first if first != UNKNOWN and chance_of[first] >= weights.overrule else finding.cause
    also = tuple(
        other
        for other in likely
        if other not in {UNKNOWN, cause} and (chance_of[other] >= _LEAST_SHOWN or other in finding.also)
    )[:MAX_ALTERNATIVES]
    confidence = chance_of[cause] if cause == first else min(finding.confidence, weights.contested)
    if finding.cause not in (UNKNOWN, cause):
        confidence = min(confidence, _MOST_CERTAIN_AGAINST_A_RULE)
    listed = [chance_of[other] for other in also]
    if cause not in (UNKNOWN, first):
        # Contested: the chances of the models share what the confidence leaves.
        listed = [round(chance / max(sum(listed), 1.0) * (1 - confidence), 2) for chance in listed]
    return Finding(
        cause,
        0.0 if cause == UNKNOWN else confidence,
        "" if cause == UNKNOWN else finding.rule if cause == finding.cause else SENTENCE_RULE,
        also,
        tuple(listed),
    )
