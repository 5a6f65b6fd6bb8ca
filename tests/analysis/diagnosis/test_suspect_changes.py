"""Suspect changes: the true change is returned, others are not, and without a true change none is."""

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


def unrelated_changes(scope="country=FR"):
    return [
        change(f"decoy-{n}", at(2.3 * n + 1), "vmoc", f"x{n}__c", "order__v", None, scope) for n in range(10)
    ]


def german(fleet):
    return np.where(fleet["country"] == "DE", ONSET, np.inf)


def find_suspects(fleet, seen, changes, **options):
    with store_of(fleet, seen, pd.DataFrame(changes)) as store:
        return suspects(store, "issue-1", **options)


TRUE = change("true", at(ONSET - 0.02), "permission_set", "core__c", "call2__v", None, "country=DE")


def test_the_change_that_fits_in_time_users_and_object_is_a_suspect():
    [suspect] = find_suspects(*fleet_of(1, german), [*unrelated_changes(), TRUE])
    assert suspect.change_id == "true"
    assert suspect.scope == "country=DE"
    assert suspect.affected_in_scope > 0.5
    assert suspect.unaffected_in_scope < 0.2
    assert timedelta(0) <= suspect.lag < timedelta(days=1)
    assert suspect.relation == "touches the same object, call2__v"
    assert suspect.p_value <= 0.05


def test_there_is_no_suspect_without_a_change_near_the_onset():
    assert find_suspects(*fleet_of(1, german), unrelated_changes()) == []


def test_there_is_no_suspect_for_random_hits():
    assert find_suspects(*fleet_of(2), [*unrelated_changes(), TRUE]) == []


def test_a_change_after_the_onset_is_no_suspect():
    fleet, seen = fleet_of(1, german)
    assert (
        find_suspects(
            fleet, seen, [*unrelated_changes(), TRUE], onset=(at(ONSET) - timedelta(days=1)).to_pydatetime()
        )
        == []
    )


def test_a_version_without_a_change_row_can_be_a_suspect():
    rng = np.random.default_rng(3)
    fleet, seen = fleet_of(3)
    adopted = rng.uniform(8, 24, len(fleet))[seen["who"]]
    seen["version"] = np.where(seen["day"] >= adopted, "25.2", "25.1")
    seen["hit"] |= (seen["day"] >= adopted) & (rng.random(len(seen)) < 0.3)
    [suspect] = find_suspects(fleet, seen, unrelated_changes())
    assert suspect.change_id == "version 25.2"
    assert suspect.scope == "those with 25.2"


def test_a_version_rolled_out_during_another_problem_is_no_suspect():
    rng = np.random.default_rng(4)
    fleet, seen = fleet_of(4, lambda fleet: np.full(len(fleet), ONSET))
    adopted = rng.uniform(8, 24, len(fleet))[seen["who"]]
    seen["version"] = np.where(seen["day"] >= adopted, "25.2", "25.1")
    assert "version 25.2" not in [
        suspect.change_id for suspect in find_suspects(fleet, seen, unrelated_changes())
    ]


def test_the_order_of_changes_does_not_matter():
    fleet, seen = fleet_of(1, german)
    assert find_suspects(fleet, seen, [TRUE, *unrelated_changes()]) == find_suspects(
        fleet, seen, [*unrelated_changes()[::-1], TRUE]
    )


def test_failed_syncs_are_the_hits_without_an_issue():
    fleet, seen = fleet_of(1, german)
    with store_of(fleet, seen, pd.DataFrame([*unrelated_changes(), TRUE])) as store:
        assert suspects(store) == []
        store.execute("""
            UPDATE sync_tracking__v SET successful_sync__v = false
            WHERE id IN (SELECT sync_id FROM sync_error)
        """)
        assert [suspect.change_id for suspect in suspects(store)] == ["true"]


def test_an_empty_store_has_no_suspects(store):
    assert suspects(store) == []
    with pytest.raises(UnknownIssue):
        suspects(store, "none")


def test_errors_without_a_user_have_no_suspect():
    fleet, seen = fleet_of(1, german)
    with store_of(fleet, seen, pd.DataFrame([TRUE, *unrelated_changes()])) as store:
        (issue,) = store.execute("SELECT issue_id FROM finding LIMIT 1").fetchone()
        store.execute("UPDATE sync_error SET user_id = NULL, sync_id = NULL, device_id = NULL")
        assert suspects(store, issue) == []


def test_an_unknown_scope_reaches_all_users():
    change = TRUE | {"scope": "phase of the moon=full"}
    [suspect] = find_suspects(
        *fleet_of(1, lambda fleet: np.full(len(fleet), ONSET)), [*unrelated_changes(), change]
    )
    assert suspect.scope == "everyone"


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
@settings(max_examples=examples(100), deadline=None)
def test_a_likelihood_ratio_is_positive_only_for_a_higher_rate_inside(hit, not_hit, hit_out, not_hit_out):
    total, total_out = hit + not_hit, hit_out + not_hit_out
    [ratio] = likelihood_ratio(
        np.array([float(hit)]), np.array([float(total)]), hit + hit_out, total + total_out
    )
    assert ratio >= -1e-9
    if hit * total_out <= hit_out * total:
        assert ratio == pytest.approx(0, abs=1e-9)
