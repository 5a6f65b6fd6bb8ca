"""A suggested fix includes evidence: affected users, shared attributes, changes, pending records, data gaps."""

from __future__ import annotations

import json

import pytest

from analysis import AnalysisError, list_issues
from analysis.base.text import format_p_value
from analysis.fixes.rendering import (
    evidence_lines,
    fix_summary,
    fix_to_dict,
    render_fix,
    resolution_line,
)
from analysis.fixes.suggestion import suggest_fix


def add_user(store, user, sets="base__c", country="DE"):
    store.execute(
        "INSERT INTO sync_user (user_id, as_of, active, permission_sets, country, source, batch_id)"
        " VALUES (?, '2026-01-01', true, ?, ?, 't', 't')",
        [user, sets, country],
    )
    store.execute(
        "INSERT INTO sync_tracking__v (id, created_by__v, sync_start_datetime__v, successful_sync__v, source,"
        " batch_id) VALUES (?, ?, '2026-02-01', true, 't', 't')",
        [f"s-{user}", user],
    )


def add_error(store, number, user, *, cause="field-permission", side="admin", at="2026-03-02 10:00:00"):
    store.execute(
        "INSERT INTO sync_error (event_id, occurred_at, user_id, device_id, phase, operation, object,"
        " record_id, field, error_type, message, source, batch_id) VALUES (?, ?, ?, ?, 'upload', 'update',"
        " 'call2__v', ?, 'signature__v', 'INSUFFICIENT_ACCESS', 'No <b>edit</b>', 't', 't')",
        [f"e{number}", at, user, f"ipad-{user}", f"R{number}"],
    )
    store.execute(
        "INSERT INTO finding VALUES (?, 'one', ?, 0.9, 'r', [], ['Others may edit it.'], 'no', ?, 'c', 'g')",
        [f"e{number}", cause, side],
    )


def add_change(store, change, *, at="2026-03-02 08:00:00", kind="permission_set", **columns):
    names = ["change_id", "changed_at", "kind", "source", "batch_id", *columns]
    store.execute(
        f"INSERT INTO config_change ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
        [change, at, kind, "t", "t", *columns.values()],
    )


@pytest.fixture
def case(store):
    """Four users of one permission set cannot edit a field; six other users are unaffected."""
    for number in range(10):
        add_user(store, f"u{number}", "base__c, rep_de__c" if number < 4 else "base__c")
        if number < 4:
            add_error(store, number, f"u{number}")
    return store


def test_it_has_counts_and_the_values_in_the_errors(case):
    fix = suggest_fix(case, "one")
    assert (fix.events, fix.users, fix.devices) == (4, 4, 4)
    assert fix.named_values["object"] == ("call2__v",) and fix.named_values["field"] == ("signature__v",)
    assert fix.cause == "field-permission" and fix.confidence == pytest.approx(0.9)
    assert fix.who == "Admin"
    assert fix.where == "Admin > Users & Groups > Permission Sets > rep_de__c > Objects > call2__v"
    assert fix.evidence == ("Others may edit it.",) and fix.message == "No <b>edit</b>"


def test_it_finds_the_permission_set_that_only_affected_users_share(case):
    shared = [
        (attribute.attribute, attribute.value) for attribute in suggest_fix(case, "one").shared_attributes
    ]
    assert shared == [("permission_set", "rep_de__c")]


def test_two_users_are_too_few_to_compare(store):
    for number in range(6):
        add_user(store, f"u{number}", "rare__c" if number < 2 else "base__c")
    add_error(store, 0, "u0")
    add_error(store, 1, "u1")
    assert suggest_fix(store, "one").shared_attributes == ()


