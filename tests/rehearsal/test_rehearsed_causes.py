"""For every cause with a recipe, the best fix frees the records, and doing nothing frees none."""

from __future__ import annotations

import pytest

from analysis.fixes.playbook import playbook_causes
from rehearsal.run import NOT_REHEARSED, RECIPES, rehearse
from tests.support.issue_store_builder import ISSUE, IssueStoreBuilder

RECORDS = [
    ("field-permission", ["update", "create"], "account__v", "phone__v"),
    ("field-permission", ["update"], "special__c", "size__c"),
    ("field-permission", ["create"], "call2__v", "account__v"),
    ("object-permission", ["create"], "call2_sample__v", None),
    ("object-permission", ["update", "delete"], "account__v", None),
    ("validation-rule", ["create", "update"], "call2__v", None),
    ("record-locked", ["update", "delete"], "call2__v", None),
    ("record-locked", ["update"], "special__c", None),
    ("concurrent-change", ["update"], "account__v", "specialty__v"),
    ("concurrent-change", ["update"], "address__v", "primary__v"),
    ("record-deleted", ["update", "delete"], "account__v", None),
    ("record-deleted", ["create"], "call2__v", "account__v"),
    ("delete-blocked", ["delete"], "account__v", None),
    ("delete-blocked", ["delete"], "special__c", None),
    ("required-field", ["create", "update"], "medical_insight__v", "summary__v"),
    ("required-field", ["create"], "call2__v", "account__v"),
    ("required-field", ["create"], "special__c", None),
    ("picklist-value", ["create", "update"], "medical_insight__v", "interest_level__v"),
    ("picklist-value", ["create"], "special__c", "kind__c"),
    ("record-visibility", ["update", "delete"], "account__v", None),
    ("record-visibility", ["create"], "order__v", "account__v"),
    ("schema-mismatch", ["create", "update"], "account__v", "old_field__c"),
    ("schema-mismatch", ["update"], "account__v", "phone__v"),
    ("server-automation", ["create", "update"], "order__v", None),
    ("invalid-reference", ["create"], "call2__v", "account__v"),
    ("date-limit", ["create", "update"], "call2__v", "call_date__v"),
    ("device-clock", ["create", "update"], "call2__v", None),
    ("duplicate-record", ["create", "update"], "account__v", "email__v"),
    ("duplicate-record", ["create"], "special__c", "code__c"),
    ("duplicate-record", ["create"], "call2__v", None),
    ("invalid-value", ["create", "update"], "call2_sample__v", "quantity__v"),
    ("invalid-value", ["create", "update"], "call2__v", "next_call_notes__v"),
    ("invalid-value", ["create"], "special__c", None),
    ("inactive-owner", ["create", "update"], "account__v", "ownerid__v"),
    ("inactive-owner", ["create"], "special__c", "keeper__c"),
    ("inactive-owner", ["create"], "order__v", None),
    ("payload-too-large", ["create", "update"], "call2__v", "signature__v"),
    ("payload-too-large", ["create"], "special__c", None),
]
DEVICES = [
    ("network", {"error_type": "NSURLErrorDomain -1001", "phase": "connect"}),
    ("server-unavailable", {"error_type": "HTTP_503"}),
    ("rate-limit", {"error_type": "HTTP_429"}),
    ("device-storage-full", {"error_type": "SQLITE_FULL", "phase": "download"}),
    ("session-expired", {"error_type": "INVALID_SESSION_ID"}),
    ("password-expired", {"error_type": "PASSWORD_CHANGE_REQUIRED", "operation": "sign_in"}),
    ("sign-in-failed", {"error_type": "USERNAME_OR_PASSWORD_INCORRECT"}),
    ("sign-in-failed", {"error_type": "INACTIVE_USER"}),
    ("sign-in-failed", {"error_type": "USER_LOCKED_OUT"}),
    ("sync-configuration", {"object": "goal__c", "message": "the object [goal__c] does not exist"}),
    ("sync-configuration", {"object": "account__v", "message": "the WHERE clause cannot be read"}),
    ("sync-configuration", {"object": "account__v", "error_type": "TOO_MANY_ACCOUNTS"}),
    ("access-policy", {"message": "user is granted Metadata API access"}),
    ("access-policy", {"message": "not licensed for permission [VaultActions_API_Access]"}),
    ("access-policy", {"error_type": "CONFIGURATION_MODE_ENABLED"}),
    ("server-quota", {"error_type": "OPERATION_NOT_ALLOWED"}),
    ("app-outdated", {"error_type": "OPERATION_NOT_ALLOWED"}),
    ("field-permission", {"object": "account__v", "field": "modified_date__v", "operation": "query"}),
    ("payload-too-large", {"error_type": "HTTP_413", "phase": "upload"}),
    ("tls-certificate", {"error_type": "NSURLErrorDomain -1202", "phase": "connect"}),
    ("device-clock", {"error_type": "CLOCK_SKEW", "phase": "connect"}),
    ("app-suspended", {"error_type": "NSURLErrorDomain -997", "phase": "download"}),
    ("local-database-busy", {"error_type": "SQLITE_BUSY", "phase": "download"}),
    ("local-state-mismatch", {"error_type": "NSCocoaErrorDomain 134100", "phase": "apply"}),
]


