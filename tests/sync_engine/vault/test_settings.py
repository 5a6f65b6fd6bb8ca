"""Settings as they reach a device, the cache that holds them back, and the limit on the size of a request."""

from __future__ import annotations

import pytest

from sync_engine.device.edits import correct_refused_edit
from sync_engine.lab import Lab
from sync_engine.model import object_definition, text
from sync_engine.vault import admin, records
from sync_engine.vault.permissions import SETTINGS
from sync_engine.vmoc import vmoc

FILTER = "WHERE application_profile__v = @@USER_APP_PROFILE_ID@@ OR application_profile__v = null"


@pytest.fixture
def lab():
    with Lab("ana") as made:
        yield made


def warns_after(lab):
    lab.sync()
    return lab.devices["ana"].setting("sync_warn_interval__v")


def put_for(lab, profile, value, where=FILTER):
    at = lab.scheduler.now
    admin.set_profile_setting(lab.vault, "sync_warn_interval__v", profile, value, at=at)
    admin.set_vmoc(lab.vault, SETTINGS, vmoc(SETTINGS, "full_object__v", where=where), at=at)


def test_a_setting_of_the_users_profile_overrides_the_one_for_everybody(lab):
    assert warns_after(lab) == 3
    put_for(lab, "rep__c", 7)
    assert warns_after(lab) == 7


def test_a_setting_of_another_profile_stays_away_unless_nothing_filters(lab):
    put_for(lab, "msl__c", 30)
    assert warns_after(lab) == 3
    put_for(lab, "msl__c", 30, where="")
    assert warns_after(lab) == 30


def test_who_may_not_read_one_field_of_the_settings_has_none(lab):
    admin.set_field_permission(lab.vault, "rep__c", SETTINGS, "value__v", "read", False, at=lab.scheduler.now)
    assert warns_after(lab) is None


def test_a_setting_waits_for_the_cache_to_be_cleared(lab):
    with lab.vault.transaction():
        lab.vault.configure("setting", "sync_warn_interval__v", {"value": 9})
    assert warns_after(lab) == 3
    admin.clear_cache(lab.vault, at=lab.scheduler.now)
    assert warns_after(lab) == 9
    assert [one.kind for one in admin.audit_trail(lab.vault)] == ["cache"]


def test_a_record_that_is_too_large_blocks_only_itself(lab):
    account = lab.add_account("Dr Ruiz")
    lab.sync()
    with lab.vault.transaction():
        lab.vault.configure("setting", "payload_limit_bytes", {"value": 5_000})
    refusals = []
    lab.vault.on_refusal = lambda _, key, cause, __: refusals.append((key is not None, cause))
    large = lab.record_call("ana", account, signature__v="x" * 6_000)
    small = [lab.record_call("ana", account) for _ in range(3)]
    assert lab.sync() == [("ana", "EXCEEDS_FILE_MAX_SIZE")]
    assert [entry.record_id for entry in lab.errors("ana")] == [large]
    assert refusals[-1] == (True, "payload-too-large")
    assert all(records.find(lab.vault, one) for one in small) and not records.find(lab.vault, large)
    correct_refused_edit(lab.devices["ana"], lab.errors("ana")[0].key, large, {"signature__v": "x"})
    assert lab.sync() == [] and records.find(lab.vault, large)


def test_a_filter_by_profile_follows_a_change_of_profile(lab):
    definition = object_definition("message__v", {"application_profile__v": text()}, sharing="public")
    own = vmoc("message__v", where="WHERE application_profile__v = @@USER_APP_PROFILE_ID@@")
    with lab.vault.transaction():
        lab.vault.configure("object", "message__v", definition)
        lab.vault.configure("vmoc", "message__v", own)
        lab.vault.publish()
    made = {one: lab.add_record("message__v", application_profile__v=one) for one in ("rep__c", "msl__c")}
    assert lab.sync() == [] and lab.read("ana", made["rep__c"]) and not lab.read("ana", made["msl__c"])
    admin.set_user(lab.vault, "ana", at=lab.scheduler.now, application_profile="msl__c")
    assert lab.sync() == [] and lab.read("ana", made["msl__c"]) and not lab.read("ana", made["rep__c"])