def test_a_change_of_the_same_field_ranks_before_a_newer_change_of_the_object(case):
    add_change(
        case, "unrelated", at="2026-03-02 09:00:00", kind="object", target="call2__v", object="call2__v"
    )
    add_change(
        case, "true", target="rep_de__c", object="call2__v", field="signature__v", before="edit", after="read"
    )
    add_change(
        case, "late", at="2026-03-02 11:00:00", target="rep_de__c", object="call2__v", field="signature__v"
    )
    add_change(
        case, "old", at="2026-02-01 08:00:00", target="rep_de__c", object="call2__v", field="signature__v"
    )
    fix = suggest_fix(case, "one")
    assert fix.change.change_id == "true"
    assert "edit → read" in render_fix(fix) and "which is a hint but no proof" in render_fix(fix)


def test_a_new_validation_rule_on_the_object_is_a_possible_change(store):
    add_user(store, "u1")
    add_error(store, 1, "u1", cause="validation-rule")
    add_change(store, "rule", kind="validation_rule", target="signature_needed", object="call2__v")
    add_change(
        store, "unrelated", at="2026-03-02 09:00:00", kind="vmoc", target="call2__v", object="call2__v"
    )
    assert suggest_fix(store, "one").change.change_id == "rule"


def test_a_deleted_record_that_the_errors_of_one_user_name_is_restored(store):
    add_user(store, "u1")
    add_error(store, 1, "u1", cause="record-deleted")
    store.execute("UPDATE sync_error SET message = 'V51000000000077 does not exist', object = 'account__v'")
    deleted = {
        "kind": "object",
        "target": "account__v",
        "object": "account__v",
        "detail": "data load deleted accounts",
    }
    add_change(store, "other", at="2026-03-02 09:00:00", before="V51000000000078", **deleted)
    add_change(store, "true", before="V51000000000077", **deleted)
    fix = suggest_fix(store, "one")
    assert fix.change.change_id == "true" and not fix.change.certain
    assert fix.headline == "Data steward: restore the deleted account__v V51000000000077."


def test_a_named_change_counts_if_a_wrong_clock_dates_some_errors_before_it(store):
    add_user(store, "u1")
    for number, at in enumerate(("2026-02-12 10:00:00", "2026-03-02 10:00:00", "2026-03-02 11:00:00")):
        add_error(store, number, "u1", cause="date-limit", at=at)
    store.execute(
        "UPDATE sync_error SET message = 'earlier than the visit backdate limit of 9 days', field = NULL"
    )
    limit = {"kind": "setting", "target": "visit_backdate_limit__c"}
    add_change(store, "limit", **limit, before="30", after="9")
    add_change(store, "later", at="2026-03-02 12:00:00", **limit, before="9", after="8")
    fix = suggest_fix(store, "one")
    assert (
        fix.headline == "Admin: raise visit_backdate_limit__c back from 9 to 30." and not fix.change.certain
    )
    add_user(store, "u2")
    add_error(store, 7, "u2", cause="date-limit", at="2026-03-02 10:30:00")
    store.execute(
        "UPDATE sync_error SET message = 'earlier than the visit backdate limit of 9 days', field = NULL"
    )
    fix = suggest_fix(store, "one")
    assert fix.change.certain and fix.change.change_id == "limit"
    assert "show that it is in effect" in fix_summary(fix) and "better than chance" not in fix_summary(fix)
    store.execute("UPDATE sync_error SET message = 'earlier than the visit backdate limit of 19 days'")
    assert not suggest_fix(store, "one").change.certain


def test_a_change_is_undone_only_if_all_its_rows_are(store):
    for number in range(2):
        add_user(store, f"u{number}")
        add_error(store, number, f"u{number}", cause="inactive-owner")
    store.execute(
        "UPDATE sync_error SET message = 'The owners 51007701 and 51007702 are inactive', field = NULL"
    )
    for user in ("51007701", "51007702"):
        values = {"kind": "user", "target": user, "before": "active=True", "after": "active=False"}
        add_change(store, f"left {user}", **values)
    back = {"kind": "user", "before": "active=False", "after": "active=True", "at": "2026-03-02 20:00:00"}
    add_change(store, "first back", **back, target="51007701")
    fix = suggest_fix(store, "one")
    assert fix.headline == "Admin: reactivate the users 51007701 and 51007702."
    add_change(store, "second back", **back | {"at": "2026-03-02 21:00:00"}, target="51007702")
    assert "was already undone at 2026-03-02 21:00 UTC" in suggest_fix(store, "one").headline


