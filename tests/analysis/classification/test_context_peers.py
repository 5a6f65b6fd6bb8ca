"""Context rules that compare an error with other devices, users and recent changes."""

from datetime import timedelta

import pytest

import ingest
from tests.support.context_rows import AT, NO_ACCESS, NOTHING, change, error, find_cause, member, synced

TIMED_OUT = {"error_type": "NSURLErrorDomain -1001", "message": "The request timed out.", "phase": "connect"}


def hours(*numbers):
    return [AT + timedelta(hours=n) for n in numbers]


def fleet(old, *, old_ok=False, newer="253.0.9"):
    """Six devices on `old` fail at noon and at six; six on a newer version sync between."""
    rows = [
        error(n, at=at, app_version=old, platform="iPad", **NOTHING | {"phase": "connect"})
        for n in range(6)
        for at in hours(0, 6)
    ]
    for n in range(6):
        rows += synced(n, at=AT + timedelta(hours=3), ok=old_ok, version=old)
        rows += synced(10 + n, at=AT + timedelta(hours=3), version=newer)
    return rows


def test_an_app_is_outdated_if_only_old_versions_fail_and_newer_ones_sync(store):
    cause, _, evidence = find_cause(store, *fleet("253.0.2", newer="253.0.10"))
    assert cause == "app-outdated"
    assert (
        "253.0.2 or older have this error, 6 of them since 2026-03-10 12:00 UTC, while 6 with newer versions"
        in evidence
    )


@pytest.mark.parametrize(
    ("old", "old_ok", "newer"), [("253.0.2", True, "253.0.10"), ("253.0.10", False, "253.0.2")]
)
def test_an_app_is_not_outdated_if_old_versions_sync_or_the_newest_fail(store, old, old_ok, newer):
    assert find_cause(store, *fleet(old, old_ok=old_ok, newer=newer))[2] == ""


def peers(affected_set, other_set, *, affected=6, others=8):
    rows = []
    for n in range(affected):
        at = AT + timedelta(minutes=n)
        rows += [
            error(n, at=at, object="call2__v", operation="create", **NO_ACCESS),
            member(n, affected_set),
            *synced(n),
        ]
    for n in range(affected, affected + others):
        rows += [member(n, other_set), *synced(n, at=AT + timedelta(minutes=2))]
    return rows


def test_an_error_of_all_users_with_one_permission_set_is_a_permission(store):
    cause, _, evidence = find_cause(store, *peers("msl__c,base__c", "rep__c,base__c"))
    assert cause == "object-permission"
    assert "All 6 affected users have permission set msl__c." in evidence
    assert "synced in the same period, 0 others with it and 8 without it do not have this error." in evidence


def test_a_permission_set_that_all_users_have_is_no_evidence(store):
    assert find_cause(store, *peers("base__c", "base__c"))[2] == ""


def test_two_affected_users_are_no_evidence(store):
    assert find_cause(store, *peers("msl__c", "rep__c", affected=2))[2] == ""


LIMIT = {
    "error_type": "API_LIMIT_EXCEEDED",
    "message": "The API burst limit was exceeded",
    "phase": "connect",
}


@pytest.mark.parametrize(
    ("after", "users", "cause"), [(4, (1, 2, 3), True), (9, (1, 2, 3), False), (4, (1,), False)]
)
def test_limit_errors_of_several_devices_explain_a_vague_error_in_the_same_minutes(
    store, after, users, cause
):
    limits = [error(n, at=AT + timedelta(minutes=after), **LIMIT) for n in users]
    assert (find_cause(store, error(0, **NOTHING), *limits)[0] == "rate-limit") is cause


def test_a_used_up_burst_limit_in_the_usage_log_is_evidence(store, tmp_path):
    log = tmp_path / "usage.csv"
    log.write_text(
        "timestamp,session_id,user_id,username,endpoint,api_response_status,api_response_error_type,"
        "execution_id,burst_limit_remaining,api_response_error_message\n"
        "2026-03-10T11:58:00.000Z,x,9,hub@example.com,/api/v26.2/query,FAILURE,INVALID_DATA,a1,0,Bad value\n"
    )
    ingest.load(log, store)
    assert "no calls left" in find_cause(store, error(0, **NOTHING))[2]
    early = AT - timedelta(minutes=30)
    assert find_cause(store, error(1, at=early, **NOTHING), n=1, at=early)[2] == ""


def test_limits_do_not_explain_an_error_on_one_record(store):
    limits = [error(n, **LIMIT) for n in (1, 2, 3)]
    assert find_cause(store, error(0, object="call2__v", operation="create", **NOTHING), *limits)[2] == ""