def summaries(result):
    return [(candidate.name, candidate.summary) for candidate in result.candidates]


def check(result, total):
    assert result.reason is None and result.total == total
    assert result.best is not None and result.best.kind == "fix", summaries(result)
    assert result.best.freed >= 0.95 * total and result.best.lost == 0, summaries(result)
    (control,) = [row for row in result.candidates if row.name.startswith("Sync again")]
    assert (control.freed, control.still_failing, control.lost) == (0, total, 0), summaries(result)
    for row in result.candidates:
        assert row.freed + row.still_failing + row.lost == row.total == total


@pytest.mark.parametrize(("cause", "operations", "name", "field"), RECORDS)
def test_the_best_fix_frees_the_records(store, cause, operations, name, field):
    builder = IssueStoreBuilder(store, cause)
    for number in range(2):
        for operation in operations:
            builder.add_stuck_record(f"ipad-{number}", f"{operation}-{number}", operation, name, field=field)
    check(rehearse(store, ISSUE), 2 * len(operations))


@pytest.mark.parametrize(("cause", "attributes"), DEVICES)
def test_the_best_fix_frees_the_devices(store, cause, attributes):
    builder = IssueStoreBuilder(store, cause)
    for number in range(3):
        builder.add_error(f"ipad-{number}", **attributes)
    if cause != "local-state-mismatch":  # its fix is a refresh, which needs an empty Errors tab
        builder.add_pending("ipad-0", "held", "create", "call2__v")
    result = rehearse(store, ISSUE)
    assert result.unit == "devices"
    check(result, 3)


def test_every_recipe_is_tested():
    assert set(RECIPES) == {cause for cause, *_ in RECORDS} | {cause for cause, _ in DEVICES}


def test_every_cause_has_a_recipe_or_a_reason():
    assert set(RECIPES) | set(NOT_REHEARSED) == playbook_causes() and not set(RECIPES) & set(NOT_REHEARSED)
    assert all(reason.endswith(".") for reason in NOT_REHEARSED.values())


def test_a_vmoc_change_has_no_effect_until_the_cache_is_cleared(store):
    IssueStoreBuilder(store, "sync-configuration").add_error(
        object="goal__c", message="the object does not exist"
    )
    by_name = {row.name: row.freed for row in rehearse(store, ISSUE).candidates}
    assert by_name["Deactivate the VMOC of goal__c and clear the cache"] == 1
    assert by_name["Deactivate the VMOC of goal__c without clearing the cache"] == 0


def test_a_call_and_its_children_are_stuck_and_freed_together(store):
    builder = IssueStoreBuilder(store, "object-permission")
    builder.add_error("ipad-1", "S1", operation="create", object="call2_sample__v")
    builder.add_pending("ipad-1", "C1", "create", "call2__v")
    builder.add_pending("ipad-1", "S1", "create", "call2_sample__v", parent="C1")
    builder.add_pending("ipad-1", "S2", "create", "call2_sample__v", parent="C1")
    check(rehearse(store, ISSUE), 3)


@pytest.mark.parametrize("cause", NOT_REHEARSED)
def test_a_cause_without_a_recipe_returns_its_reason(store, cause):
    IssueStoreBuilder(store, cause).add_error()
    result = rehearse(store, ISSUE)
    assert result.candidates == () and result.total == 0 and result.best is None
    assert result.reason == NOT_REHEARSED[cause]


def freed_by_fix(store, **attributes):
    builder = IssueStoreBuilder(store, attributes.pop("cause"))
    builder.add_stuck_record("ipad-1", "C1", "create", "call2__v", **attributes)
    return {row.name: row.freed for row in rehearse(store, ISSUE).candidates if row.kind == "fix"}


def test_setting_the_clock_does_not_fix_dates_entered_before(store):
    freed = freed_by_fix(store, cause="device-clock")
    assert freed["Only set date and time automatically"] == 0
    assert freed["Set date and time automatically, and correct the dates of the calls"] == 1


def test_a_higher_backdate_limit_does_not_fix_future_calls(store):
    freed = freed_by_fix(store, cause="date-limit", message="A call with the future date cannot be submitted")
    assert list(freed) == ["Correct the dates of the calls on the device", "Sync again without a fix"]


def test_a_date_limit_without_calls_is_not_rehearsed(store):
    IssueStoreBuilder(store, "date-limit").add_stuck_record("ipad-1", "O1", "create", "order__v")
    assert "blocks no call" in str(rehearse(store, ISSUE).reason)


