"""What decides about a second tier: that nothing leaks into what a model learns, and that its figures add up."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.second_tier import Material, known_before, tabulate
from benchmarks.second_tier_models import agreed, counted, grams_of, logistic, masked, nearest, words_of

CAUSES = ("network", "rate-limit")
LINES = [
    {
        "round": 1,
        "message": "The Internet connection appears to be offline.",
        "cause": "network",
        "source": "a",
    },
    {"round": 1, "message": "Too many requests, wait 30 seconds", "cause": "rate-limit", "source": "b"},
    {"round": 1, "message": "connection lost", "cause": "network", "source": "c"},
    {"round": 2, "message": "Too many requests, wait 90 seconds", "cause": "rate-limit", "source": "d"},
    {"round": 2, "message": "No Internet connection", "cause": "network", "source": "a"},
]


@pytest.fixture
def material():
    events = pd.DataFrame(LINES).assign(said=[masked(line) for line in LINES])
    days = {2: np.array([], dtype=int)}
    return Material(events, counted(LINES, grams_of), counted(LINES, words_of), CAUSES, days)


def test_a_model_learns_nothing_of_the_judged_source_or_wording(material):
    known, judged = known_before(material, 2)
    assert list(judged) == [3, 4]
    assert known.truth.tolist() == [0]
    assert known.counts.shape[0] == 1


def test_a_forgotten_cause_is_never_the_answer(material):
    events = material.events.assign(source=list("vwxyz"), said=list("vwxyz"))
    known, _ = known_before(Material(events, material.grams, material.words, CAUSES, material.days), 2)
    assert known.truth.tolist() == [0, 1, 0]
    for model in (logistic, nearest):
        assert model(known).argmax(axis=1).tolist() == [1, 0]
        left = model(known.without(1, np.array([0])))
        assert left.shape == (1, 2)
        assert left[0, 1] == pytest.approx(0, abs=1e-9)


def test_models_that_disagree_have_no_vote():
    votes = agreed(np.array([[0.6, 0.4], [0.6, 0.4]]), np.array([[0.9, 0.1], [0.1, 0.9]]))
    assert votes.tolist() == [[0.6, 0.1], [0.0, 0.0]]


def test_points_and_cost_are_counted_by_hand():
    met = {"round": 8, "also": [], "model": "m", "forgotten": False, "confidence": 0.0, "vote": 0.5}
    rows = [
        {**met, "cause": "network", "said_by_rules": "unknown", "guess": "network"},
        {**met, "cause": "network", "said_by_rules": "unknown", "guess": "rate-limit", "vote": 0.1},
        {**met, "cause": "network", "said_by_rules": "network", "guess": "rate-limit", "confidence": 0.97},
        {**met, "cause": "network", "said_by_rules": "rate-limit", "guess": "network", "confidence": 0.6},
        {**met, "cause": "network", "said_by_rules": "unknown", "guess": "rate-limit", "forgotten": True},
        {**met, "cause": "network", "said_by_rules": "unknown", "guess": "x", "forgotten": True, "vote": 0.1},
    ]
    frame = pd.DataFrame(rows + [{**row, "round": 4} for row in rows])
    silent = tabulate(frame, [0.4], over_whispers=False).loc[0]
    assert (silent["judge answers"], silent["judge right"], silent["judge points"]) == (1, 1, 25)
    assert (silent["judge lost"], silent["judge misled"]) == (50, 50)
    assert silent["stated"] == pytest.approx(2 / 3)
    whisper = tabulate(frame, [0.4], over_whispers=True).loc[0]
    assert (whisper["judge answers"], whisper["judge points"]) == (2, 50)
