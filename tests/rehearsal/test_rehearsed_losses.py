"""A recovery action loses exactly the records in the rehearsal that it is expected to lose."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearsal.result import Candidate
from rehearsal.run import rehearse
from tests.conftest import fresh_store
from tests.support.examples import examples
from tests.support.issue_store_builder import ISSUE, IssueStoreBuilder


def actions(result):
    return {row.name: row for row in result.candidates if row.kind == "recovery_action"}


@pytest.fixture
def builder(store):
    return IssueStoreBuilder(store, "field-permission")


def test_undo_loses_only_the_updates(store, builder):
    for number in range(3):
        builder.add_stuck_record("ipad-1", f"A{number}", "update", "account__v", field="phone__v")
    builder.add_pending("ipad-1", "other", "update")
    undo = actions(rehearse(store, ISSUE))["Undo"]
    assert (undo.lost, undo.freed, undo.predicted_loss, undo.as_predicted) == (3, 0, 3, True)
    assert (
        undo.summary == "frees 0 of 3 records, loses 3, 3 unsent changes lost over all issues, as predicted"
    )


def test_undo_skips_a_record_with_another_pending_edit(store, builder):
    builder.add_stuck_record("ipad-1", "A1", "update", "account__v", field="phone__v")
    builder.add_stuck_record("ipad-1", "A2", "update", "account__v", field="phone__v")
    builder.add_pending("ipad-1", "A2", "update", in_error=False)
    undo = actions(rehearse(store, ISSUE))["Undo"]
    assert (undo.lost, undo.still_failing, undo.predicted_loss, undo.as_predicted) == (1, 1, 1, True)


def test_clearing_loses_all_records_in_error_on_all_devices_of_the_user(store, builder):
    builder.add_error("ipad-1", "C1", user="ana", operation="create", object="account__v", field="phone__v")
    builder.add_pending("ipad-1", "C1", "create", user="ana")
    builder.add_pending("ipad-1", "other", "update", user="ana")
    builder.add_pending("ipad-2", "gone", "delete", user="ana")
    builder.add_pending("ipad-3", "bens", "update", user="ben")
    cleared = actions(rehearse(store, ISSUE))["Clear client sync errors"]
    assert (cleared.total, cleared.lost, cleared.predicted_loss, cleared.as_predicted) == (1, 1, 3, True)
    assert (
        cleared.summary == "frees 0 of 1 record, loses 1, 3 unsent changes lost over all issues, as predicted"
    )


@pytest.mark.parametrize(
    ("lost", "lost_changes", "predicted", "as_predicted", "outcome"),
    [
        (140, 158, 158, True, "loses 140, 158 unsent changes lost over all issues, as predicted"),
        (140, 140, 158, False, "loses 140, 140 unsent changes lost over all issues, 158 predicted"),
        (
            2,
            2,
            2,
            False,
            "loses 2, 2 unsent changes lost over all issues, as many as predicted, but not the same",
        ),
        (0, 1, 0, False, "1 unsent change lost over all issues, 0 predicted"),
        (0, 0, 0, True, ""),
    ],
)
def test_a_loss_is_as_predicted_only_if_the_stated_figures_agree(
    lost, lost_changes, predicted, as_predicted, outcome
):
    candidate = Candidate(
        name="Undo", who="user", kind="recovery_action", freed=0, still_failing=200 - lost, lost=lost, total=200,
        unit="records", lost_changes=lost_changes, predicted_loss=predicted, as_predicted=as_predicted,
    )  # fmt: skip
    failing = f", {200 - lost} still failing"
    assert candidate.summary == f"frees 0 of 200 records{failing}{', ' if outcome else ''}{outcome}"


def test_undelete_loses_nothing(store):
    builder = IssueStoreBuilder(store, "delete-blocked")
    builder.add_stuck_record("ipad-1", "A1", "delete", "account__v")
    undelete = actions(rehearse(store, ISSUE))["Undelete"]
    assert (undelete.freed, undelete.lost, undelete.predicted_loss, undelete.as_predicted) == (1, 0, 0, True)
    assert "reverted" in undelete.summary


def test_an_offered_refresh_loses_nothing(store, builder):
    builder.add_stuck_record("ipad-1", "A1", "update", "account__v", field="phone__v")
    builder.add_error("ipad-2", "A2", operation="update", object="account__v", field="phone__v")
    builder.add_pending("ipad-2", "A3", "update", in_error=False)
    refreshed = actions(rehearse(store, ISSUE))["Force a full refresh"]
    assert (refreshed.lost, refreshed.predicted_loss, refreshed.as_predicted) == (0, 0, True)


def test_an_action_that_is_not_offered_is_not_tried(store):
    builder = IssueStoreBuilder(store, "concurrent-change", retryable="often")
    builder.add_stuck_record("ipad-1", "A1", "update", "account__v")
    result = rehearse(store, ISSUE)
    assert not actions(result)
    assert "may succeed on retry" in dict(result.not_offered)["Undo"]


ROW = st.tuples(
    st.sampled_from(["ipad-1", "ipad-2", "ipad-3"]),
    st.sampled_from(["create", "update", "delete"]),
    st.sampled_from(["ours", "other", "waiting"]),
    st.booleans(),  # another edit is pending
)


@settings(max_examples=examples(12), deadline=None)
@given(st.lists(ROW, min_size=1, max_size=7), st.sampled_from(["object-permission", "record-deleted"]))
def test_any_outbox_loses_what_is_predicted(rows, cause):
    with fresh_store() as store:
        builder = IssueStoreBuilder(store, cause)
        builder.add_error("ipad-1", "first", user="ana", operation="update", object="account__v")
        builder.add_pending("ipad-1", "first", user="ana")
        for number, (device, operation, kind, has_follow_up) in enumerate(rows):
            user = "ana" if device != "ipad-3" else "ben"
            record = f"R{number}"
            if kind == "ours":
                builder.add_error(device, record, user=user, operation=operation, object="order__v")
            builder.add_pending(device, record, operation, "order__v", user=user, in_error=kind != "waiting")
            if has_follow_up and operation == "update":
                builder.add_pending(device, record, "update", "order__v", user=user, in_error=False)
        result = rehearse(store, ISSUE)
    assert result.candidates
    assert not [sentence for sentence in result.assumptions if "left out" in sentence]
    for row in result.candidates:
        assert row.freed + row.still_failing + row.lost == row.total
        assert row.as_predicted is not False, (row.name, row.summary)


VALUE_CAUSES = ["duplicate-record", "inactive-owner", "invalid-value", "payload-too-large", "picklist-value"]


@settings(max_examples=examples(10), deadline=None)
@given(st.lists(ROW, min_size=1, max_size=6), st.sampled_from(VALUE_CAUSES))
def test_value_causes_lose_what_is_predicted(rows, cause):
    """These causes do not refuse deletes, so some records of the issue cannot be reproduced."""
    with fresh_store() as store:
        builder = IssueStoreBuilder(store, cause)
        builder.add_stuck_record("ipad-1", "first", "create", "order__v")
        for number, (device, operation, kind, has_follow_up) in enumerate(rows):
            record = f"R{number}"
            if kind == "ours":
                builder.add_error(device, record, operation=operation, object="order__v")
            builder.add_pending(device, record, operation, "order__v", in_error=kind != "waiting")
            if has_follow_up and operation == "update":
                builder.add_pending(device, record, "update", "order__v", in_error=False)
        result = rehearse(store, ISSUE)
    assert result.best is not None and result.best.share == 1.0
    for row in result.candidates:
        assert row.freed + row.still_failing + row.lost == row.total
        assert row.as_predicted is not False, (row.name, row.summary)
