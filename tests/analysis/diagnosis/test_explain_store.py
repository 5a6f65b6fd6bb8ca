"""`explain_issue` and `explain_period` on stores."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from analysis.base.errors import AnalysisError
from analysis.diagnosis.explain.questions import explain_issue, explain_period
from analysis.issues.details import UnknownIssue

MONDAY = datetime(2026, 3, 2)  # noqa: DTZ001 - as in the store
PLANTED = [
    ("sync-configuration", {"permission set msl__c": "yes"}),
    ("record-visibility", {"territory": "FR-02"}),
    ("device-storage-full", {"device_model": "iPad (9th generation)"}),
    ("local-state-mismatch", {"app_version": "25.3.1"}),
    ("field-permission", {"country": "DE"}),
]


def issue_of(store, cause):
    [issue_id] = store.execute(
        "SELECT mode(issue_id) FROM error WHERE cause = $cause", {"cause": cause}
    ).fetchone()
    return issue_id


@pytest.mark.parametrize(("cause", "where"), PLANTED, ids=[cause for cause, _ in PLANTED])
def test_an_issue_is_explained_by_the_affected_part_of_the_fleet(stormy_store, cause, where):
    first, *_ = explain_issue(stormy_store, issue_of(stormy_store, cause))
    assert first.where == where
    assert first.asserted
    assert first.rate_in > first.rate_out
    assert first.rate_in_before is None


def test_by_limits_the_attributes(stormy_store):
    issue_id = issue_of(stormy_store, "sync-configuration")
    assert all(
        one.where.keys() <= {"country", "platform"}
        for one in explain_issue(stormy_store, issue_id, by=["country", "platform"])
    )
    assert explain_issue(stormy_store, issue_id, by=["permission_sets"])[0].where == {
        "permission set msl__c": "yes"
    }


def test_an_unknown_issue_raises_an_error_with_a_next_step(store):
    with pytest.raises(UnknownIssue) as raised:
        explain_issue(store, "none")
    assert "synclens issues" in raised.value.next_step


def syncs(store, days, bad_day, failing):
    """Add 30 devices with 10 syncs a day; on the bad day half of the syncs of one territory fail."""
    store.execute(
        """
        INSERT INTO sync_user BY NAME
        SELECT 'u' || k AS user_id, $monday AS as_of, 'T' || k % 3 AS territory, 'X' AS country,
            'test' AS source, 'b' AS batch_id FROM range(30) AS t(k)
        """,
        {"monday": MONDAY},
    )
    store.execute(
        """
        INSERT INTO sync_tracking__v BY NAME
        SELECT concat_ws('-', d, k, i) AS id, 'u' || k AS created_by__v, 'incremental__v' AS sync_type__v,
            $monday + to_days(d::INTEGER) + to_hours(8 + i::INTEGER) AS sync_start_datetime__v,
            sync_start_datetime__v + to_seconds(60) AS sync_completed_datetime__v,
            NOT ((d = $bad AND 'T' || k % 3 = $failing AND i % 2 = 0) OR hash(d, k, i) % 50 = 0)
                AS successful_sync__v,
            true AS upload_processed__v, true AS download_processed__v, 'test' AS source, 'b' AS batch_id
        FROM range($days) AS x(d), range(30) AS t(k), range(10) AS y(i)
        """,
        {"monday": MONDAY, "days": days, "bad": bad_day, "failing": failing},
    )


def test_a_day_with_failures_is_explained_and_a_normal_day_is_not(store):
    syncs(store, days=9, bad_day=8, failing="T1")
    bad, usual = MONDAY + timedelta(days=8), MONDAY + timedelta(days=7)
    [first, *_] = explain_period(store, bad, bad + timedelta(days=1))
    assert first.where == {"territory": "T1"}
    assert first.asserted
    assert first.earlier_periods == 6
    assert first.rate_in == pytest.approx(0.5, abs=0.05)
    assert first.rate_in_before == pytest.approx(0.02, abs=0.02)
    assert not any(explanation.asserted for explanation in explain_period(store, usual, bad))


def test_nothing_is_asserted_with_one_earlier_period(store):
    syncs(store, days=9, bad_day=8, failing="T1")
    bad = MONDAY + timedelta(days=8)
    [first, *others] = explain_period(store, bad, bad + timedelta(days=1), baseline=1)
    assert first.where == {"territory": "T1"}
    assert (first.earlier_periods, first.p_value) == (1, None)
    assert not any(explanation.asserted for explanation in (first, *others))


def test_an_empty_store_has_nothing_to_explain(store):
    assert explain_period(store, MONDAY, MONDAY + timedelta(days=1)) == []


def test_a_period_that_ends_before_it_begins_raises_an_error(store):
    with pytest.raises(AnalysisError, match="nothing to compare"):
        explain_period(store, MONDAY, MONDAY)