def test_a_field_that_became_optional_explains_no_errors(store):
    add_user(store, "u1")
    add_error(store, 1, "u1", cause="invalid-reference")
    field = {"kind": "field", "target": "call2__v", "object": "call2__v", "field": "note__c"}
    add_change(
        store, "optional", **field, before='{"type": "text", "required": true}', after='{"type": "text"}'
    )
    assert suggest_fix(store, "one").change is None
    add_change(store, "type", **field, before='{"type": "text"}', after='{"type": "number"}')
    assert suggest_fix(store, "one").change.change_id == "type"


def test_a_change_of_another_object_is_not_suspected(case):
    add_change(case, "elsewhere", target="other__c", object="account__v", field="name__v")
    assert suggest_fix(case, "one").change is None


def test_a_change_of_the_object_does_not_explain_a_network_issue(store):
    add_user(store, "u1")
    add_error(store, 1, "u1", cause="network", side="user, network team")
    add_change(store, "unrelated", kind="object", target="call2__v", object="call2__v")
    assert suggest_fix(store, "one").change is None


def test_a_suspect_change_is_shown_with_its_p_value(stormy_store):
    rows = list_issues(stormy_store, query="cause:local-state-mismatch")
    fix = suggest_fix(stormy_store, rows["issue_id"].iloc[0])
    assert fix.change.certain and fix.change.p_value < 0.05
    assert (fix.change.kind, fix.change.target) == ("app_version", "25.3.1")
    assert "fits the start of the issue better than chance" in render_fix(fix)


def test_pending_records_are_listed_and_their_recovery_actions_offered(case):
    case.execute(
        "INSERT INTO pending_record (device_id, as_of, object, record_id, user_id, operation, edited_at,"
        " in_error, source, batch_id)"
        " VALUES ('ipad-u1', '2026-03-03', 'call2__v', 'R1', 'u1', 'update', '2026-03-01', true, 't', 't')"
    )
    fix = suggest_fix(case, "one")
    assert list(fix.pending_records["record_id"]) == ["R1"]
    assert {action.name for action in fix.recovery_actions if action.offered} == {"upload_vtrans__v", "undo"}
    assert "1 record is pending on 1 device" in render_fix(fix)


def test_missing_data_is_listed(case):
    notes = " ".join(suggest_fix(case, "one").notes)
    assert "No pending-record data is loaded" in notes and "No configuration changes are loaded" in notes
    assert "where the data begins" not in notes


def test_a_start_at_the_beginning_of_the_data_is_noted(store):
    add_error(store, 1, "u1")
    assert "may be older" in " ".join(suggest_fix(store, "one").notes)
    assert "data about the users" in " ".join(suggest_fix(store, "one").notes)


def test_errors_without_user_device_or_finding_get_a_suggestion(store):
    store.execute(
        "INSERT INTO sync_error (event_id, occurred_at, source, batch_id)"
        " VALUES ('e', '2026-03-02', 't', 't')"
    )
    fix = suggest_fix(store, "unsorted")
    assert fix.cause == "unknown" and fix.named_values == {} and fix.message is None
    assert "Support engineer: collect screenshot" in render_fix(fix)
    json.dumps(fix_to_dict(fix), allow_nan=False)


def test_an_unknown_issue_raises_an_error(store):
    with pytest.raises(AnalysisError, match="no issue 'nope'"):
        suggest_fix(store, "nope")


