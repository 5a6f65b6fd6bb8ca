"""Races that long runs of faulty worlds have shown, each told as a short story."""

from collections.abc import Iterator

import pytest

from sync_engine.device import errors_tab
from sync_engine.device.client import Device
from sync_engine.device.edits import amend
from sync_engine.lab import Lab
from sync_engine.vault import admin


@pytest.fixture
def story() -> Iterator[Lab]:
    with Lab("ana", "ben") as one:
        yield one


@pytest.fixture
def ruiz(story: Lab) -> str:
    account = story.account("Dr Ruiz")
    story.sync()
    return account


def _the_call(story: Lab) -> str:
    (row,) = story.vault.db.execute("SELECT id FROM record WHERE object = 'call2__v'").fetchall()
    return str(row[0])


def _allow(story: Lab, name: str, allowed: bool) -> None:
    admin.set_field_right(story.vault, "rep__c", "account__v", name, "edit", allowed, at=1.0)


def test_a_later_edit_does_not_overtake_a_refused_one_of_the_same_record_under_its_other_name(story, ruiz):
    mobile = story.call("ana", ruiz)
    story.sync("ana")
    story.edit("ana", mobile, next_call_notes__v="x" * 900)
    story.edit("ana", _the_call(story), next_call_notes__v="short")
    assert story.sync("ana") == [("ana", "INVALID_DATA")]
    assert (
        "short"
        not in story.vault.db.execute("SELECT doc FROM record WHERE mobile_id = ?", (mobile,)).fetchone()[0]
    )
    assert story.sees("ana", mobile)["next_call_notes__v"] == "short"


def test_undo_sees_an_edit_that_waits_under_the_other_name_of_the_record(story, ruiz):
    mobile = story.call("ana", ruiz)
    story.sync("ana")
    key = story.edit("ana", mobile, next_call_notes__v="x" * 900)
    story.sync("ana")
    story.edit("ana", _the_call(story), next_call_notes__v="short")
    with pytest.raises(ValueError, match="pending"):
        errors_tab.undo(story.devices["ana"], key)


def _refused_then_sent_without_an_answer(story: Lab, ruiz: str) -> tuple[Device, str]:
    """A refused edit that went out again and was accepted without an answer; then something else went out."""
    _allow(story, "phone__v", False)
    key = story.edit("ana", ruiz, phone__v="1")
    story.sync("ana")
    _allow(story, "phone__v", True)
    story.lose_replies = 3
    story.sync("ana")
    story.call("ana", ruiz)
    story.sync("ana", kind="autosync")
    return story.devices["ana"], key


def test_an_answer_to_other_edits_says_nothing_of_one_that_is_on_its_way(story, ruiz):
    device, key = _refused_then_sent_without_an_answer(story, ruiz)
    with pytest.raises(ValueError, match="no answer yet"):
        amend(device, key, ruiz, {"phone__v": "2"})
    with pytest.raises(ValueError, match="pending"):
        errors_tab.undo(device, key)


def test_clearing_errors_spares_what_the_vault_may_have_by_now(story, ruiz):
    device, _ = _refused_then_sent_without_an_answer(story, ruiz)
    assert errors_tab.clear(device) == []
    assert story.sync("ana") == []
    assert story.sees("ana", ruiz)["phone__v"] == "1"


def test_an_edit_laid_over_a_cleared_one_is_judged_by_what_its_user_could_see(story, ruiz):
    story.edit("ben", ruiz, phone__v="kept")
    story.sync("ben")
    admin.set_field_right(story.vault, "rep__c", "account__v", "phone__v", "read", False, at=1.0)
    story.sync("ana")
    story.edit("ana", ruiz, phone__v="first")
    story.edit("ana", ruiz, phone__v="second")
    admin.set_field_right(story.vault, "rep__c", "account__v", "phone__v", "read", True, at=2.0)
    assert story.sync("ana") == [("ana", "OPERATION_NOT_ALLOWED")]
    errors_tab.clear(story.devices["ana"])
    assert story.sync("ana") == [("ana", "OPERATION_NOT_ALLOWED")], "her device has never seen what is there"
    assert '"kept"' in story.vault.db.execute("SELECT doc FROM record WHERE id = ?", (ruiz,)).fetchone()[0]


def test_an_edit_laid_over_an_amended_one_is_no_conflict_with_it(story, ruiz):
    _allow(story, "phone__v", False)
    key = story.edit("ana", ruiz, phone__v="1")
    story.sync("ana")
    story.edit("ana", ruiz, phone__v="2")
    _allow(story, "phone__v", True)
    amend(story.devices["ana"], key, ruiz, {"phone__v": "11"})
    assert story.sync("ana") == []
    assert story.sees("ana", ruiz)["phone__v"] == "2"
