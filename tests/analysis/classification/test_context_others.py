"""Who else fails, who does not, and what came before: comparisons settle what one error cannot say."""

from datetime import timedelta

import pytest

import ingest
from tests.support.context_rows import AT, NO_ACCESS, NOTHING, change, error, found, member, synced

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


def test_an_app_is_too_old_where_only_old_versions_fail_and_newer_ones_sync(store):
    cause, _, said = found(store, *fleet("253.0.2", newer="253.0.10"))
    assert cause == "app-outdated"
    assert (
        "253.0.2 or older have this error, 6 of them since 2026-03-10 12:00 UTC, while 6 with newer versions"
        in said
    )


@pytest.mark.parametrize(
    ("old", "old_ok", "newer"), [("253.0.2", True, "253.0.10"), ("253.0.10", False, "253.0.2")]
)
def test_an_app_is_not_too_old_where_old_ones_sync_too_or_the_newest_fail(store, old, old_ok, newer):
    assert found(store, *fleet(old, old_ok=old_ok, newer=newer))[2] == ""


def peers(hit_set, spared_set, *, hit=6, spared=8):
    rows = []
    for n in range(hit):
        at = AT + timedelta(minutes=n)
        rows += [
            error(n, at=at, object="call2__v", operation="create", **NO_ACCESS),
            member(n, hit_set),
            *synced(n),
        ]
    for n in range(hit, hit + spared):
        rows += [member(n, spared_set), *synced(n, at=AT + timedelta(minutes=2))]
    return rows


def test_a_refusal_that_follows_a_permission_set_and_spares_all_others_is_one_of_rights(store):
    cause, _, said = found(store, *peers("msl__c,base__c", "rep__c,base__c"))
    assert cause == "object-permission"
    assert "All 6 affected users have permission set msl__c." in said
    assert "synced in the same period, 0 others with it and 8 without it do not have this error." in said


def test_one_set_for_everybody_or_too_few_people_say_nothing_of_rights(store):
    assert found(store, *peers("base__c", "base__c"))[2] == ""


def test_two_people_say_nothing_of_rights(store):
    assert found(store, *peers("msl__c", "rep__c", hit=2))[2] == ""


LIMIT = {
    "error_type": "API_LIMIT_EXCEEDED",
    "message": "The API burst limit was exceeded",
    "phase": "connect",
}


@pytest.mark.parametrize(
    ("after", "users", "cause"), [(4, (1, 2, 3), True), (9, (1, 2, 3), False), (4, (1,), False)]
)
def test_several_devices_that_are_told_of_a_limit_explain_an_empty_error_of_those_minutes(
    store, after, users, cause
):
    told = [error(n, at=AT + timedelta(minutes=after), **LIMIT) for n in users]
    assert (found(store, error(0, **NOTHING), *told)[0] == "rate-limit") is cause


def test_the_usage_log_counts_what_is_left_of_the_burst_limit(store, tmp_path):
    log = tmp_path / "usage.csv"
    log.write_text(
        "timestamp,session_id,user_id,username,endpoint,api_response_status,api_response_error_type,"
        "execution_id,burst_limit_remaining,api_response_error_message\n"
        "2026-03-10T11:58:00.000Z,x,9,hub@example.com,/api/v26.2/query,FAILURE,INVALID_DATA,a1,0,Bad value\n"
    )
    ingest.load(log, store)
    assert "no calls left" in found(store, error(0, **NOTHING))[2]
    early = AT - timedelta(minutes=30)
    assert found(store, error(1, at=early, **NOTHING), n=1, at=early)[2] == ""


def test_limits_do_not_explain_an_error_about_one_record(store):
    told = [error(n, **LIMIT) for n in (1, 2, 3)]
    assert found(store, error(0, object="call2__v", operation="create", **NOTHING), *told)[2] == ""


