"""The sandbox uses what the store knows of the Vault, and the rehearsal reports what is assumed."""

from __future__ import annotations

import pytest

from rehearsal.run import rehearse
from tests.support.issue_store_builder import ISSUE, IssueStoreBuilder


def add_user(store, device, sets):
    store.execute(
        "INSERT INTO sync_user (user_id, as_of, permission_sets, source, batch_id) "
        "VALUES ($user, '2026-03-01', $sets, 't', 't')",
        {"user": f"user of {device}", "sets": sets},
    )


def add_field(store, object_name, name, kind, *, required=False, **more):
    row = {"max_length": None, "min_value": None, "max_value": None, "refers_to": None, "active": True} | more
    store.execute(
        "INSERT INTO object_field (object, name, as_of, type, required, max_length, min_value, max_value, "
        "refers_to, active, source, batch_id) VALUES ($object, $name, '2026-03-01', $kind, $required, "
        "$max_length, $min_value, $max_value, $refers_to, $active, 't', 't')",
        row | {"object": object_name, "name": name, "kind": kind, "required": required},
    )


def freed_by_fix(result):
    return {row.name: row.freed for row in result.candidates if row.kind == "fix"}


@pytest.fixture
def builder(store):
    builder = IssueStoreBuilder(store, "field-permission")
    for number in range(3):
        builder.add_stuck_record(f"ipad-{number}", f"A{number}", "update", "account__v", field="phone__v")
    return builder


def test_the_permission_is_granted_in_the_sets_of_the_store(store, builder):
    for number, granted in enumerate(["rep__c", "rep__c", "msl__c"]):
        add_user(store, f"ipad-{number}", granted)
    result = rehearse(store, ISSUE)
    assert freed_by_fix(result) == {
        "Grant Edit on account__v.phone__v in msl__c, rep__c": 3,
        "Grant Edit on account__v.phone__v in rep__c only": 2,
        "Grant Edit on account__v.phone__v in msl__c only": 1,
        "Sync again without a fix": 0,
    }
    assert result.assumptions[0] == (
        "The users have different permission sets (msl__c, rep__c), according to the store; only Edit permission on "
        "the field is missing."
    )


def test_one_permission_set_is_assumed_if_any_user_is_missing(store, builder):
    add_user(store, "ipad-0", "rep__c")
    result = rehearse(store, ISSUE)
    assert result.assumptions[0].startswith("All users are assumed to share one permission set;")
    assert "Grant Edit on account__v.phone__v" in freed_by_fix(result)


def test_missing_metadata_is_reported(store, builder):
    builder.add_pending("ipad-0", "V1", "create", "visit__c")
    builder.add_error("ipad-0", "V1", operation="create", object="visit__c")
    assumptions = rehearse(store, ISSUE).assumptions
    assert "The store has no metadata for account__v; the engine's default definition is used." in assumptions
    assert any(
        line.startswith("The store has no metadata for visit__c; a minimal definition")
        for line in assumptions
    )


def test_fields_are_read_from_the_store(store):
    builder = IssueStoreBuilder(store, "invalid-value")
    builder.add_stuck_record(
        "ipad-1", "V1", "create", "visit__c", field="score__c", message="The score exceeds the maximum of 10"
    )
    for name, kind, more in [
        ("score__c", "Number", {"min_value": 0, "max_value": 10}),
        ("where__c", "Relationship", {"required": True, "refers_to": "account__v"}),
        ("plan__c", "Object", {"required": True, "refers_to": "plan__c"}),
        ("keeper__c", "Object", {"required": True, "refers_to": "user__sys"}),
        ("day__c", "Date", {"required": True}),
        ("note__c", "LongText", {"required": True, "max_length": 32_000}),
        ("old__c", "String", {"required": True, "active": False}),
    ]:
        add_field(store, "visit__c", name, kind, **more)
    add_field(store, "plan__c", "visit__c", "Object", required=True, refers_to="visit__c")
    result = rehearse(store, ISSUE)
    assert not [line for line in result.assumptions if "no metadata" in line]
    assert freed_by_fix(result) == {
        "Correct the value of score__c on the device": 1,
        "Raise the limit of score__c": 1,
        "Sync again without a fix": 0,
    }


def test_a_device_has_the_platform_of_its_errors(store):
    builder = IssueStoreBuilder(store, "access-policy")
    for number in range(2):
        builder.add_error(f"device-{number}", message="user is granted Metadata API access", phase="connect")
    store.execute("UPDATE sync_error SET platform = 'Windows' WHERE device_id = 'device-1'")
    result = rehearse(store, ISSUE)
    assert (
        result.total == 1
        and "1 device of the issue cannot be reproduced and is left out." in result.assumptions
    )


def test_a_vmoc_has_its_name_from_the_store(store):
    IssueStoreBuilder(store, "sync-configuration").add_error(
        object="goal__c", message="the object does not exist"
    )
    store.execute(
        "INSERT INTO vmoc (vmoc_id, as_of, name, object, source, batch_id) "
        "VALUES ('V6C1', '2026-03-01', 'VMOC-000123', 'goal__c', 't', 't')"
    )
    result = rehearse(store, ISSUE)
    assert result.best.name == "Deactivate the VMOC of goal__c (VMOC-000123) and clear the cache"
