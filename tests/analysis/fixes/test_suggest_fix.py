"""A suggested fix tells this case: who is hit, what they share, what changed, what waits, what is unknown."""

from __future__ import annotations

import json

import pytest

from analysis import AnalysisError, list_issues
from analysis.base.text import format_p_value
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
    """Four users of one permission set may not edit a field any more; six others are fine."""
    for number in range(10):
        add_user(store, f"u{number}", "base__c, rep_de__c" if number < 4 else "base__c")
        if number < 4:
            add_error(store, number, f"u{number}")
    return store


def test_it_counts_and_names_what_the_errors_name(case):
    found = suggest_fix(case, "one")
    assert (found.events, found.users, found.devices) == (4, 4, 4)
    assert found.named_values["object"] == ("call2__v",) and found.named_values["field"] == ("signature__v",)
    assert found.cause == "field-permission" and found.confidence == pytest.approx(0.9)
    assert found.who == "Admin"
    assert found.where == "Admin > Users & Groups > Permission Sets > rep_de__c > Objects > call2__v"
    assert found.evidence == ("Others may edit it.",) and found.message == "No <b>edit</b>"


def test_it_finds_the_permission_set_that_those_hit_share_and_not_the_one_everybody_has(case):
    shared = [(one.attribute, one.value) for one in suggest_fix(case, "one").shared_attributes]
    assert shared == [("permission_set", "rep_de__c")]


def test_two_users_are_too_few_to_compare(store):
    for number in range(6):
        add_user(store, f"u{number}", "rare__c" if number < 2 else "base__c")
    add_error(store, 0, "u0")
    add_error(store, 1, "u1")
    assert suggest_fix(store, "one").shared_attributes == ()


def test_the_change_on_the_same_field_wins_over_a_newer_one_on_the_object(case):
    add_change(case, "decoy", at="2026-03-02 09:00:00", kind="object", target="call2__v", object="call2__v")
    add_change(
        case, "true", target="rep_de__c", object="call2__v", field="signature__v", before="edit", after="read"
    )
    add_change(
        case, "late", at="2026-03-02 11:00:00", target="rep_de__c", object="call2__v", field="signature__v"
    )
    add_change(
        case, "old", at="2026-02-01 08:00:00", target="rep_de__c", object="call2__v", field="signature__v"
    )
    found = suggest_fix(case, "one")
    assert found.change["change_id"] == "true"
    assert "edit → read" in found.as_text() and "a hint and no proof" in found.as_text()


def test_a_new_rule_on_the_object_is_a_hint_for_refused_content(store):
    add_user(store, "u1")
    add_error(store, 1, "u1", cause="validation-rule")
    add_change(store, "rule", kind="validation_rule", target="signature_needed", object="call2__v")
    add_change(store, "decoy", at="2026-03-02 09:00:00", kind="vmoc", target="call2__v", object="call2__v")
    assert suggest_fix(store, "one").change["change_id"] == "rule"


def test_a_change_elsewhere_is_not_suspected(case):
    add_change(case, "elsewhere", target="other__c", object="account__v", field="name__v")
    assert suggest_fix(case, "one").change is None


def test_a_change_on_the_object_does_not_explain_what_configuration_cannot_cause(store):
    add_user(store, "u1")
    add_error(store, 1, "u1", cause="network", side="user, network team")
    add_change(store, "decoy", kind="object", target="call2__v", object="call2__v")
    assert suggest_fix(store, "one").change is None


def test_a_suspect_of_the_fleet_is_named_with_its_probability(stormy_store):
    rows = list_issues(stormy_store, query="cause:local-state-mismatch")
    found = suggest_fix(stormy_store, rows["issue_id"].iloc[0])
    assert found.change["certain"] and found.change["p_value"] < 0.05
    assert (found.change["kind"], found.change["target"]) == ("app_version", "25.3.1")
    assert "explains the start better than a random moment" in found.as_text()


def test_waiting_records_are_listed_and_their_levers_offered(case):
    case.execute(
        "INSERT INTO pending_record (device_id, as_of, object, record_id, user_id, operation, edited_at,"
        " in_error, source, batch_id)"
        " VALUES ('ipad-u1', '2026-03-03', 'call2__v', 'R1', 'u1', 'update', '2026-03-01', true, 't', 't')"
    )
    found = suggest_fix(case, "one")
    assert list(found.pending_records["record_id"]) == ["R1"]
    assert {lever.name for lever in found.recovery_actions if lever.offered} == {"upload_vtrans__v", "undo"}
    assert "1 record waits on 1 device" in found.as_text()


def test_what_is_not_loaded_is_said(case):
    notes = " ".join(suggest_fix(case, "one").notes)
    assert "no pending records are loaded" in notes and "No configuration changes are loaded" in notes
    assert "where the data begin" not in notes


def test_a_start_at_the_edge_of_the_data_is_said(store):
    add_error(store, 1, "u1")
    assert "may be older" in " ".join(suggest_fix(store, "one").notes)
    assert "about the users" in " ".join(suggest_fix(store, "one").notes)


def test_errors_without_user_device_or_finding_still_get_an_answer(store):
    store.execute(
        "INSERT INTO sync_error (event_id, occurred_at, source, batch_id)"
        " VALUES ('e', '2026-03-02', 't', 't')"
    )
    found = suggest_fix(store, "unsorted")
    assert found.cause == "unknown" and found.named_values == {} and found.message is None
    assert "Support engineer: collect screenshot" in found.as_text()
    json.dumps(found.to_dict(), allow_nan=False)


