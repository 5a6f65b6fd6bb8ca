"""A recovery action deletes exactly the records that it lists, tried in the reference engine."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.fixes.recovery_actions import RecoveryAction, recovery_actions
from sync_engine.device import errors_tab
from sync_engine.device.edits import list_record_ids
from tests.conftest import fresh_store
from tests.support.engine_harness import EngineHarness
from tests.support.examples import examples


def action_of(harness, name) -> RecoveryAction:
    actions = recovery_actions(harness.store, device_id=harness.device.device_id)
    return next(action for action in actions if action.name == name)


@pytest.fixture
def harness(store):
    harness = EngineHarness(store)
    yield harness
    harness.close()


@pytest.fixture
def failing(harness):
    """Return a harness with a refused call and its child, a refused update and a refused delete."""
    accounts = list_record_ids(harness.device, "account__v")
    for right, name in (("create", "call2__v"), ("edit", "account__v"), ("delete", "account__v")):
        harness.deny(right, name)
    harness.create_call(accounts[0])
    harness.update(accounts[1])
    harness.delete(accounts[2])
    harness.sync()
    assert {entry.operation for entry in errors_tab.entries(harness.device)} == {"create", "update", "delete"}
    return harness


def test_clearing_deletes_exactly_the_listed_records(failing):
    action = action_of(failing, "clear_client_sync_errors__v")
    assert action.offered and len(action.lost_records) == 4
    before = failing.pending_ids()
    failing.set_flags(clear_client_sync_errors__v=True)
    failing.sync()
    assert before - failing.pending_ids() == set(action.lost_records["record_id"])
    assert {row["record_id"] for row in failing.device.get("lost")} == set(action.lost_records["record_id"])


def test_undo_deletes_exactly_the_listed_update(failing):
    action = action_of(failing, "undo")
    before = failing.pending_ids()
    for entry in errors_tab.entries(failing.device):
        if "undo" in entry.actions:
            errors_tab.undo(failing.device, entry.key)
    assert before - failing.pending_ids() == set(action.lost_records["record_id"]) != set()


def test_undelete_is_offered_if_the_device_offers_it_and_deletes_nothing(failing):
    assert action_of(failing, "undelete").offered and action_of(failing, "undelete").lost_records.empty


def test_a_refresh_is_offered_only_if_the_engine_runs_it(failing):
    assert not action_of(failing, "force_full_refresh__v").offered
    failing.set_flags(force_full_refresh__v=True)
    failing.sync()
    assert failing.device.get("refresh_wanted") == "forced"
    failing.set_flags(clear_client_sync_errors__v=True)
    failing.sync()
    assert not failing.device.get("refresh_wanted")
    assert action_of(failing, "force_full_refresh__v").offered


def test_a_healthy_device_is_offered_no_destructive_action(harness):
    harness.create_call(list_record_ids(harness.device, "account__v")[0])
    harness.sync()
    assert not harness.pending_ids()
    assert (
        not action_of(harness, "undo").offered
        and not action_of(harness, "clear_client_sync_errors__v").offered
    )


def undo_all(harness) -> None:
    for entry in errors_tab.entries(harness.device):
        if "undo" in entry.actions:
            with suppress(ValueError):  # another change of the record is queued behind the refused one
                errors_tab.undo(harness.device, entry.key)


def clear_errors(harness) -> None:
    harness.set_flags(clear_client_sync_errors__v=True)
    harness.sync()


# How to apply each destructive action in the engine.
APPLY = {"undo": undo_all, "clear_client_sync_errors__v": clear_errors}
EDITS = {
    "create call": EngineHarness.create_call,
    "update": EngineHarness.update,
    "update again": EngineHarness.update,
    "delete": EngineHarness.delete,
}
RIGHTS = [
    ("create", "call2__v"),
    ("create", "call2_detail__v"),
    ("edit", "account__v"),
    ("delete", "account__v"),
]


def test_every_destructive_action_is_applied_here(store):
    assert {action.name for action in recovery_actions(store, user_id="u") if action.destructive} == set(
        APPLY
    )


@pytest.mark.parametrize("name", APPLY)
@settings(max_examples=examples(6), deadline=None)
@given(
    early=st.lists(st.sampled_from(list(EDITS)), min_size=1, max_size=4),
    late=st.lists(st.sampled_from(list(EDITS)), max_size=2),
    forbidden=st.sets(st.sampled_from(RIGHTS), min_size=1),
)
def test_an_action_deletes_exactly_the_records_that_it_lists(name, early, late, forbidden):
    """Vault refuses some edits and accepts others, some of them after other errors."""
    with fresh_store() as store:
        harness = EngineHarness(store)
        try:
            same, *others = list_record_ids(harness.device, "account__v")
            accounts = iter(others)
            for right, object_name in sorted(forbidden):
                harness.deny(right, object_name)
            for edits in (early, late):
                for kind in edits:
                    EDITS[kind](harness, same if kind == "update again" else next(accounts))
                harness.sync()
            action, before = action_of(harness, name), harness.pending_ids()
            APPLY[name](harness)
            lost = before - harness.pending_ids()
        finally:
            harness.close()
    listed = set(action.lost_records["record_id"])
    if name == "undo" and [*early, *late].count("update again") > 1:
        assert (
            lost <= listed
        )  # the store has one row per record, so changes queued behind its error are not listed
    else:
        assert listed == (lost if action.offered else set())
    assert action.offered or name != "undo" or not lost
