"""Suspects: the change that came before is named, the others are not, and nobody is when nobody did it."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.diagnosis.fit import likelihood_ratio
from analysis.diagnosis.suspect_changes import suspects
from analysis.issues.details import UnknownIssue
from benchmarks.suspects import START, activity, change, people, store_of
from tests.support.examples import examples

ONSET = 15.4  # days after START, a Tuesday morning


def fleet_of(seed, begins=lambda fleet: np.full(len(fleet), np.inf), rate=0.5):
    rng = np.random.default_rng(seed)
    fleet = people(rng)
    seen = activity(rng, len(fleet))
    seen["version"] = "25.1"
    seen["hit"] = rng.random(len(seen)) < np.where(seen["day"] >= begins(fleet)[seen["who"]], rate, 0.003)
    return fleet, seen


def at(day):
    return START + pd.Timedelta(days=day)


def decoys(scope="country=FR"):
    return [
        change(f"decoy-{n}", at(2.3 * n + 1), "vmoc", f"x{n}__c", "order__v", None, scope) for n in range(10)
    ]


def german(fleet):
    return np.where(fleet["country"] == "DE", ONSET, np.inf)


def named(fleet, seen, changes, **options):
    with store_of(fleet, seen, pd.DataFrame(changes)) as store:
        return suspects(store, "issue-1", **options)


TRUE = change("true", at(ONSET - 0.02), "permission_set", "core__c", "call2__v", None, "country=DE")


def test_the_change_that_fits_in_time_people_and_object_is_named():
    [suspect] = named(*fleet_of(1, german), [*decoys(), TRUE])
    assert suspect.change_id == "true"
    assert suspect.scope == "country=DE"
    assert suspect.affected_in_scope > 0.5
    assert suspect.unaffected_in_scope < 0.2
    assert timedelta(0) <= suspect.lag < timedelta(days=1)
    assert suspect.relation == "touches the same object, call2__v"
    assert suspect.p_value <= 0.05


def test_nobody_is_named_when_nothing_was_changed_near_the_onset():
    assert named(*fleet_of(1, german), decoys()) == []


def test_nobody_is_named_for_noise():
    assert named(*fleet_of(2), [*decoys(), TRUE]) == []


def test_what_came_after_the_onset_is_no_suspect():
    fleet, seen = fleet_of(1, german)
    assert named(fleet, seen, [*decoys(), TRUE], onset=(at(ONSET) - timedelta(days=1)).to_pydatetime()) == []


def test_a_version_is_named_without_any_row_that_tells_of_it():
    rng = np.random.default_rng(3)
    fleet, seen = fleet_of(3)
    adopted = rng.uniform(8, 24, len(fleet))[seen["who"]]
    seen["version"] = np.where(seen["day"] >= adopted, "25.2", "25.1")
    seen["hit"] |= (seen["day"] >= adopted) & (rng.random(len(seen)) < 0.3)
    [suspect] = named(fleet, seen, decoys())
    assert suspect.change_id == "version 25.2"
    assert suspect.scope == "those with 25.2"


def test_a_version_that_spreads_while_something_else_breaks_is_not_named():
    rng = np.random.default_rng(4)
    fleet, seen = fleet_of(4, lambda fleet: np.full(len(fleet), ONSET))
    adopted = rng.uniform(8, 24, len(fleet))[seen["who"]]
    seen["version"] = np.where(seen["day"] >= adopted, "25.2", "25.1")
    assert "version 25.2" not in [one.change_id for one in named(fleet, seen, decoys())]


def test_the_same_question_gets_the_same_answer():
    fleet, seen = fleet_of(1, german)
    assert named(fleet, seen, [TRUE, *decoys()]) == named(fleet, seen, [*decoys()[::-1], TRUE])


def test_failed_syncs_are_the_hits_when_no_issue_is_named():
    fleet, seen = fleet_of(1, german)
    with store_of(fleet, seen, pd.DataFrame([*decoys(), TRUE])) as store:
        assert suspects(store) == []
        store.execute("""
            UPDATE sync_tracking__v SET successful_sync__v = false
            WHERE id IN (SELECT sync_id FROM sync_error)
        """)
        assert [one.change_id for one in suspects(store)] == ["true"]


def test_an_empty_store_has_no_suspects(store):
    assert suspects(store) == []
    with pytest.raises(UnknownIssue):
        suspects(store, "none")


def test_errors_that_name_no_user_have_no_suspect():
    fleet, seen = fleet_of(1, german)
    with store_of(fleet, seen, pd.DataFrame([TRUE, *decoys()])) as store:
        (issue,) = store.execute("SELECT issue_id FROM finding LIMIT 1").fetchone()
        store.execute("UPDATE sync_error SET user_id = NULL, sync_id = NULL, device_id = NULL")
        assert suspects(store, issue) == []


def test_a_scope_nobody_understands_reaches_everyone():
    odd = TRUE | {"scope": "phase of the moon=full"}
    [suspect] = named(*fleet_of(1, lambda fleet: np.full(len(fleet), ONSET)), [*decoys(), odd])
    assert suspect.scope == "everyone"


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
@settings(max_examples=examples(100), deadline=None)
def test_a_likelihood_ratio_is_never_negative_and_needs_a_higher_rate_inside(
    hit, spared, hit_out, spared_out
):
    tried, tried_out = hit + spared, hit_out + spared_out
    [ratio] = likelihood_ratio(
        np.array([float(hit)]), np.array([float(tried)]), hit + hit_out, tried + tried_out
    )
    assert ratio >= -1e-9
    if hit * tried_out <= hit_out * tried:
        assert ratio == pytest.approx(0, abs=1e-9)
