"""Score messages that neither the rules nor the models had seen when their findings were recorded.

A record has `round`, `language`, `message`, `cause`, `also` and `source`, and what was found before anybody looked at
the mistakes: `rules` by the rules alone, and `finding` by rules and models together (from round 20 on). Both have
`cause`, `confidence` and `also`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.base.intervals import wilson_interval
from analysis.classification.catalogue import UNKNOWN
from analysis.evaluation.scores import BINS, calibration_error

Record = Mapping[str, Any]
SHOWN = 3
"""How many causes a finding shows: its own, if it has one, and alternatives."""
TIERS = {"rules": "rules alone", "finding": "rules and models"}


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of findings; all but `messages` are shares from 0 to 1, NaN without a message to count.

    `low` and `high` bound the accuracy at 95 % (Wilson). `coverage` is the share with a cause, `right_if_given` the
    correct share of those, `stays_unknown` the share of messages that state nothing and have no cause,
    `among_three` the share whose cause is among the three shown.
    """

    messages: int
    accuracy: float
    low: float
    high: float
    coverage: float
    right_if_given: float
    stays_unknown: float
    among_three: float
    calibration_error: float


def score_round(records: Sequence[Record], findings: Sequence[Record]) -> Figures:
    """Return the figures of `findings`, in the order of `records`."""
    is_right = np.array([_is_right(*pair) for pair in zip(records, findings, strict=True)], dtype=bool)
    has_cause = np.array([finding["cause"] != UNKNOWN for finding in findings], dtype=bool)
    states_nothing = np.array([record["cause"] == UNKNOWN for record in records], dtype=bool)
    confidence = np.array([finding["confidence"] for finding in findings], dtype=float)
    low, high = wilson_interval(int(is_right.sum()), len(is_right))
    return Figures(
        messages=len(records),
        accuracy=_mean(is_right),
        low=low,
        high=high,
        coverage=_mean(has_cause),
        right_if_given=_mean(is_right[has_cause]),
        stays_unknown=_mean(~has_cause[states_nothing]),
        among_three=_mean(
            np.array([_is_among_shown(*pair) for pair in zip(records, findings, strict=True)], dtype=bool)
        ),
        calibration_error=calibration_error(confidence[has_cause], is_right[has_cause]),
    )


def compare_rounds(records: Sequence[Record]) -> pd.DataFrame:
    """Return the figures of each round and tier: all languages, then all but English."""
    rows = []
    for number in sorted({record["round"] for record in records}):
        for tier, recorded in _by_tier([record for record in records if record["round"] == number]):
            others = [record for record in recorded if record["language"] != "en"]
            for languages, part in (("all", recorded), ("not English", others)):
                figures = score_round(part, [record[tier] for record in part])
                rows.append(
                    {"round": number, "found by": TIERS[tier], "languages": languages, **_row(figures)}
                )
    return pd.DataFrame(rows)


def compare_languages(records: Sequence[Record], tier: str) -> pd.DataFrame:
    """Return the figures of each language for one tier, the most frequent first.

    Only rounds that recorded both tiers count, if there are any, so that the tiers can be compared.
    """
    recorded = [record for record in records if record.get(tier)]
    if any(record.get("finding") for record in recorded):
        recorded = [record for record in recorded if record.get("finding")]
    counts = pd.Series([record["language"] for record in recorded], dtype="str").value_counts(sort=True)
    rows = []
    for language in sorted(counts.index, key=lambda name: (-counts[name], name)):
        part = [record for record in recorded if record["language"] == language]
        rows.append({"language": language, **_row(score_round(part, [record[tier] for record in part]))})
    return pd.DataFrame(rows)


def compare_confidence(records: Sequence[Record], tier: str) -> pd.DataFrame:
    """Return a row per tenth of confidence: findings with a cause, their mean confidence, and the share right."""
    recorded = [record for record in records if record.get(tier) and record[tier]["cause"] != UNKNOWN]
    confidence = np.array([record[tier]["confidence"] for record in recorded], dtype=float)
    is_right = np.array([_is_right(record, record[tier]) for record in recorded], dtype=bool)
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return pd.DataFrame(
        {
            "findings": int((bins == number).sum()),
            "stated confidence": float(confidence[bins == number].mean()),
            "right": float(is_right[bins == number].mean()),
        }
        for number in sorted(set(bins.tolist()), reverse=True)
    )


def _by_tier(records: Sequence[Record]) -> Iterator[tuple[str, list[Record]]]:
    for tier in TIERS:
        recorded = [record for record in records if record.get(tier)]
        if recorded:
            yield tier, recorded


def _row(figures: Figures) -> dict[str, object]:
    return {
        "messages": figures.messages,
        "accuracy": figures.accuracy,
        "95 % interval": f"{figures.low:.2f} to {figures.high:.2f}",
        "coverage": figures.coverage,
        "right if given": figures.right_if_given,
        "stays unknown": figures.stays_unknown,
        "among three": figures.among_three,
        "calibration error": figures.calibration_error,
    }


def _accepted(record: Record) -> set[str]:
    return {record["cause"], *(record.get("also") or ())}


def _is_right(record: Record, finding: Record) -> bool:
    return finding["cause"] in _accepted(record)


def _is_among_shown(record: Record, finding: Record) -> bool:
    has_cause = finding["cause"] != UNKNOWN
    return bool(_accepted(record) & {finding["cause"], *list(finding["also"])[: SHOWN - has_cause]})


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
