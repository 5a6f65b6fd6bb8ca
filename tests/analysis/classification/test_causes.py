import shutil
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis
import ingest
from analysis.classification.catalogue import CAUSES, UNKNOWN, Catalogue, list_versions
from analysis.evaluation.report import render_section
from analysis.evaluation.scores import (
    build_report_card,
    calibration_error,
    leave_one_cause_out,
    score_findings,
)
from analysis.findings import describe_possible_causes
from analysis.triage.states import TriageState
from sync_engine.simulator.fleet.run import simulate_fleet
from sync_engine.simulator.fleet.scenario import load_scenario
from tests.support.examples import examples

ODD = st.one_of(st.none(), st.just(np.nan), st.just(pd.NA), st.integers(), st.floats(), st.text(max_size=60))
LOADED_AT = datetime(2026, 1, 5, tzinfo=UTC)


def cause_of(message: str, **fields: object) -> str:
    return str(analysis.classify(pd.DataFrame([{"message": message, **fields}])).loc[0, "cause"])


@pytest.mark.parametrize(
    ("message", "fields", "cause"),
    [
        ("Ausnahme", {"http_status": 503}, "server-unavailable"),
        ("", {"http_status": 429}, "rate-limit"),
        ("", {"error_type": "503"}, "server-unavailable"),
        ("Error Domain=NSURLErrorDomain Code=-1009", {}, "network"),
        ("code 5 SQLITE_BUSY", {}, "local-database-busy"),
        ("Token used too early", {}, "device-clock"),
        ("必須項目が入力されていません", {}, "required-field"),
        ("Votre session a expiré", {}, "session-expired"),
        ("Er ging etwas mis", {}, UNKNOWN),
        ("-1009", {}, UNKNOWN),
        ("5", {}, UNKNOWN),
    ],
)
def test_codes_messages_and_numbers_are_classified(message, fields, cause):
    assert cause_of(message, **fields) == cause


def test_the_innermost_error_decides():
    wrapped = "MyTrigger: execution of BeforeUpdate caused by: FIELD_CUSTOM_VALIDATION_EXCEPTION, No."
    assert cause_of(wrapped) == "validation-rule"
    broken = "MyTrigger: execution of BeforeUpdate caused by: System.NullPointerException: null"
    assert cause_of(broken) == "server-automation"


@settings(max_examples=examples(60), deadline=None)  # the first example compiles every rule
@given(
    st.lists(st.dictionaries(st.sampled_from(["message", "error_type", "http_status", "x"]), ODD), max_size=4)
)
def test_any_value_can_be_classified(rows):
    frame = pd.DataFrame(rows, index=[f"r{n}" for n in range(len(rows))])
    findings = analysis.classify(frame)
    assert list(findings.index) == list(frame.index)
    assert set(findings["cause"]) <= set(analysis.CAUSES)
    assert findings["confidence"].between(0, 1).all()


@pytest.mark.parametrize("rule", analysis.load_catalogue().rule, ids=lambda rule: rule.id)
def test_the_codes_of_a_rule_have_its_cause_or_alternatives(rule):
    codes = [code for code in rule.codes if ":" not in code]
    if rule.all or rule.when or rule.unless or not codes:
        assert rule.words or rule.codes
        return
    findings = analysis.classify(pd.DataFrame({"error_type": codes}))
    pairs = zip(findings["cause"], findings["also"], strict=True)
    matches = [rule.cause == cause or rule.cause in also for cause, also in pairs]
    assert sum(matches) / len(matches) >= 0.8


@pytest.mark.parametrize("cause", analysis.CAUSES.values(), ids=lambda cause: cause.id)
def test_a_cause_has_one_short_title_everywhere(cause):
    assert analysis.load_playbook(cause.id).title == cause.title
    assert len(cause.title.split()) <= 5 and not cause.title.endswith(".")


@pytest.mark.parametrize("version", list_versions())
def test_the_patterns_of_a_published_catalogue_are_regular_expressions(version):
    """`load_catalogue` does not compile them, because that takes half a second."""
    Catalogue.model_validate(analysis.load_catalogue(version).model_dump())


def test_a_draft_with_an_invalid_pattern_is_rejected(tmp_path):
    newest = Path(str(files("analysis.classification").joinpath("causes", list_versions()[-1])))
    draft = shutil.copytree(newest, tmp_path / "draft")
    family = draft / "record.toml"
    family.write_text(family.read_text("utf-8").replace("[[rule]]", "[[rule]]\nwhen = {}", 1), "utf-8")
    assert analysis.read_catalogue(draft).rule == analysis.load_catalogue().rule
    family.write_text(family.read_text("utf-8").replace("\nwords = [", "\nwords = [\n  '(',", 1), "utf-8")
    with pytest.raises(analysis.AnalysisError, match="not a regular expression") as caught:
        analysis.read_catalogue(draft)
    assert caught.value.next_step


def test_a_draft_that_is_no_catalogue_is_rejected(tmp_path):
    draft = tmp_path / "draft.toml"
    for text in ("[[cause]]\nid = 'rust'\n", "[[rule]]\nid = 'x'\n", "= 1", "\0"):
        draft.write_text(text, "utf-8")
        with pytest.raises(analysis.AnalysisError, match="not a cause catalogue"):
            analysis.read_catalogue(draft)
    with pytest.raises(analysis.AnalysisError, match="not a cause catalogue"):
        analysis.read_catalogue(tmp_path / "missing")