@pytest.mark.parametrize("begin", [0, 3, 6, 9])
def test_a_crowd_counts_whole_wherever_the_clock_stands_when_it_begins(store, begin):
    rows = []
    for n in range(8):
        at = AT + timedelta(minutes=begin + n)
        rows += [
            error(n, at=at, **TIMED_OUT),
            *synced(n, at=at, ok=False, network=("wifi", "cellular")[n % 2]),
        ]
    for n in (0, 7):
        cause, _, said = found(store, *rows, n=n, at=AT + timedelta(minutes=begin + n))
        assert cause == "server-unavailable"
        assert said.startswith("8 of the 8 devices")


def test_a_crowd_thinner_than_the_window_is_none(store):
    rows = []
    for n in range(8):
        at = AT + timedelta(minutes=4 * n)
        rows += [
            error(n, at=at, **TIMED_OUT),
            *synced(n, at=at, ok=False, network=("wifi", "cellular")[n % 2]),
        ]
    assert found(store, *rows)[::2] == ("network", "")


FUTURE = {"error_type": "INVALID_DATA", "object": "call2__v", "operation": "create", "field": "call_date__v"}


def skewed(*offs, by=90):
    """Syncs of device 0 that Vault saved at these hours from noon, by a clock that is ahead."""
    return [row for at in hours(*offs) for row in synced(0, at=at + timedelta(hours=by), saved=at)]


def refused(date):
    return FUTURE | {"message": f"A call with the future date [{date}] cannot be submitted"}


def test_a_date_that_is_no_future_by_the_errors_own_time_proves_the_clock(store):
    at = AT + timedelta(hours=90)
    cause, _, said = found(store, error(0, at=at, **refused("2026-03-14")), *skewed(-2, -1), at=at)
    assert cause == "device-clock"
    assert "+90 h off" in said
    assert "the rejected date 2026-03-14 is allowed" in said


def test_a_record_of_the_wrong_days_that_fails_once_more_under_a_right_clock_is_a_date_limit(store):
    rows = [*skewed(-30, -29), *synced(0, at=AT + timedelta(hours=1))]
    assert found(store, error(0, **refused("2026-03-13")), *rows)[::2] == ("date-limit", "")


def test_syncs_that_are_off_before_and_after_speak_where_no_date_is_named(store):
    words = FUTURE | {"message": "The date may not be in the future"}
    assert found(store, error(0, **words), *skewed(-2, 2))[0] == "device-clock"
    right = [*synced(0, at=AT - timedelta(hours=1)), *synced(0, at=AT + timedelta(hours=1))]
    assert found(store, *right)[0] == "date-limit"


def test_code_deployed_on_the_object_just_before_is_named_and_what_was_taken_back_is_not(store):
    rows = [error(n, object="call2__v", operation="create", **NOTHING) for n in range(2)]
    deployed = change("trigger", "call2__v", object="call2__v", before="active=False", after="active=True")
    cause, confidence, said = found(store, *rows, deployed)
    assert (cause, confidence) == ("server-automation", 0.72)
    assert "trigger call2__v at 2026-03-09 12:00 UTC" in said
    back = change("trigger", "call2__v", object="call2__v", after="active=False", at=AT - timedelta(hours=1))
    assert found(store, back)[::2] == ("unknown", "")


def test_a_change_of_the_very_field_comes_before_those_of_the_whole_object(store):
    rows = [error(n, object="call2__v", operation="create", field="notes__v", **NOTHING) for n in range(2)]
    deployed = change("trigger", "call2__v", object="call2__v", after="active=True")
    stricter = change("field", "call2__v", object="call2__v", field="notes__v", after="{'required': True}")
    other = change("field", "call2__v", object="call2__v", field="other__v", after="{'required': True}")
    cause, _, said = found(store, *rows, deployed, other, stricter)
    assert cause == "required-field"
    assert "on call2__v.notes__v in the 7 days" in said


def test_errors_that_stay_away_for_days_begin_anew(store):
    later = AT + timedelta(days=5)
    rows = [
        error(n, at=at, object="call2__v", operation="create", **NOTHING)
        for n in range(2)
        for at in (AT, later)
    ]
    rule = change(
        "validation_rule", "length__c", object="call2__v", after="active=True", at=later - timedelta(hours=9)
    )
    assert found(store, *rows, rule, at=later)[0] == "validation-rule"
    assert found(store)[0] == "unknown"
