"""The sentence models, and how their chances are weighed against the findings of the rules."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis
from analysis.classification import weighing
from analysis.classification.catalogue import CAUSES, UNKNOWN
from analysis.classification.classifier import classify
from analysis.classification.finding import NO_FINDING, Finding
from analysis.classification.sentences import encoder
from analysis.classification.sentences.model import has_words, load_model
from analysis.classification.sentences.ngrams import BITS, count_ngrams
from analysis.classification.weighing import SENTENCE_RULE, load_weights, weigh, weigh_findings
from tests.support.examples import examples

EXAMPLES = Path(analysis.__file__).parent / "classification/sentences/examples"
ALL_CAUSES = frozenset(CAUSES) - {UNKNOWN}


def classify_one(message: str, **columns: str) -> pd.Series:
    return classify(pd.DataFrame([{"message": message, **columns}])).iloc[0]


@pytest.fixture(params=[True, False], ids=["with encoder", "n-grams alone"])
def with_encoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(weighing, "is_installed", lambda: request.param)
    return bool(request.param)


# ── The models ──────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=examples(100), deadline=None)
@given(st.text(max_size=600))
def test_chances_of_any_text_add_up_to_one(message: str):
    chances = load_model().chances_by_ngrams([message])
    assert chances.shape == (1, len(load_model().causes))
    assert chances.min() >= 0
    assert chances.sum() == pytest.approx(1)


@settings(max_examples=examples(100), deadline=None)
@given(st.text(max_size=200))
def test_features_have_numbers_and_positive_weights(message: str):
    assert all(0 <= number < 1 << BITS and weight >= 1 for number, weight in count_ngrams(message).items())


def test_case_accents_and_numbers_do_not_matter():
    assert count_ngrams("Zugriff VERWEIGERT für 17 Züge") == count_ngrams("zugriff verweigert fur 4 zuge")


def test_the_model_knows_every_cause():
    assert set(load_model().causes) == {*ALL_CAUSES, UNKNOWN}


def test_a_message_has_one_vector_in_any_batch():
    messages = ["The record is locked.", "Kein Netz", "セッションの有効期限が切れました", "Out of space"]
    together, alone = encoder.encode(messages), np.vstack([encoder.encode([each]) for each in messages])
    assert np.abs(together - alone).max() <= 0.0002


@pytest.mark.parametrize("message", ["", "  ", "1009", "-", "0x80040220 / 17", "%s: %d"])
def test_a_message_without_words_is_not_judged(message: str):
    finding = Finding("network", 0.7, "some-rule", ("server-unavailable",))
    assert not has_words(message)
    assert weigh_findings([message], [finding], ALL_CAUSES) == [finding]


# ── Weighing ────────────────────────────────────────────────────────────────────────────────────────────────


def chances_for(cause: str, chance: float) -> np.ndarray:
    causes = load_model().causes
    chances = np.full((1, len(causes)), (1 - chance) / (len(causes) - 1))
    chances[0, causes.index(cause)] = chance
    return chances


@pytest.mark.parametrize("with_vector", [True, False])
def test_agreement_raises_and_disagreement_lowers_the_chance_of_a_finding(*, with_vector: bool):
    causes, weights = load_model().causes, load_weights(with_vector=with_vector)
    finding = [Finding("network", 0.9, "some-rule", ())]
    chance = {
        cause: weigh(finding, causes, chances, chances if with_vector else None, weights)[
            0, causes.index("network")
        ]
        for cause in ("network", "server-unavailable")
        for chances in [chances_for(cause, 0.6)]
    }
    assert chance["network"] > 0.9 > chance["server-unavailable"]


def test_without_a_finding_a_cause_needs_a_chance_above_the_cut(*, with_encoder: bool):
    open_messages = ["Etwas mit dem Ding da ist komisch", "The flux of the gate is odd", "hm, no, not now"]
    cut = load_weights(with_vector=with_encoder).cut
    for finding in weigh_findings(open_messages, [NO_FINDING] * 3, ALL_CAUSES):
        assert finding.cause == UNKNOWN or finding.confidence >= cut
        assert finding.cause != UNKNOWN or (finding.confidence, finding.rule) == (0.0, "")


def test_a_finding_of_the_rules_is_never_lost(*, with_encoder: bool):
    """Models may lower its confidence or overrule it, but not make it unknown."""
    rows = [json.loads(line) for line in (EXAMPLES / "en.jsonl").read_text("utf-8").splitlines()[::16]]
    findings = [Finding("rate-limit", 0.6, "some-rule", ())] * len(rows)
    weighed = weigh_findings([row["message"] for row in rows], findings, ALL_CAUSES)
    assert all(finding.cause != UNKNOWN for finding in weighed)
    for finding in weighed:
        assert finding.cause == "rate-limit" or finding.confidence <= 0.9


def test_alternatives_are_ordered_and_have_chances(*, with_encoder: bool):
    (finding,) = weigh_findings(["Sync stopped, the thing is not right there"], [NO_FINDING], ALL_CAUSES)
    assert len(finding.also) == len(finding.chances) <= 3
    assert list(finding.chances) == sorted(finding.chances, reverse=True)
    assert finding.cause not in finding.also


def test_a_cause_without_rules_is_not_assigned(*, with_encoder: bool):
    """The chances of a cause that the catalogue lacks count as unknown: no other cause replaces it."""
    message = "Il n'y a plus assez d'espace libre sur la tablette."
    finding = [NO_FINDING]
    assert weigh_findings([message], finding, ALL_CAUSES)[0].cause == "device-storage-full"
    assert weigh_findings([message], finding, ALL_CAUSES - {"device-storage-full"})[0].cause == UNKNOWN


def test_rules_only_leaves_the_models_out():
    message = "Esta tableta ya no tiene sitio para guardar nada más, borre fotos"
    frame = pd.DataFrame({"message": [message]})
    assert classify(frame, rules_only=True)["chances"].tolist() == [[]]
    assert classify(frame).loc[0, "rule"] in (SENTENCE_RULE, classify(frame, rules_only=True).loc[0, "rule"])


@pytest.mark.parametrize(
    "message",
    [
        "Something went wrong",
        "Algo salió mal",
        "Ein unbekannter Fehler ist aufgetreten.",
        "Une erreur inattendue s'est produite",
        "予期しないエラーが発生しました",
        "出错了",
        "Ocorreu um erro",
        "Errore generico",
    ],
)
def test_messages_that_state_nothing_stay_unknown(message: str, *, with_encoder: bool):
    assert classify_one(message)["cause"] == UNKNOWN


@pytest.mark.parametrize("message", ["null", "(null)", "NULL ", "undefined", "N/A", "nil"])
def test_a_placeholder_is_no_message(message: str, *, with_encoder: bool):
    assert classify_one(message)["cause"] == UNKNOWN
    assert classify_one(message, http_status="401", phase="session_start")["cause"] == "session-expired"


def test_the_chances_of_a_contested_finding_leave_it_the_likeliest(*, with_encoder: bool):
    rows = [json.loads(line) for line in (EXAMPLES / "en.jsonl").read_text("utf-8").splitlines()]
    findings = classify(pd.DataFrame({"message": [row["message"] for row in rows[::5]]}))
    contested = findings[findings["confidence"] == load_weights(with_vector=with_encoder).contested]
    assert len(contested)
    for _, finding in contested.iterrows():
        assert sum(finding["chances"]) <= 1 - finding["confidence"] + 0.02


@pytest.mark.parametrize("message", ["HTTP 401", "Unauthorized", "401"])
def test_a_word_or_two_do_not_overrule_a_status(message: str, *, with_encoder: bool):
    finding = classify_one(message, http_status="401", phase="session_start")
    assert finding["cause"] == "session-expired"


def test_a_rule_of_ones_own_decides(tmp_path: Path, *, with_encoder: bool):
    draft = tmp_path / "draft.toml"
    draft.write_text(
        '[[rule]]\nid = "own"\ncause = "access-policy"\ntier = "words"\nwords = ["could not be found"]\n',
        "utf-8",
    )
    events = pd.DataFrame({"message": ["The record could not be found on the server, it was deleted."]})
    assert classify(events)["cause"].tolist() == ["record-deleted"]
    finding = classify(events, analysis.read_catalogue(draft)).iloc[0]
    assert (finding["cause"], finding["rule"]) == ("access-policy", "own")
    assert finding["confidence"] >= 0.8


def test_equal_messages_have_equal_findings_in_any_order():
    rows = [json.loads(line) for line in (EXAMPLES / "de.jsonl").read_text("utf-8").splitlines()[::9]]
    frame = pd.DataFrame({"message": [row["message"] for row in rows]})
    backwards = frame.iloc[::-1]
    assert classify(frame)["cause"].tolist() == classify(backwards)["cause"].tolist()[::-1]


# ── The data that the models are fitted to ──────────────────────────────────────────────────────────────────


def test_examples_have_causes_and_are_distinct():
    every_cause = {*ALL_CAUSES, UNKNOWN}
    for path in EXAMPLES.glob("*.jsonl"):
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        causes = {row["cause"] for row in rows}
        # Swedish, Czech and Ukrainian have a few examples, the other languages several of each cause.
        assert causes <= every_cause if len(rows) < len(every_cause) * 3 else causes == every_cause
        assert len({row["message"] for row in rows}) == len(rows)
        assert all(isinstance(row["reserved"], bool) for row in rows)
    assert len(list(EXAMPLES.glob("*.jsonl"))) >= 13