def test_every_issue_of_a_failing_fleet_has_a_fix_that_json_can_hold(stormy_store):
    for issue_id in list_issues(stormy_store)["issue_id"].head(8):
        fix = suggest_fix(stormy_store, issue_id)
        json.dumps(fix_to_dict(fix), allow_nan=False)
        assert fix.headline in render_fix(fix) and fix.playbook.short_fix in render_fix(fix)


def add_sync(store, user, at, good=True):
    store.execute(
        "INSERT INTO sync_tracking__v (id, created_by__v, sync_start_datetime__v, sync_completed_datetime__v,"
        " successful_sync__v, source, batch_id) VALUES (?, ?, ?, ?, ?, 't', 't')",
        [f"{user} {at}", user, at, at, good],
    )


def test_a_reverted_change_is_shown_with_later_errors_and_syncs(case):
    same = {"target": "rep_de__c", "object": "call2__v", "field": "signature__v"}
    add_change(case, "true", **same, before="edit=True", after="edit=False")
    add_change(case, "other", at="2026-03-02 11:00:00", **same | {"field": "status__v"}, after="edit=True")
    add_change(case, "back", at="2026-03-02 12:00:00", **same, before="edit=False", after="edit=True")
    add_sync(case, "u0", "2026-03-02 13:00:00")
    add_sync(case, "u1", "2026-03-02 13:00:00", good=False)
    fix = suggest_fix(case, "one")
    assert fix.resolution.reverted_by.change_id == "back"
    evidence = " ".join(evidence_lines(fix))
    assert "Reverted at 2026-03-02 12:00 UTC: " in evidence
    assert "No further errors occurred after that." in evidence
    assert "1 of 4 users has synced successfully since their last error." in evidence
    add_error(case, 9, "u3", at="2026-03-02 14:00:00")
    assert "Further errors occurred after that." in " ".join(evidence_lines(suggest_fix(case, "one")))


def test_a_change_that_was_not_reverted_has_no_revert(case):
    same = {"target": "rep_de__c", "object": "call2__v", "field": "signature__v"}
    add_change(case, "true", **same, before="edit=True", after="edit=False")
    fix = suggest_fix(case, "one")
    assert fix.resolution.reverted_by is None and "Reverted" not in fix_summary(fix)
    assert "None of 4 users have synced successfully since their last error." in fix_summary(fix)


def test_users_without_syncs_are_not_counted_as_recovered(store):
    add_error(store, 0, "u0")
    assert suggest_fix(store, "one").resolution.users_synced_since is None
    assert "synced successfully" not in fix_summary(suggest_fix(store, "one"))


def test_a_record_that_another_issue_blocks_now_is_shown_for_both_issues(case):
    (device, record) = case.execute(
        "SELECT device_id, record_id FROM sync_error WHERE event_id = 'e0'"
    ).fetchone()
    case.execute(
        "INSERT INTO pending_record (device_id, as_of, object, record_id, user_id, operation, edited_at, in_error,"
        " source, batch_id) VALUES (?, '2026-03-03', 'call2__v', ?, 'u0', 'update', '2026-03-01', true, 't', 't')",
        [device, record],
    )
    assert len(suggest_fix(case, "one").pending_records) == 1
    add_error(case, 7, "u0", cause="concurrent-change", at="2026-03-02 15:00:00")
    case.execute("UPDATE sync_error SET record_id = ?, device_id = ? WHERE event_id = 'e7'", [record, device])
    case.execute("UPDATE finding SET issue_id = 'two' WHERE event_id = 'e7'")
    fix = suggest_fix(case, "one")
    assert fix.pending_records.empty and len(suggest_fix(case, "two").pending_records) == 1
    assert "1 affected record is now blocked by issue two (concurrent-change)." in evidence_lines(fix)
    assert fix_to_dict(fix)["resolution"]["blocked_elsewhere"] == [
        {"issue_id": "two", "cause": "concurrent-change", "records": 1}
    ]


