"""Races that long stress runs have exposed, each as a short test in the lab."""

from collections.abc import Iterator

import pytest

from sync_engine.device import errors_tab
from sync_engine.device.client import Device
from sync_engine.device.edits import correct_refused_edit
from sync_engine.lab import Lab
from sync_engine.vault import admin


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("ana", "ben") as one:
        yield one


@pytest.fixture
def ruiz(lab: Lab) -> str:
    account = lab.add_account("Dr Ruiz")
    lab.sync()
    return account


def _the_call(lab: Lab) -> str:
    (row,) = lab.vault.db.execute("SELECT id FROM record WHERE object = 'call2__v'").fetchall()
    return str(row[0])


def _allow(lab: Lab, name: str, allowed: bool) -> None:
    admin.set_field_permission(lab.vault, "rep__c", "account__v", name, "edit", allowed, at=1.0)


def test_a_later_edit_does_not_overtake_a_refused_one_of_the_same_record_under_its_other_name(lab, ruiz):
    mobile = lab.record_call("ana", ruiz)
    lab.sync("ana")
    lab.edit("ana", mobile, next_call_notes__v="x" * 900)
    lab.edit("ana", _the_call(lab), next_call_notes__v="short")
    assert lab.sync("ana") == [("ana", "INVALID_DATA")]
    assert (
        "short"
        not in lab.vault.db.execute("SELECT doc FROM record WHERE mobile_id = ?", (mobile,)).fetchone()[0]
    )
    assert lab.read("ana", mobile)["next_call_notes__v"] == "short"


def test_undo_sees_an_edit_that_waits_under_the_other_name_of_the_record(lab, ruiz):
    mobile = lab.record_call("ana", ruiz)
    lab.sync("ana")
    key = lab.edit("ana", mobile, next_call_notes__v="x" * 900)
    lab.sync("ana")
    lab.edit("ana", _the_call(lab), next_call_notes__v="short")
    with pytest.raises(ValueError, match="pending"):
        errors_tab.undo(lab.devices["ana"], key)


def _refused_then_sent_without_an_answer(lab: Lab, ruiz: str) -> tuple[Device, str]:
    """A refused edit that went out again and was accepted without an answer; then something else went out."""
    _allow(lab, "phone__v", False)
    key = lab.edit("ana", ruiz, phone__v="1")
    lab.sync("ana")
    _allow(lab, "phone__v", True)
    lab.replies_to_lose = 3
    lab.sync("ana")
    lab.record_call("ana", ruiz)
    lab.sync("ana", kind="autosync")
    return lab.devices["ana"], key


def test_an_answer_to_other_edits_says_nothing_of_one_that_is_on_its_way(lab, ruiz):
    device, key = _refused_then_sent_without_an_answer(lab, ruiz)
    with pytest.raises(ValueError, match="no answer yet"):
        correct_refused_edit(device, key, ruiz, {"phone__v": "2"})
    with pytest.raises(ValueError, match="pending"):
        errors_tab.undo(device, key)


def test_clearing_errors_spares_what_the_vault_may_have_by_now(lab, ruiz):
    device, _ = _refused_then_sent_without_an_answer(lab, ruiz)
    assert errors_tab.clear(device) == []
    assert lab.sync("ana") == []
    assert lab.read("ana", ruiz)["phone__v"] == "1"


def test_an_edit_laid_over_a_cleared_one_is_judged_by_what_its_user_could_see(lab, ruiz):
    lab.edit("ben", ruiz, phone__v="kept")
    lab.sync("ben")
    admin.set_field_permission(lab.vault, "rep__c", "account__v", "phone__v", "read", False, at=1.0)
    lab.sync("ana")
    lab.edit("ana", ruiz, phone__v="first")
    lab.edit("ana", ruiz, phone__v="second")
    admin.set_field_permission(lab.vault, "rep__c", "account__v", "phone__v", "read", True, at=2.0)
    assert lab.sync("ana") == [("ana", "OPERATION_NOT_ALLOWED")]
    errors_tab.clear(lab.devices["ana"])
    assert lab.sync("ana") == [("ana", "OPERATION_NOT_ALLOWED")], "her device has never seen what is there"
    assert '"kept"' in lab.vault.db.execute("SELECT doc FROM record WHERE id = ?", (ruiz,)).fetchone()[0]


def test_an_edit_laid_over_an_amended_one_is_no_conflict_with_it(lab, ruiz):
    _allow(lab, "phone__v", False)
    key = lab.edit("ana", ruiz, phone__v="1")
    lab.sync("ana")
    lab.edit("ana", ruiz, phone__v="2")
    _allow(lab, "phone__v", True)
    correct_refused_edit(lab.devices["ana"], key, ruiz, {"phone__v": "11"})
    assert lab.sync("ana") == []
    assert lab.read("ana", ruiz)["phone__v"] == "2"
