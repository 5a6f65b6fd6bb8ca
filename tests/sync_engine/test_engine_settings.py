"""Settings as they reach a device, the cache that holds them back, and the limit on the size of a request."""

from __future__ import annotations

import pytest

from sync_engine.device.edits import amend
from sync_engine.lab import Lab
from sync_engine.model import an_object, text
from sync_engine.vault import admin, records
from sync_engine.vault.permissions import SETTINGS
from sync_engine.vmoc import vmoc

FILTER = "WHERE application_profile__v = @@USER_APP_PROFILE_ID@@ OR application_profile__v = null"


@pytest.fixture
def story():
    with Lab("ana") as made:
        yield made


def warns_after(story):
    story.sync()
    return story.devices["ana"].setting("sync_warn_interval__v")


def put_for(story, profile, value, where=FILTER):
    at = story.scheduler.now
    admin.set_profile_setting(story.vault, "sync_warn_interval__v", profile, value, at=at)
    admin.set_vmoc(story.vault, SETTINGS, vmoc(SETTINGS, "full_object__v", where=where), at=at)


def test_a_setting_of_the_users_profile_overrides_the_one_for_everybody(story):
    assert warns_after(story) == 3
    put_for(story, "rep__c", 7)
    assert warns_after(story) == 7


def test_a_setting_of_another_profile_stays_away_unless_nothing_filters(story):
    put_for(story, "msl__c", 30)
    assert warns_after(story) == 3
    put_for(story, "msl__c", 30, where="")
    assert warns_after(story) == 30


def test_who_may_not_read_one_field_of_the_settings_has_none(story):
    admin.set_field_right(story.vault, "rep__c", SETTINGS, "value__v", "read", False, at=story.scheduler.now)
    assert warns_after(story) is None


def test_a_setting_waits_for_the_cache_to_be_cleared(story):
    with story.vault.transaction():
        story.vault.configure("setting", "sync_warn_interval__v", {"value": 9})
    assert warns_after(story) == 3
    admin.clear_cache(story.vault, at=story.scheduler.now)
    assert warns_after(story) == 9
    assert [one.kind for one in admin.audit_trail(story.vault)] == ["cache"]


def test_a_record_that_is_too_large_blocks_only_itself(story):
    account = story.account("Dr Ruiz")
    story.sync()
    with story.vault.transaction():
        story.vault.configure("setting", "payload_limit_bytes", {"value": 5_000})
    heard = []
    story.vault.witness = lambda _, key, cause, __: heard.append((key is not None, cause))
    large = story.call("ana", account, signature__v="x" * 6_000)
    small = [story.call("ana", account) for _ in range(3)]
    assert story.sync() == [("ana", "EXCEEDS_FILE_MAX_SIZE")]
    assert [entry.record_id for entry in story.errors("ana")] == [large]
    assert heard[-1] == (True, "payload-too-large")
    assert all(records.find(story.vault, one) for one in small) and not records.find(story.vault, large)
    amend(story.devices["ana"], story.errors("ana")[0].key, large, {"signature__v": "x"})
    assert story.sync() == [] and records.find(story.vault, large)


def test_a_filter_by_profile_follows_a_change_of_profile(story):
    about = an_object("message__v", {"application_profile__v": text()}, sharing="public")
    own = vmoc("message__v", where="WHERE application_profile__v = @@USER_APP_PROFILE_ID@@")
    with story.vault.transaction():
        story.vault.configure("object", "message__v", about)
        story.vault.configure("vmoc", "message__v", own)
        story.vault.publish()
    made = {one: story.record("message__v", application_profile__v=one) for one in ("rep__c", "msl__c")}
    assert story.sync() == [] and story.sees("ana", made["rep__c"]) and not story.sees("ana", made["msl__c"])
    admin.set_user(story.vault, "ana", at=story.scheduler.now, application_profile="msl__c")
    assert story.sync() == [] and story.sees("ana", made["msl__c"]) and not story.sees("ana", made["rep__c"])
