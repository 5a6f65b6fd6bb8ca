"""A recovery action is offered if its precondition is met, and lists the records whose changes it deletes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import AnalysisError
from analysis.fixes.recovery_actions import LOST_COLUMNS, RecoveryAction, recovery_actions
from tests.conftest import fresh_store
from tests.support.examples import examples

NAMES = ["upload_vtrans__v", "undelete", "force_full_refresh__v", "undo", "clear_client_sync_errors__v"]


def add_pending(
    store, record_id, operation="update", *, device="ipad-1", user="u1", parent=None, in_error=True, at=9
):
    store.execute(
        "INSERT INTO pending_record (device_id, as_of, object, record_id, user_id, operation,"
        " parent_record_id, edited_at, in_error, source, batch_id)"
        " VALUES (?, make_timestamp(2026, 3, 2, ?, 0, 0), 'call2__v', ?, ?, ?, ?, '2026-03-01', ?, 't', 't')",
        [device, at, record_id, user, operation, parent, in_error],
    )


def actions_of(store, **scope) -> dict[str, RecoveryAction]:
    actions = recovery_actions(store, **scope)
    assert [action.name for action in actions] == NAMES, "harmless actions come first"
    return {action.name: action for action in actions}


def lost(action: RecoveryAction) -> set[str]:
    return set(action.lost_records["record_id"])


def test_an_empty_store_offers_nothing_with_a_reason(store):
    for action in actions_of(store, device_id="ipad-1").values():
        assert not action.offered and action.reason and action.lost_records.empty
        assert tuple(action.lost_records.columns) == LOST_COLUMNS


def test_unknown_pending_records_are_not_guessed(store):
    store.execute(
        "INSERT INTO sync_error (event_id, occurred_at, user_id, device_id, source, batch_id)"
        " VALUES ('e1', '2026-03-02', 'u1', 'ipad-1', 't', 't')"
    )
    actions = actions_of(store, device_id="ipad-1")
    assert [name for name, action in actions.items() if action.offered] == ["upload_vtrans__v"]
    assert "Pending records on this device are unknown." in actions["clear_client_sync_errors__v"].reason


def sync_without_pending_uploads(store, at):
    store.execute(
        "INSERT INTO sync_tracking__v (id, created_by__v, sync_start_datetime__v, sync_completed_datetime__v,"
        " successful_sync__v, source, batch_id) VALUES ('s1', 'u1', ?, ?, true, 't', 't')",
        [at, at],
    )
    store.execute(
        "INSERT INTO sync_detail (sync_id, user_id, device_id, pending_uploads, source, batch_id)"
        " VALUES ('s1', 'u1', 'ipad-1', 0, 't', 't')"
    )


def refuse_record(store, at):
    store.execute(
        "INSERT INTO sync_error (event_id, occurred_at, user_id, device_id, record_id, source, batch_id)"
        " VALUES ('e1', ?, 'u1', 'ipad-1', 'C1', 't', 't')",
        [at],
    )


def test_a_record_refused_after_the_last_sync_makes_pending_records_unknown(store):
    sync_without_pending_uploads(store, "2026-03-02 08:00:00")
    refuse_record(store, "2026-03-01 08:00:00")
    assert actions_of(store, device_id="ipad-1")["force_full_refresh__v"].offered
    store.execute("UPDATE sync_error SET occurred_at = '2026-03-03 08:00:00'")
    actions = actions_of(store, device_id="ipad-1")
    for name in ("force_full_refresh__v", "undo", "undelete", "clear_client_sync_errors__v"):
        assert not actions[name].offered
        assert actions[name].reason == "Pending records on this device are unknown."


def test_undo_is_offered_for_a_refused_update_and_clearing_is_not(store):
    add_pending(store, "C1")
    actions = actions_of(store, device_id="ipad-1")
    assert actions["undo"].offered and lost(actions["undo"]) == {"C1"}
    assert not actions["clear_client_sync_errors__v"].offered
    assert "Undo or Undelete can free 1 record in error" in actions["clear_client_sync_errors__v"].reason
    assert "does not run while errors exist" in actions["force_full_refresh__v"].reason


def test_undo_includes_the_children_of_the_transaction(store):
    add_pending(store, "C1")
    add_pending(store, "S1", "create", parent="C1")
    add_pending(store, "S2", "create", parent="C1", in_error=False)
    assert lost(actions_of(store, device_id="ipad-1")["undo"]) == {"C1", "S1"}


def test_undelete_deletes_nothing(store):
    add_pending(store, "C1", "delete")
    actions = actions_of(store, device_id="ipad-1")
    assert actions["undelete"].offered and actions["undelete"].lost_records.empty


def test_a_refused_create_can_only_be_cleared_with_all_records_in_error(store):
    add_pending(store, "C1", "create")
    add_pending(store, "C2", "update")
    add_pending(store, "C3", "create", in_error=False)
    clear = actions_of(store, device_id="ipad-1")["clear_client_sync_errors__v"]
    assert clear.offered and clear.destructive and lost(clear) == {"C1", "C2"}
    assert "ask Veeva Support first" in clear.reason


def test_another_pending_upload_of_the_record_prevents_undo(store):
    add_pending(store, "C1", "update")
    store.execute("UPDATE pending_record SET object = 'call2__v'")
    add_pending(store, "C1", "update", in_error=False)
    actions = actions_of(store, device_id="ipad-1")
    assert not actions["undo"].offered and "another pending upload" in actions["undo"].reason
    assert actions["clear_client_sync_errors__v"].offered


def test_a_flag_counts_all_devices_of_its_user_and_undo_only_the_requested_one(store):
    add_pending(store, "C1", "create", device="ipad-1")
    add_pending(store, "C2", "update", device="ipad-2")
    add_pending(store, "C3", "create", device="ipad-3", user="u2")
    actions = actions_of(store, device_id="ipad-1")
    assert lost(actions["clear_client_sync_errors__v"]) == {"C1", "C2"}
    assert not actions["undo"].offered
    assert lost(actions_of(store, user_id="u1")["undo"]) == {"C2"}


def add_error(store, record_id, *, device="ipad-1", user="u1", issue="one", retryable="no", at="2026-03-02"):
    event = f"{issue}-{device}-{record_id}-{at}"
    store.execute(
        "INSERT INTO sync_error (event_id, occurred_at, user_id, device_id, object, record_id, source,"
        " batch_id) VALUES (?, ?, ?, ?, 'call2__v', ?, 't', 't')",
        [event, at, user, device, record_id],
    )
    store.execute(
        "INSERT INTO finding VALUES (?, ?, 'network', 0.9, 'r', [], [], ?, 'admin', 'c', 'g')",
        [event, issue, retryable],
    )


def test_clearing_for_an_issue_only_includes_users_who_need_it(store):
    for number, operation in ((1, "create"), (2, "update")):
        add_pending(store, f"C{number}", operation, device=f"ipad-{number}", user=f"u{number}")
        add_error(store, f"C{number}", device=f"ipad-{number}", user=f"u{number}")
    actions = actions_of(store, issue_id="one")
    assert lost(actions["clear_client_sync_errors__v"]) == {"C1"}
    assert actions["undo"].devices == ("ipad-2",)


def test_undo_for_an_issue_is_limited_to_its_records_and_clearing_is_not(store):
    for record, operation, issue in (
        ("C1", "update", "one"),
        ("C2", "update", "two"),
        ("C3", "create", "one"),
    ):
        add_pending(store, record, operation)
        add_error(store, record, issue=issue)
    actions = actions_of(store, issue_id="one")
    assert lost(actions["undo"]) == {"C1"}
    assert lost(actions["clear_client_sync_errors__v"]) == {"C1", "C2", "C3"}


def test_no_destructive_action_is_offered_if_a_retry_may_succeed(store):
    add_pending(store, "C1", "create")
    add_error(store, "C1", retryable="yes")
    actions = actions_of(store, issue_id="one")
    assert not actions["clear_client_sync_errors__v"].offered
    assert "may succeed on retry" in actions["clear_client_sync_errors__v"].reason
    assert actions_of(store, device_id="ipad-1")["clear_client_sync_errors__v"].offered


def test_undo_is_offered_for_records_refused_for_a_day_even_if_a_retry_may_succeed(store):
    for record in ("C1", "C2"):
        add_pending(store, record, "update")
        add_error(store, record, retryable="yes")
    add_error(store, "C2", retryable="yes", at="2026-03-02 23:59:00")
    assert not actions_of(store, issue_id="one")["undo"].offered
    add_error(store, "C1", retryable="yes", at="2026-03-03")
    actions = actions_of(store, issue_id="one")
    assert lost(actions["undo"]) == {"C1"}
    assert "refused for a day or longer" in actions["undo"].reason


@pytest.mark.parametrize(("cause", "helps"), [("local-state-mismatch", True), ("validation-rule", False)])
def test_a_refresh_for_an_issue_is_offered_only_if_its_playbook_includes_it(store, cause, helps):
    add_pending(store, "C2", in_error=False)
    add_error(store, "C1")
    store.execute("UPDATE finding SET cause = ?", [cause])
    assert actions_of(store, issue_id="one")["force_full_refresh__v"].offered is helps
    assert actions_of(store, device_id="ipad-1")["force_full_refresh__v"].offered


def test_only_the_newest_report_of_a_device_counts(store):
    add_pending(store, "C1", "create", at=8)
    add_pending(store, "C2", "create", at=9, in_error=False)
    actions = actions_of(store, device_id="ipad-1")
    assert not actions["clear_client_sync_errors__v"].offered
    assert actions["force_full_refresh__v"].offered and actions["force_full_refresh__v"].devices == (
        "ipad-1",
    )


@pytest.mark.parametrize("scope", [{}, {"device_id": "a", "user_id": "b"}])
def test_exactly_one_scope_is_required(store, scope):
    with pytest.raises(AnalysisError):
        recovery_actions(store, **scope)


def test_to_dict_returns_plain_values(store):
    add_pending(store, "C1", "create")
    plain = actions_of(store, device_id="ipad-1")["clear_client_sync_errors__v"].to_dict()
    assert plain["lost_records"][0]["edited_at"] == "2026-03-01T00:00:00"
    assert plain["lost_records"][0]["parent_record_id"] is None and plain["devices"] == ["ipad-1"]


records = st.lists(
    st.tuples(st.sampled_from(["create", "update", "delete"]), st.booleans(), st.integers(0, 3)), max_size=8
)


@pytest.fixture(scope="module")
def used_store():
    with fresh_store() as store:
        yield store


@settings(deadline=None, max_examples=examples(50))
@given(rows=records)
def test_lost_records_are_in_error_and_empty_if_not_offered(used_store, rows):
    store = used_store
    store.execute("DELETE FROM pending_record")
    for number, (operation, in_error, parent) in enumerate(rows):
        add_pending(
            store, f"R{number}", operation, in_error=in_error, parent=f"R{parent}" if parent else None
        )
    failing = {f"R{n}" for n, (_, in_error, _) in enumerate(rows) if in_error}
    for action in recovery_actions(store, device_id="ipad-1"):
        assert lost(action) <= failing
        assert action.offered or action.lost_records.empty
        assert action.destructive or action.lost_records.empty
        assert action.reason