@pytest.mark.parametrize(
    ("p_value", "text"), [(0.0379, "p = 0.038"), (0.001, "p = 0.001"), (0.0009, "p < 0.001")]
)
def test_a_p_value_below_three_digits_is_not_shown_as_zero(p_value, text):
    assert format_p_value(p_value) == text


def test_users_with_unknown_permission_sets_are_not_counted(case):
    """They do not show that users without the set are unaffected."""
    for number in range(20):
        case.execute(
            "INSERT INTO sync_tracking__v (id, created_by__v, sync_start_datetime__v, successful_sync__v, source,"
            " batch_id) VALUES (?, ?, '2026-02-01', true, 't', 't')",
            [f"s-x{number}", f"x{number}"],
        )
    fix = suggest_fix(case, "one")
    (shared,) = fix.shared_attributes
    assert (shared.affected_with, shared.affected_total, shared.others_with, shared.others_total) == (
        4,
        4,
        0,
        6,
    )
    assert shared.unknown == 20
    assert "but only 0 of 6 other users. The permission set of 20 users is unknown." in fix_summary(fix)


def test_an_ongoing_issue_has_verification_lines_and_no_resolution_line(case):
    fix = suggest_fix(case, "one")
    assert resolution_line(fix) == ""
    text = render_fix(fix)
    assert "How to verify the fix" in text
    assert "(newest so far: 2026-03-02 10:00 UTC)" in text
    assert "Check that all 4 users have synced successfully since their last error (so far: 0)." in text


def test_an_issue_with_a_reverted_change_looks_resolved_and_shows_what_remains(case):
    add_change(
        case, "bad", target="rep_de__c", object="call2__v", field="signature__v", before="a", after="b"
    )
    add_change(
        case, "back", at="2026-03-02 11:00:00", target="rep_de__c", object="call2__v", field="signature__v",
        before="b", after="a",
    )  # fmt: skip
    case.execute(
        "INSERT INTO sync_tracking__v (id, created_by__v, sync_start_datetime__v, sync_completed_datetime__v,"
        " successful_sync__v, source, batch_id) SELECT 'later-' || n, 'u' || n, '2026-03-02 12:00:00',"
        " '2026-03-02 12:01:00', true, 't', 't' FROM range(3) AS r(n)"
    )
    fix = suggest_fix(case, "one")
    assert resolution_line(fix).startswith("This looks resolved: the change was reverted")
    assert "Remaining: 1 of 4 users has not synced successfully since." in resolution_line(fix)
    assert fix_to_dict(fix)["resolution_line"] == resolution_line(fix)
    add_error(case, 9, "u1", at="2026-03-02 12:30:00")
    assert resolution_line(suggest_fix(case, "one")) == ""


def test_a_store_without_syncs_and_pending_records_does_not_show_that_nothing_remains(store):
    add_error(store, 1, "u1")
    same = {"target": "rep_de__c", "object": "call2__v", "field": "signature__v"}
    add_change(store, "bad", **same, before="edit=True", after="edit=False")
    add_change(store, "back", at="2026-03-02 12:00:00", **same, before="edit=False", after="edit=True")
    line = resolution_line(suggest_fix(store, "one"))
    assert "no further errors are loaded" in line and "errors occurred" not in line
    assert "Unknown: whether the users can sync now (no syncs of them are loaded) and whether records" in line
    assert "No further errors are loaded after that." in fix_summary(suggest_fix(store, "one"))


def test_an_issue_without_errors_for_days_may_be_resolved(case):
    case.execute(
        "INSERT INTO sync_tracking__v (id, created_by__v, sync_start_datetime__v, source, batch_id)"
        " VALUES ('late', 'u9', '2026-03-10 12:00:00', 't', 't')"
    )
    assert resolution_line(suggest_fix(case, "one")).startswith(
        "This may be resolved: the last error occurred 8 days before"
    )