@pytest.mark.parametrize("begin", [0, 3, 6, 9])
def test_all_devices_of_an_outage_count_at_any_start_time(store, begin):
    rows = []
    for n in range(8):
        at = AT + timedelta(minutes=begin + n)
        rows += [
            error(n, at=at, **TIMED_OUT),
            *synced(n, at=at, ok=False, network=("wifi", "cellular")[n % 2]),
        ]
    for n in (0, 7):
        cause, _, evidence = find_cause(store, *rows, n=n, at=AT + timedelta(minutes=begin + n))
        assert cause == "server-unavailable"
        assert evidence.startswith("8 of the 8 devices")


def test_failures_spread_over_more_than_the_window_are_no_outage(store):
    rows = []
    for n in range(8):
        at = AT + timedelta(minutes=4 * n)
        rows += [
            error(n, at=at, **TIMED_OUT),
            *synced(n, at=at, ok=False, network=("wifi", "cellular")[n % 2]),
        ]
    assert find_cause(store, *rows)[::2] == ("network", "")


FUTURE = {"error_type": "INVALID_DATA", "object": "call2__v", "operation": "create", "field": "call_date__v"}


def skewed(*numbers, by=90):
    """Return syncs of device 0 that Vault saved at these hours from noon, with a clock that is ahead."""
    return [row for at in hours(*numbers) for row in synced(0, at=at + timedelta(hours=by), saved=at)]


def rejected(date):
    return FUTURE | {"message": f"A call with the future date [{date}] cannot be submitted"}


def test_a_rejected_date_before_the_device_time_proves_a_wrong_clock(store):
    at = AT + timedelta(hours=90)
    cause, _, evidence = find_cause(store, error(0, at=at, **rejected("2026-03-14")), *skewed(-2, -1), at=at)
    assert cause == "device-clock"
    assert "+90 h off" in evidence
    assert "the rejected date 2026-03-14 is allowed" in evidence


def test_an_old_record_that_fails_again_with_a_correct_clock_is_a_date_limit(store):
    rows = [*skewed(-30, -29), *synced(0, at=AT + timedelta(hours=1))]
    assert find_cause(store, error(0, **rejected("2026-03-13")), *rows)[::2] == ("date-limit", "")


def test_without_a_date_the_syncs_before_and_after_decide(store):
    undated = FUTURE | {"message": "The date may not be in the future"}
    assert find_cause(store, error(0, **undated), *skewed(-2, 2))[0] == "device-clock"
    correct = [*synced(0, at=AT - timedelta(hours=1)), *synced(0, at=AT + timedelta(hours=1))]
    assert find_cause(store, *correct)[0] == "date-limit"


def test_code_deployed_just_before_is_the_cause_and_reverted_code_is_not(store):
    rows = [error(n, object="call2__v", operation="create", **NOTHING) for n in range(2)]
    deployed = change("trigger", "call2__v", object="call2__v", before="active=False", after="active=True")
    cause, confidence, evidence = find_cause(store, *rows, deployed)
    assert (cause, confidence) == ("server-automation", 0.72)
    assert "trigger call2__v at 2026-03-09 12:00 UTC" in evidence
    reverted = change(
        "trigger", "call2__v", object="call2__v", after="active=False", at=AT - timedelta(hours=1)
    )
    assert find_cause(store, reverted)[::2] == ("unknown", "")


def test_a_change_of_the_same_field_has_priority_over_the_object(store):
    rows = [error(n, object="call2__v", operation="create", field="notes__v", **NOTHING) for n in range(2)]
    deployed = change("trigger", "call2__v", object="call2__v", after="active=True")
    stricter = change("field", "call2__v", object="call2__v", field="notes__v", after="{'required': True}")
    other = change("field", "call2__v", object="call2__v", field="other__v", after="{'required': True}")
    cause, _, evidence = find_cause(store, *rows, deployed, other, stricter)
    assert cause == "required-field"
    assert "on call2__v.notes__v in the 7 days" in evidence


def test_errors_that_recur_after_days_count_as_new(store):
    later = AT + timedelta(days=5)
    rows = [
        error(n, at=at, object="call2__v", operation="create", **NOTHING)
        for n in range(2)
        for at in (AT, later)
    ]
    rule = change(
        "validation_rule", "length__c", object="call2__v", after="active=True", at=later - timedelta(hours=9)
    )
    assert find_cause(store, *rows, rule, at=later)[0] == "validation-rule"
    assert find_cause(store)[0] == "unknown"
