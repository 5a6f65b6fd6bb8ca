"""What the store knows of the Vault is rebuilt: permission sets, fields, platforms; and what it does not is said."""

from __future__ import annotations

import pytest

from rehearsal.run import rehearse
from tests.support.issue_store_builder import ISSUE, IssueStoreBuilder


def knows_user(store, device, sets):
    store.execute(
        "INSERT INTO sync_user (user_id, as_of, permission_sets, source, batch_id) "
        "VALUES ($user, '2026-03-01', $sets, 't', 't')",
        {"user": f"user of {device}", "sets": sets},
    )


def knows_field(store, object_name, name, kind, *, required=False, **more):
    row = {"max_length": None, "min_value": None, "max_value": None, "refers_to": None, "active": True} | more
    store.execute(
        "INSERT INTO object_field (object, name, as_of, type, required, max_length, min_value, max_value, "
        "refers_to, active, source, batch_id) VALUES ($object, $name, '2026-03-01', $kind, $required, "
        "$max_length, $min_value, $max_value, $refers_to, $active, 't', 't')",
        row | {"object": object_name, "name": name, "kind": kind, "required": required},
    )


def fixes(found):
    return {one.name: one.freed for one in found.candidates if one.kind == "fix"}


@pytest.fixture
def ward(store):
    made = IssueStoreBuilder(store, "field-permission")
    for at in range(3):
        made.add_stuck_record(f"ipad-{at}", f"A{at}", "update", "account__v", field="phone__v")
    return made


def test_the_right_is_given_back_in_the_sets_that_the_store_names(store, ward):
    for at, granted in enumerate(["rep__c", "rep__c", "msl__c"]):
        knows_user(store, f"ipad-{at}", granted)
    found = rehearse(store, ISSUE)
    assert fixes(found) == {
        "Give Edit on account__v.phone__v back in msl__c, rep__c": 3,
        "Give Edit on account__v.phone__v back in rep__c alone": 2,
        "Give Edit on account__v.phone__v back in msl__c alone": 1,
        "Only sync again": 0,
    }
    assert found.assumptions[0] == (
        "The users have different permission sets (msl__c, rep__c), as the store says; only Edit on the field is "
        "missing there."
    )


def test_sets_that_are_not_known_of_everybody_are_assumed(store, ward):
    knows_user(store, "ipad-0", "rep__c")
    found = rehearse(store, ISSUE)
    assert found.assumptions[0].startswith("All users are taken to share one permission set;")
    assert "Give Edit on account__v.phone__v back" in fixes(found)


def test_metadata_that_is_missing_is_said(store, ward):
    ward.add_pending("ipad-0", "V1", "create", "visit__c")
    ward.add_error("ipad-0", "V1", operation="create", object="visit__c")
    told = rehearse(store, ISSUE).assumptions
    assert "The store has no metadata for account__v; the engine's default definition is used." in told
    assert any(
        line.startswith("The store has no metadata for visit__c; a minimal definition") for line in told
    )


def test_fields_are_those_of_the_store(store):
    ward = IssueStoreBuilder(store, "invalid-value")
    ward.add_stuck_record("ipad-1", "V1", "create", "visit__c", field="score__c")
    for name, kind, more in [
        ("score__c", "Number", {"min_value": 0, "max_value": 10}),
        ("where__c", "Relationship", {"required": True, "refers_to": "account__v"}),
        ("plan__c", "Object", {"required": True, "refers_to": "plan__c"}),
        ("keeper__c", "Object", {"required": True, "refers_to": "user__sys"}),
        ("day__c", "Date", {"required": True}),
        ("note__c", "LongText", {"required": True, "max_length": 32_000}),
        ("old__c", "String", {"required": True, "active": False}),
    ]:
        knows_field(store, "visit__c", name, kind, **more)
    knows_field(store, "plan__c", "visit__c", "Object", required=True, refers_to="visit__c")
    found = rehearse(store, ISSUE)
    assert not [line for line in found.assumptions if "no metadata" in line]
    assert fixes(found) == {
        "Correct the value of score__c on the device": 1,
        "Widen what score__c allows": 1,
        "Only sync again": 0,
    }


def test_a_device_is_of_the_kind_that_its_errors_name(store):
    ward = IssueStoreBuilder(store, "access-policy")
    for at in range(2):
        ward.add_error(f"device-{at}", message="user is granted Metadata API access", phase="connect")
    store.execute("UPDATE sync_error SET platform = 'Windows' WHERE device_id = 'device-1'")
    found = rehearse(store, ISSUE)
    assert (
        found.total == 1 and "1 device of the issue cannot be rebuilt and is left out." in found.assumptions
    )


def test_a_vmoc_is_called_as_the_store_calls_it(store):
    IssueStoreBuilder(store, "sync-configuration").add_error(
        object="goal__c", message="the object does not exist"
    )
    store.execute(
        "INSERT INTO vmoc (vmoc_id, as_of, name, object, source, batch_id) "
        "VALUES ('V6C1', '2026-03-01', 'VMOC-000123', 'goal__c', 't', 't')"
    )
    found = rehearse(store, ISSUE)
    assert found.best.name == "Make the VMOC of goal__c (VMOC-000123) inactive and clear the cache"