def test_an_issue_that_is_not_there_is_refused(store):
    with pytest.raises(AnalysisError, match="no issue 'nope'"):
        suggest_fix(store, "nope")


def test_every_issue_of_a_stormy_fleet_has_a_fix_that_is_plain_values(stormy_store):
    for issue_id in list_issues(stormy_store)["issue_id"].head(8):
        found = suggest_fix(stormy_store, issue_id)
        json.dumps(found.to_dict(), allow_nan=False)
        assert found.playbook.short_fix in found.as_text().replace("`", "")


def add_sync(store, user, at, good=True):
    store.execute(
        "INSERT INTO sync_tracking__v (id, created_by__v, sync_start_datetime__v, sync_completed_datetime__v,"
        " successful_sync__v, source, batch_id) VALUES (?, ?, ?, ?, ?, 't', 't')",
        [f"{user} {at}", user, at, at, good],
    )


def test_a_change_that_was_taken_back_is_told_with_what_came_of_it(case):
    same = {"target": "rep_de__c", "object": "call2__v", "field": "signature__v"}
    add_change(case, "true", **same, before="edit=True", after="edit=False")
    add_change(case, "other", at="2026-03-02 11:00:00", **same | {"field": "status__v"}, after="edit=True")
    add_change(case, "back", at="2026-03-02 12:00:00", **same, before="edit=False", after="edit=True")
    add_sync(case, "u0", "2026-03-02 13:00:00")
    add_sync(case, "u1", "2026-03-02 13:00:00", good=False)
    found = suggest_fix(case, "one")
    assert found.resolution.reverted_by["change_id"] == "back"
    said = " ".join(found.evidence_lines)
    assert "At 2026-03-02 12:00 UTC, that was taken back: " in said and "No error of it came later." in said
    assert "1 of 4 users has synced with success since their last error of it." in said
    add_error(case, 9, "u3", at="2026-03-02 14:00:00")
    assert "Errors of it came later too." in " ".join(suggest_fix(case, "one").evidence_lines)


def test_what_was_never_taken_back_is_not_told_so(case):
    same = {"target": "rep_de__c", "object": "call2__v", "field": "signature__v"}
    add_change(case, "true", **same, before="edit=True", after="edit=False")
    found = suggest_fix(case, "one")
    assert found.resolution.reverted_by is None and "taken back" not in found.summary
    assert "None of them have synced with success since" in found.summary


def test_of_users_without_a_known_sync_nothing_is_said_of_later_ones(store):
    add_error(store, 0, "u0")
    assert suggest_fix(store, "one").resolution.users_synced_since is None
    assert "synced with success" not in suggest_fix(store, "one").summary


def test_a_record_that_waits_for_another_error_by_now_is_told_under_both(case):
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
    found = suggest_fix(case, "one")
    assert found.pending_records.empty and len(suggest_fix(case, "two").pending_records) == 1
    assert "1 record that met it waits for concurrent-change by now (two)." in found.evidence_lines
    assert found.to_dict()["resolution"]["blocked_elsewhere"] == [
        {"issue_id": "two", "cause": "concurrent-change", "records": 1}
    ]


@pytest.mark.parametrize(
    ("p_value", "said"), [(0.0379, "p = 0.038"), (0.001, "p = 0.001"), (0.0009, "p < 0.001")]
)
def test_a_chance_too_small_for_three_digits_is_not_told_as_none(p_value, said):
    assert format_p_value(p_value) == said


def test_of_users_whose_sets_are_not_known_nothing_is_said(case):
    """They are no evidence that people without the set are spared."""
    for number in range(20):
        case.execute(
            "INSERT INTO sync_tracking__v (id, created_by__v, sync_start_datetime__v, successful_sync__v, source,"
            " batch_id) VALUES (?, ?, '2026-02-01', true, 't', 't')",
            [f"s-x{number}", f"x{number}"],
        )
    found = suggest_fix(case, "one")
    (shared,) = found.shared_attributes
    assert (shared.users_hit, shared.all_hit, shared.users_spared, shared.all_spared) == (4, 4, 0, 6)
    assert shared.unknown == 20
    assert "but only 0 of 6 others. Of 20 users no permission set is known." in found.summary


def test_what_goes_on_is_not_called_over_and_says_how_one_sees_that_it_worked(case):
    found = suggest_fix(case, "one")
    assert found.resolution_line == ""
    said = found.as_text()
    assert "How to know it worked" in said
    assert "the newest so far is of 2026-03-02 10:00 UTC" in said
    assert "All 4 users have synced with success since their last error of it; so far 0." in said


def test_what_was_taken_back_is_called_over_and_says_what_is_left(case):
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
    found = suggest_fix(case, "one")
    assert found.resolution_line.startswith("It seems to be over: the change was taken back")
    assert "What is left: 1 of 4 users has not synced with success since." in found.resolution_line
    assert found.to_dict()["resolution_line"] == found.resolution_line
    add_error(case, 9, "u1", at="2026-03-02 12:30:00")
    assert suggest_fix(case, "one").resolution_line == ""


def test_what_has_been_quiet_for_days_may_be_over(case):
    case.execute(
        "INSERT INTO sync_tracking__v (id, created_by__v, sync_start_datetime__v, source, batch_id)"
        " VALUES ('late', 'u9', '2026-03-06 12:00:00', 't', 't')"
    )
    assert suggest_fix(case, "one").resolution_line.startswith(
        "It may be over: its last error came 4 days before"
    )