def test_a_device_whose_errors_are_open_cannot_refresh_its_database(store):
    builder = IssueStoreBuilder(store, "local-state-mismatch")
    builder.add_error("ipad-1", phase="apply")
    builder.add_error("ipad-2", phase="apply")
    builder.add_pending("ipad-2", "held", "update")
    by_name = {row.name: row for row in rehearse(store, ISSUE).candidates}
    refreshed = by_name["Refresh the whole database on the device"]
    assert (refreshed.freed, refreshed.still_failing) == (1, 1)


def test_a_conflict_without_an_update_is_not_rehearsed(store):
    IssueStoreBuilder(store, "concurrent-change").add_stuck_record("ipad-1", "A1", "create", "account__v")
    result = rehearse(store, ISSUE)
    assert not result.candidates and "blocks no update" in str(result.reason)


def test_an_error_without_a_user_or_a_device_is_not_rehearsed(store):
    IssueStoreBuilder(store, "network").add_error()
    store.execute("UPDATE sync_error SET device_id = NULL, user_id = NULL")
    assert "names a user or a device" in str(rehearse(store, ISSUE).reason)


def test_a_user_without_a_device_gets_an_assumed_one(store):
    builder = IssueStoreBuilder(store, "sign-in-failed")
    for user in ("ana", "ben", "ben"):
        builder.add_error(user=user, error_type="USERNAME_OR_PASSWORD_INCORRECT", operation="sign_in")
    store.execute("UPDATE sync_error SET device_id = NULL, platform = 'Unknown'")
    result = rehearse(store, ISSUE)
    assert result.best.summary == "frees 2 of 2 devices"
    assert "Errors of 2 users name no device; one device per user is assumed." in result.assumptions


@pytest.mark.parametrize(
    ("message", "is_tried"),
    [
        ("Value [-4] of field [stock__c] must be between [0] and [90]", False),
        ("Value [95] of field [stock__c] must be between [0] and [90]", True),
        ("The value of field [stock__c] exceeds the maximum length of [80]", True),
        ("stock__c: text is too long", True),
        ("stock__c: 'ab' is not a number", False),
        ("stock__c is invalid", False),
    ],
)
def test_a_higher_limit_is_tried_only_for_values_above_the_limit(store, message, is_tried):
    builder = IssueStoreBuilder(store, "invalid-value")
    builder.add_stuck_record("ipad-1", "r1", "create", "call2__v", field="stock__c", message=message)
    result = rehearse(store, ISSUE)
    assert any(row.name == "Raise the limit of stock__c" for row in result.candidates) == is_tried
    assert any("not tried" in sentence for sentence in result.assumptions) == (not is_tried)


def test_no_vmoc_is_invented_for_a_sync_configuration_without_an_object(store):
    builder = IssueStoreBuilder(store, "sync-configuration")
    builder.add_error(
        "ipad-1", message="The server address depot.example.invalid is not known", phase="login"
    )
    result = rehearse(store, ISSUE)
    assert not result.candidates and "unknown which VMOC is wrong" in result.reason


def add_change(store, change, at, kind, target, **columns):
    columns = {"change_id": change, "changed_at": at, "kind": kind, "target": target} | columns
    names = ", ".join((*columns, "source", "batch_id"))
    store.execute(
        f"INSERT INTO config_change ({names}) VALUES ({', '.join('?' * (len(columns) + 2))})",
        [*columns.values(), "t", "t"],
    )


def test_merge_processing_is_rehearsed_if_the_errors_name_merged_accounts(store):
    builder = IssueStoreBuilder(store, "record-deleted")
    for number in range(2):
        builder.add_stuck_record(
            f"ipad-{number}", f"call-{number}", "create", "call2__v", field="account__v",
            message="The record V7711 does not exist",
        )  # fmt: skip
    add_change(
        store, "m", "2020-01-01", "object", "account__v", object="account__v", before="V7711", after="V7712",
        detail="account merge",
    )  # fmt: skip
    result = rehearse(store, ISSUE)
    assert result.best.name.startswith("Set disable_veeva_merge__v to false,"), result.to_text()
    assert result.best.freed == 2


def test_a_rollback_is_rehearsed_if_the_errors_name_the_version(store):
    builder = IssueStoreBuilder(store, "local-database-busy")
    builder.add_error(
        "ipad-1", message="App 31.2.7: database is locked", error_type="SQLITE_BUSY", phase="download"
    )
    add_change(store, "v", "2020-01-01", "app_version", "31.2.7", before="31.1.0", after="31.2.7")
    freed = {row.name: row.freed for row in rehearse(store, ISSUE).candidates}
    assert freed["Roll back app version 31.2.7 to 31.1.0"] == 1
    assert not any(name.startswith("Roll back") for name in summaries_of_another_cause(store))


def summaries_of_another_cause(store):
    store.execute("UPDATE finding SET cause = 'network'")
    return [row.name for row in rehearse(store, ISSUE).candidates]
