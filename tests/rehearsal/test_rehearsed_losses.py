"""What a lever is said to lose is what it loses in the rehearsal, record by record."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearsal.run import rehearse
from tests.conftest import fresh_store
from tests.support.examples import examples
from tests.support.issue_store_builder import ISSUE, IssueStoreBuilder


def levers(found):
    return {one.name: one for one in found.candidates if one.kind == "lever"}


@pytest.fixture
def ward(store):
    return IssueStoreBuilder(store, "field-permission")


def test_undo_loses_the_updates_and_nothing_else(store, ward):
    for at in range(3):
        ward.add_stuck_record("ipad-1", f"A{at}", "update", "account__v", field="phone__v")
    ward.add_pending("ipad-1", "other", "update")
    undo = levers(rehearse(store, ISSUE))["Undo"]
    assert (undo.lost, undo.freed, undo.predicted_loss, undo.as_predicted) == (3, 0, 3, True)
    assert undo.summary == "frees 0 of 3 records, loses 3, 3 unsent changes predicted lost, as predicted"


def test_undo_spares_a_record_of_which_more_waits(store, ward):
    ward.add_stuck_record("ipad-1", "A1", "update", "account__v", field="phone__v")
    ward.add_stuck_record("ipad-1", "A2", "update", "account__v", field="phone__v")
    ward.add_pending("ipad-1", "A2", "update", in_error=False)
    undo = levers(rehearse(store, ISSUE))["Undo"]
    assert (undo.lost, undo.still_failing, undo.predicted_loss, undo.as_predicted) == (1, 1, 1, True)


def test_clearing_loses_what_else_is_in_error_on_all_devices_of_the_user(store, ward):
    ward.add_error("ipad-1", "C1", user="ana", operation="create", object="account__v", field="phone__v")
    ward.add_pending("ipad-1", "C1", "create", user="ana")
    ward.add_pending("ipad-1", "other", "update", user="ana")
    ward.add_pending("ipad-2", "gone", "delete", user="ana")
    ward.add_pending("ipad-3", "bens", "update", user="ben")
    cleared = levers(rehearse(store, ISSUE))["Clear client sync errors"]
    assert (cleared.total, cleared.lost, cleared.predicted_loss, cleared.as_predicted) == (1, 1, 3, True)


def test_undelete_loses_nothing(store):
    ward = IssueStoreBuilder(store, "delete-blocked")
    ward.add_stuck_record("ipad-1", "A1", "delete", "account__v")
    back = levers(rehearse(store, ISSUE))["Undelete"]
    assert (back.freed, back.lost, back.predicted_loss, back.as_predicted) == (1, 0, 0, True)
    assert "taken back" in back.summary


def test_a_refresh_loses_nothing_where_it_is_offered(store, ward):
    ward.add_stuck_record("ipad-1", "A1", "update", "account__v", field="phone__v")
    ward.add_error("ipad-2", "A2", operation="update", object="account__v", field="phone__v")
    ward.add_pending("ipad-2", "A3", "update", in_error=False)
    refreshed = levers(rehearse(store, ISSUE))["Force a full refresh"]
    assert (refreshed.lost, refreshed.predicted_loss, refreshed.as_predicted) == (0, 0, True)


def test_a_lever_that_is_not_offered_is_left_alone_and_says_why(store):
    ward = IssueStoreBuilder(store, "concurrent-change", retryable="often")
    ward.add_stuck_record("ipad-1", "A1", "update", "account__v")
    found = rehearse(store, ISSUE)
    assert not levers(found)
    assert "may succeed by itself" in dict(found.not_offered)["Undo"]


ROW = st.tuples(
    st.sampled_from(["ipad-1", "ipad-2", "ipad-3"]),
    st.sampled_from(["create", "update", "delete"]),
    st.sampled_from(["ours", "other", "waiting"]),
    st.booleans(),  # a further edit waits
)


@settings(max_examples=examples(12), deadline=None)
@given(st.lists(ROW, min_size=1, max_size=7), st.sampled_from(["object-permission", "record-deleted"]))
def test_any_queue_loses_what_was_said(rows, cause):
    with fresh_store() as store:
        ward = IssueStoreBuilder(store, cause)
        ward.add_error("ipad-1", "first", user="ana", operation="update", object="account__v")
        ward.add_pending("ipad-1", "first", user="ana")
        for at, (device, operation, which, again) in enumerate(rows):
            user = "ana" if device != "ipad-3" else "ben"
            record = f"R{at}"
            if which == "ours":
                ward.add_error(device, record, user=user, operation=operation, object="order__v")
            ward.add_pending(device, record, operation, "order__v", user=user, in_error=which != "waiting")
            if again and operation == "update":
                ward.add_pending(device, record, "update", "order__v", user=user, in_error=False)
        found = rehearse(store, ISSUE)
    assert found.candidates
    assert not [sentence for sentence in found.assumptions if "left out" in sentence]
    for one in found.candidates:
        assert one.freed + one.still_failing + one.lost == one.total
        assert one.as_predicted is not False, (one.name, one.summary)


VALUE_CAUSES = ["duplicate-record", "inactive-owner", "invalid-value", "payload-too-large", "picklist-value"]


@settings(max_examples=examples(10), deadline=None)
@given(st.lists(ROW, min_size=1, max_size=6), st.sampled_from(VALUE_CAUSES))
def test_what_a_value_refuses_is_counted_and_lost_as_said(rows, cause):
    """Deletes pass under these causes, so not each of the issue's records can be brought to fail."""
    with fresh_store() as store:
        ward = IssueStoreBuilder(store, cause)
        ward.add_stuck_record("ipad-1", "first", "create", "order__v")
        for at, (device, operation, which, again) in enumerate(rows):
            record = f"R{at}"
            if which == "ours":
                ward.add_error(device, record, operation=operation, object="order__v")
            ward.add_pending(device, record, operation, "order__v", in_error=which != "waiting")
            if again and operation == "update":
                ward.add_pending(device, record, "update", "order__v", in_error=False)
        found = rehearse(store, ISSUE)
    assert found.best is not None and found.best.share == 1.0
    for one in found.candidates:
        assert one.freed + one.still_failing + one.lost == one.total
        assert one.as_predicted is not False, (one.name, one.summary)
