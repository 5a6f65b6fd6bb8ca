"""Error texts of other apps and languages."""

from __future__ import annotations

import json
from pathlib import Path

import analysis
from sync_engine.simulator.fleet.run import simulate_fleet
from sync_engine.simulator.fleet.scenario import load_scenario
from sync_engine.simulator.fleet.wordings import languages, load_wordings, reword_errors
from sync_engine.telemetry import SyncError, Truth

ROOT = Path(__file__).parents[3]


def _simulate(seed: int) -> list[object]:
    return list(simulate_fleet(scenario=load_scenario("demo"), seed=seed, device_count=6, days=2))


def test_every_cause_has_a_text_in_thirteen_languages():
    assert set(load_wordings()) == set(analysis.CAUSES) - {"unknown"}
    assert len(languages()) == 13
    for cause, texts in load_wordings().items():
        assert set(texts) == set(languages()), cause
        assert all(text.format(number=7) for choices in texts.values() for text in choices)


def test_no_text_is_an_example_of_the_sentence_models():
    """The figures on these texts would mean nothing if a model had been fitted to them."""
    folder = ROOT / "analysis" / "classification" / "sentences" / "examples"
    examples = {
        json.loads(line)["message"].casefold()
        for path in folder.glob("*.jsonl")
        for line in path.read_text(encoding="utf-8").splitlines()
    }
    texts = {
        text.casefold()
        for texts in load_wordings().values()
        for choices in texts.values()
        for text in choices
    }
    assert not texts & examples


def test_the_same_seed_has_the_same_texts_and_another_seed_has_others():
    rows = _simulate(11)
    once, twice, other = (list(reword_errors(rows, seed)) for seed in (1, 1, 2))
    assert once == twice
    assert once != other


def test_only_the_text_of_an_error_changes():
    rows = _simulate(11)
    reworded = list(reword_errors(rows, 1))
    errors = [(a, b) for a, b in zip(rows, reworded, strict=True) if isinstance(a, SyncError)]
    assert errors
    causes = {row.event_id: row.cause for row in rows if isinstance(row, Truth)}
    for before, after in errors:
        assert (before.event_id, before.object, before.field) == (after.event_id, after.object, after.field)
        assert after.message != before.message
        assert after.error_type is None
        assert any(
            after.message == text.format(number=number)
            for texts in load_wordings()[causes[before.event_id]].values()
            for text in texts
            for number in range(3, 41)
        )
    assert [a for a, b in zip(rows, reworded, strict=True) if not isinstance(a, SyncError) and a != b] == []