def test_the_order_of_a_rule_and_not_its_file_decides():
    catalogue = analysis.load_catalogue()
    orders = [rule.order for rule in catalogue.rule]
    assert orders == sorted(orders)
    words = [rule.order for rule in catalogue.rule if rule.words]
    assert len(set(words)) == len(words) and min(words) > 0


def test_a_catalogue_with_an_unknown_cause_id_is_rejected():
    catalogue = analysis.load_catalogue().model_dump()
    catalogue["rule"][0]["cause"] = "no-such-cause"
    with pytest.raises(ValueError, match="no-such-cause"):
        Catalogue.model_validate(catalogue)
    with pytest.raises(analysis.AnalysisError):
        analysis.load_catalogue("1999-01-01")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    path = tmp_path_factory.mktemp("simulated") / "store.duckdb"
    scenario = load_scenario("clock-skew")
    rows = list(simulate_fleet(scenario=scenario, seed=77, device_count=15, days=5))
    with ingest.open_store(path, read_only=False) as store:
        ingest.append(store, rows, source="test", started_at=LOADED_AT, clock=lambda: LOADED_AT)
        update = analysis.update_findings(store)
    return path, update


def test_every_error_gets_one_finding_and_a_second_run_changes_nothing(simulated):
    path, update = simulated
    query = "SELECT * FROM finding ORDER BY event_id"
    with ingest.open_store(path, read_only=False) as store:
        before = store.execute(query).fetchall()
        assert analysis.update_findings(store) == update
        assert store.execute(query).fetchall() == before
        assert len(before) == store.execute("SELECT count(*) FROM sync_error").fetchone()[0] > 0


def test_an_unknown_cause_lists_what_is_possible_and_how_likely():
    assert describe_possible_causes((), ()) == []
    assert describe_possible_causes(("network",), (0.04,)) == []
    assert describe_possible_causes(("network", "record-locked"), (0.43, 0.05)) == [
        f"The message does not state the cause. Possible: {CAUSES['network'].title} (43%), "
        f"{CAUSES['record-locked'].title} (5%)."
    ]


def test_simulated_errors_are_classified_correctly(simulated):
    with ingest.open_store(simulated[0]) as store:
        card = build_report_card(store)
    assert card.accuracy >= 0.97
    assert "| accuracy |" in render_section("simulated", card)


def test_a_manual_correction_replaces_the_cause(simulated, tmp_path):
    triage = TriageState(tmp_path / "store.triage.sqlite")
    with ingest.open_store(simulated[0], read_only=False) as store:
        analysis.update_findings(store, triage, at=LOADED_AT)
        event, issue = store.execute("SELECT event_id, issue_id FROM finding ORDER BY 1").fetchone()
        triage.correct_cause(issue, "record-locked", actor="mia", at=LOADED_AT, reason="")
        analysis.update_findings(store, triage, at=LOADED_AT)
        row = store.execute("SELECT cause, confidence FROM finding WHERE event_id = ?", [event]).fetchone()
        analysis.update_findings(store)
    assert row == ("record-locked", 1.0)


def test_an_update_with_triage_needs_a_timestamp(simulated, tmp_path):
    with ingest.open_store(simulated[0], read_only=False) as store, pytest.raises(TypeError, match="at"):
        analysis.update_findings(store, TriageState(tmp_path / "store.triage.sqlite"))


def test_a_store_without_truth_has_no_report_card(tmp_path):
    with ingest.open_store(tmp_path / "s.duckdb", read_only=False) as store:
        assert analysis.update_findings(store).events == 0
        with pytest.raises(analysis.AnalysisError):
            build_report_card(store)


def test_scores_equal_those_computed_by_hand():
    findings = pd.DataFrame({"cause": ["a", "b", UNKNOWN, "a"], "confidence": [0.95, 0.95, 0.0, 0.55]})
    card = score_findings(pd.Series(["a", "a", "a", "b"]), findings, alternatives=[[], ["b"], [], []])
    assert (card.accuracy, card.coverage) == (0.5, 0.75)
    assert card.accuracy_if_assigned == pytest.approx(2 / 3)
    assert list(card.risk["risk"]) == pytest.approx([0, 1 / 3])
    assert calibration_error(np.array([0.9, 0.9]), np.array([True, False])) == pytest.approx(0.4)


def test_errors_of_a_removed_cause_become_unknown():
    events = pd.DataFrame({"error_type": ["ENTITY_IS_LOCKED"], "message": [""]})
    scores = leave_one_cause_out(events, pd.Series(["record-locked"]))
    row = {"cause": "record-locked", "events": 1, "share_unknown": 1.0, "share_wrong": 0.0}
    assert scores.to_dict("records") == [row]


@pytest.mark.parametrize(
    "sentence",
    [
        "Phone visits below ten minutes belong in the contact log",
        "Muster dürfen nur mit Unterschrift abgegeben werden",
        "Les échantillons exigent une signature du médecin",
        "電話の訪問は連絡として記録してください",
    ],
)
def test_a_custom_rule_is_recognized_whatever_its_sentence(sentence: str):
    """INVALID_DATA for a whole record is a custom rule; with a field or another known sentence it is not."""
    event = {"error_type": "INVALID_DATA", "object": "call2__v", "operation": "create"}
    sentences = [sentence, "The resource [V4C0] does not exist", "Another user has changed this record"]
    events = pd.DataFrame([{"message": text, **event} for text in sentences])
    findings = analysis.classify(events, rules_only=True)
    assert findings["cause"].tolist() == ["validation-rule", "record-deleted", "concurrent-change"]
