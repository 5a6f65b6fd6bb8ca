"""Each context rule has a complete header, existing causes, and a query that runs on an empty store."""

import pytest

import analysis
from analysis.classification.context.refinement import CANDIDATE_SELECTORS, CONTEXT_RULES, run_rule
from analysis.classification.context.rules import ContextRule
from analysis.findings import classify_events, read_events

HEADER = (
    "-- title: A\n-- reads: network\n-- decides: network\n-- overrules: {}\n-- key: event_id\n-- why: B.\n"
)


def test_every_rule_file_is_in_the_order_of_rules():
    assert set(CONTEXT_RULES) == set(CANDIDATE_SELECTORS)


@pytest.mark.parametrize("rule", CONTEXT_RULES.values(), ids=lambda rule: rule.name)
def test_the_header_of_a_rule_is_complete(rule):
    overruled = {cause for causes in rule.overrules.values() for cause in causes}
    assert {*rule.reads, *rule.decides, *overruled} <= set(analysis.CAUSES)
    assert rule.decides and set(rule.overrules) <= set(rule.decides)
    assert rule.title and rule.why.endswith(".")
    assert all(threshold.unit and threshold.reason.endswith(".") for threshold in rule.thresholds.values())


@pytest.mark.parametrize("name", CONTEXT_RULES)
def test_a_rule_runs_on_an_empty_store(store, name):
    rule, events = CONTEXT_RULES[name], read_events(store)
    candidates = CANDIDATE_SELECTORS[name](events, classify_events(events), rule)
    answers = run_rule(store, rule, candidates)
    assert answers.empty
    assert set(answers) == {*rule.key, "cause", "confidence", "evidence"}


@pytest.mark.parametrize(
    "header",
    [
        "",
        "-- title: A\n",
        HEADER.format("network"),
        HEADER.format("nothing") + "-- threshold: days = 3\n",
        HEADER.format("nothing") + "-- unit: days\n",
    ],
)
def test_a_rule_file_without_its_header_is_rejected(header):
    with pytest.raises(ValueError, match=r"a\.sql"):
        ContextRule.parse("a", header + "SELECT 1")


def test_thresholds_are_bound_as_numbers():
    lines = "-- threshold: days = 3 days: C.\n-- threshold: share = 0.5 of devices: D.\n"
    rule = ContextRule.parse("a", HEADER.format("network over rate-limit") + lines + "SELECT 1")
    assert rule.parameters == {"days": 3, "share": 0.5}
    assert rule.overrules == {"network": ("rate-limit",)}
