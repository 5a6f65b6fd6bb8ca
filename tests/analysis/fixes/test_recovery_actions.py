"""A lever is offered when its precondition is seen, and shows exactly what it would lose."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import AnalysisError
from analysis.fixes.recovery_actions import LOST_COLUMNS, RecoveryAction, recovery_actions
from tests.conftest import fresh_store
from tests.support.examples import examples

NAMES = ["upload_vtrans__v", "undelete", "force_full_refresh__v", "undo", "clear_client_sync_errors__v"]


def wait(
    store, record_id, operation="update", *, device="ipad-1", user="u1", parent=None, in_error=True, at=9
):
    store.execute(
        "INSERT INTO pending_record (device_id, as_of, object, record_id, user_id, operation,"
        " parent_record_id, edited_at, in_error, source, batch_id)"
        " VALUES (?, make_timestamp(2026, 3, 2, ?, 0, 0), 'call2__v', ?, ?, ?, ?, '2026-03-01', ?, 't', 't')",
        [device, at, record_id, user, operation, parent, in_error],
    )


def ask(store, **scope) -> dict[str, RecoveryAction]:
    found = recovery_actions(store, **scope)
    assert [one.name for one in found] == NAMES, "levers without loss come first"
    return {one.name: one for one in found}


def lost(lever: RecoveryAction) -> set[str]:
    return set(lever.lost_records["record_id"])


def test_an_empty_store_offers_nothing_and_says_why(store):
    for lever in ask(store, device_id="ipad-1").values():
        assert not lever.offered and lever.reason and lever.lost_records.empty
        assert tuple(lever.lost_records.columns) == LOST_COLUMNS


def test_without_word_from_the_device_nothing_is_guessed(store):
    store.execute(
        "INSERT INTO sync_error (event_id, occurred_at, user_id, device_id, source, batch_id)"
        " VALUES ('e1', '2026-03-02', 'u1', 'ipad-1', 't', 't')"
    )
    found = ask(store, device_id="ipad-1")
    assert [name for name, lever in found.items() if lever.offered] == ["upload_vtrans__v"]
    assert "no word on what waits on this device" in found["clear_client_sync_errors__v"].reason


def test_a_refused_update_is_for_undo_and_nobody_needs_to_clear(store):
    wait(store, "C1")
    found = ask(store, device_id="ipad-1")
    assert found["undo"].offered and lost(found["undo"]) == {"C1"}
    assert not found["clear_client_sync_errors__v"].offered
    assert "Undo or Undelete can free all 1 record" in found["clear_client_sync_errors__v"].reason
    assert "does not run while errors exist" in found["force_full_refresh__v"].reason


def test_undo_takes_the_children_of_the_transaction_along(store):
    wait(store, "C1")
    wait(store, "S1", "create", parent="C1")
    wait(store, "S2", "create", parent="C1", in_error=False)
    assert lost(ask(store, device_id="ipad-1")["undo"]) == {"C1", "S1"}


def test_undelete_loses_nothing(store):
    wait(store, "C1", "delete")
    found = ask(store, device_id="ipad-1")
    assert found["undelete"].offered and found["undelete"].lost_records.empty


def test_a_refused_create_can_only_be_cleared_and_everything_in_error_goes_with_it(store):
    wait(store, "C1", "create")
    wait(store, "C2", "update")
    wait(store, "C3", "create", in_error=False)
    clear = ask(store, device_id="ipad-1")["clear_client_sync_errors__v"]
    assert clear.offered and clear.destructive and lost(clear) == {"C1", "C2"}
    assert "ask Veeva Support first" in clear.reason


def test_another_pending_upload_of_the_record_forbids_undo(store):
    wait(store, "C1", "update")
    store.execute("UPDATE pending_record SET object = 'call2__v'")
    wait(store, "C1", "update", in_error=False)
    found = ask(store, device_id="ipad-1")
    assert not found["undo"].offered and "another upload is pending" in found["undo"].reason
    assert found["clear_client_sync_errors__v"].offered


def test_a_flag_counts_all_devices_of_its_user_and_an_action_only_the_one_at_hand(store):
    wait(store, "C1", "create", device="ipad-1")
    wait(store, "C2", "update", device="ipad-2")
    wait(store, "C3", "create", device="ipad-3", user="u2")
    found = ask(store, device_id="ipad-1")
    assert lost(found["clear_client_sync_errors__v"]) == {"C1", "C2"}
    assert not found["undo"].offered
    assert lost(ask(store, user_id="u1")["undo"]) == {"C2"}


def fail(store, record_id, *, device="ipad-1", user="u1", issue="one", retryable="no", at="2026-03-02"):
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


def test_for_an_issue_only_users_who_need_it_lose_something_by_clearing(store):
    for number, operation in ((1, "create"), (2, "update")):
        wait(store, f"C{number}", operation, device=f"ipad-{number}", user=f"u{number}")
        fail(store, f"C{number}", device=f"ipad-{number}", user=f"u{number}")
    found = ask(store, issue_id="one")
    assert lost(found["clear_client_sync_errors__v"]) == {"C1"}
    assert found["undo"].devices == ("ipad-2",)


def test_an_issue_undoes_its_own_records_but_clearing_takes_those_of_others_along(store):
    for record, operation, issue in (
        ("C1", "update", "one"),
        ("C2", "update", "two"),
        ("C3", "create", "one"),
    ):
        wait(store, record, operation)
        fail(store, record, issue=issue)
    found = ask(store, issue_id="one")
    assert lost(found["undo"]) == {"C1"}
    assert lost(found["clear_client_sync_errors__v"]) == {"C1", "C2", "C3"}


def test_nothing_is_thrown_away_where_waiting_is_enough(store):
    wait(store, "C1", "create")
    fail(store, "C1", retryable="yes")
    found = ask(store, issue_id="one")
    assert not found["clear_client_sync_errors__v"].offered
    assert "may succeed by itself" in found["clear_client_sync_errors__v"].reason
    assert ask(store, device_id="ipad-1")["clear_client_sync_errors__v"].offered


def test_what_has_been_refused_for_a_day_can_be_undone_though_others_may_succeed_by_themselves(store):
    for record in ("C1", "C2"):
        wait(store, record, "update")
        fail(store, record, retryable="yes")
    fail(store, "C2", retryable="yes", at="2026-03-02 23:59:00")
    assert not ask(store, issue_id="one")["undo"].offered
    fail(store, "C1", retryable="yes", at="2026-03-03")
    found = ask(store, issue_id="one")
    assert lost(found["undo"]) == {"C1"}
    assert "refused for a day or longer" in found["undo"].reason


@pytest.mark.parametrize(("cause", "helps"), [("local-state-mismatch", True), ("validation-rule", False)])
def test_for_an_issue_a_refresh_is_offered_only_where_its_playbook_speaks_of_it(store, cause, helps):
    wait(store, "C2", in_error=False)
    fail(store, "C1")
    store.execute("UPDATE finding SET cause = ?", [cause])
    assert ask(store, issue_id="one")["force_full_refresh__v"].offered is helps
    assert ask(store, device_id="ipad-1")["force_full_refresh__v"].offered


def test_only_the_newest_word_of_a_device_counts(store):
    wait(store, "C1", "create", at=8)
    wait(store, "C2", "create", at=9, in_error=False)
    found = ask(store, device_id="ipad-1")
    assert not found["clear_client_sync_errors__v"].offered
    assert found["force_full_refresh__v"].offered and found["force_full_refresh__v"].devices == ("ipad-1",)


@pytest.mark.parametrize("scope", [{}, {"device_id": "a", "user_id": "b"}])
def test_one_scope_is_needed(store, scope):
    with pytest.raises(AnalysisError):
        recovery_actions(store, **scope)


def test_it_becomes_plain_values(store):
    wait(store, "C1", "create")
    plain = ask(store, device_id="ipad-1")["clear_client_sync_errors__v"].to_dict()
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
def test_what_is_lost_is_in_error_and_what_is_not_offered_loses_nothing(used_store, rows):
    store = used_store
    store.execute("DELETE FROM pending_record")
    for number, (operation, in_error, parent) in enumerate(rows):
        wait(store, f"R{number}", operation, in_error=in_error, parent=f"R{parent}" if parent else None)
    failing = {f"R{n}" for n, (_, in_error, _) in enumerate(rows) if in_error}
    for lever in recovery_actions(store, device_id="ipad-1"):
        assert lost(lever) <= failing
        assert lever.offered or lever.lost_records.empty
        assert lever.destructive or lever.lost_records.empty
        assert lever.reason
