"""Figures of first looks, computed by hand."""

import math

import pytest

from analysis.evaluation.first_looks import (
    compare_confidence,
    compare_languages,
    compare_rounds,
    score_round,
)
from analysis.evaluation.report import render_first_looks
from synclens.commands.report_card import find_differences


def record(number, language, cause, assigned, confidence=0.0, also=(), listed=()):
    finding = {"cause": assigned, "confidence": confidence, "also": list(listed)}
    return {"round": number, "language": language, "cause": cause, "also": list(also), "rules": finding}


RECORDS = [
    record(1, "en", "network", "network", 0.95),
    record(1, "en", "network", "rate-limit", 0.95, listed=["server-quota", "network"]),
    record(1, "de", "rate-limit", "network", 0.75, also=["network"]),
    record(1, "de", "record-locked", "unknown", listed=["network", "rate-limit", "record-locked"]),
    record(1, "de", "unknown", "unknown"),
]
FINDINGS = [row["rules"] for row in RECORDS]


def test_figures_of_a_round_are_those_computed_by_hand():
    figures = score_round(RECORDS, FINDINGS)
    # Right: the first, the third (an accepted alternative) and the fifth (stays unknown): 3 of 5.
    assert (figures.messages, figures.accuracy) == (5, 0.6)
    # A cause is given to the first three, and right for two of them.
    assert (figures.coverage, figures.right_if_given) == (0.6, pytest.approx(2 / 3))
    assert figures.stays_unknown == 1.0
    # Shown: the second finding lists its truth third (cause and two more); the fourth too (no cause and three).
    assert figures.among_three == 1.0
    # Bins of confidence: 0.95 with 1 of 2 right (gap 0.45), 0.75 with 1 of 1 right (gap 0.25).
    assert figures.calibration_error == pytest.approx((2 * 0.45 + 0.25) / 3)
    assert figures.low == pytest.approx(0.231, abs=5e-4)
    assert figures.high == pytest.approx(0.882, abs=5e-4)


def test_a_finding_shows_three_causes_and_no_more():
    listed = ["server-quota", "access-policy", "network"]
    assert score_round(*_one(record(1, "en", "network", "rate-limit", 0.9, listed=listed))).among_three == 0.0
    assert score_round(*_one(record(1, "en", "network", "unknown", listed=listed))).among_three == 1.0


def test_what_nothing_was_measured_for_is_no_figure():
    figures = score_round(*_one(record(1, "en", "network", "unknown")))
    assert math.isnan(figures.right_if_given)
    assert math.isnan(figures.stays_unknown)


def test_rounds_languages_and_confidence_are_compared():
    both = [*RECORDS, record(2, "fr", "network", "network", 0.9) | {"finding": FINDINGS[0]}]
    rounds = compare_rounds(both)
    assert rounds[["round", "found by", "languages", "messages"]].values.tolist() == [
        [1, "rules alone", "all", 5],
        [1, "rules alone", "not English", 3],
        [2, "rules alone", "all", 1],
        [2, "rules alone", "not English", 1],
        [2, "rules and models", "all", 1],
        [2, "rules and models", "not English", 1],
    ]
    languages = compare_languages(RECORDS, "rules")
    assert languages[["language", "messages"]].values.tolist() == [["de", 3], ["en", 2]]
    for tier in ("rules", "finding"):  # the same rounds, so that the tiers can be compared
        assert compare_languages(both, tier)[["language", "messages"]].values.tolist() == [["fr", 1]]
    assert compare_confidence(RECORDS, "rules").values.tolist() == [[2, 0.95, 0.5], [1, 0.75, 1.0]]


def test_the_section_must_be_as_recorded():
    section = render_first_looks(RECORDS)
    assert "| 1 | rules alone | all | 5 | 0.600 | 0.23 to 0.88 |" in section
    page = f"# Report card\n\n{section}\n## Simulated events\n"
    assert list(find_differences(page, section)) == []
    assert "First looks" in next(find_differences(page.replace("0.600", "0.800"), section))


def _one(row):
    return [row], [row["rules"]]
