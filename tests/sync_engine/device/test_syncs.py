"""Syncs of users, devices and one Vault: behavior that Vault CRM documents."""

import pytest

from sync_engine.device import errors_tab, syncs
from sync_engine.device.edits import correct_refused_edit
from sync_engine.lab import Lab
from sync_engine.simulator.scheduler import Sleep
from sync_engine.vault import admin
from sync_engine.vault.server import handle_request
from sync_engine.vmoc import vmoc


@pytest.fixture
def lab():
    with Lab("ana", "ben") as made:
        yield made


@pytest.fixture
def ruiz(lab):
    lab.add_record("product__v", name__v="Cholecap")
    account = lab.add_account("Dr Ruiz", phone__v="0")
    lab.sync()
    return account


def test_an_edit_reaches_the_vault_and_the_other_device(lab, ruiz):
    lab.edit("ana", ruiz, phone__v="1")
    assert lab.sync("ana", "ben") == []
    assert lab.read("ben", ruiz)["phone__v"] == "1"


def test_two_writers_of_one_field_the_first_wins_and_the_other_is_told(lab, ruiz):
    lab.edit("ana", ruiz, phone__v="1")
    lab.edit("ben", ruiz, phone__v="2")
    assert lab.sync() == [("ben", "OPERATION_NOT_ALLOWED")]
    assert "Cannot merge" in lab.errors("ben")[0].message
    assert lab.read("ben", ruiz)["phone__v"] == "2"


def test_two_writers_of_two_fields_both_stay(lab, ruiz):
    lab.edit("ana", ruiz, phone__v="1")
    lab.edit("ben", ruiz, email__v="b@example.org")
    assert lab.sync("ana", "ben", "ana") == []
    assert lab.read("ana", ruiz)["email__v"] == "b@example.org"


def test_with_the_record_rule_two_fields_are_a_conflict_too(lab, ruiz):
    admin.set_setting(lab.vault, "conflict_rule", "record", at=1.0)
    lab.edit("ana", ruiz, phone__v="1")
    lab.edit("ben", ruiz, email__v="b@example.org")
    assert lab.sync() == [("ben", "OPERATION_NOT_ALLOWED")]


def test_undo_brings_back_what_the_vault_has(lab, ruiz):
    lab.edit("ana", ruiz, phone__v="1")
    key = lab.edit("ben", ruiz, phone__v="2")
    lab.sync()
    errors_tab.undo(lab.devices["ben"], key)
    assert lab.sync("ben") == []
    assert lab.read("ben", ruiz)["phone__v"] == "1"
    assert lab.errors("ben") == []


def test_undo_is_not_offered_while_the_record_still_waits(lab, ruiz):
    admin.set_field_permission(lab.vault, "rep__c", "account__v", "phone__v", "edit", False, at=1.0)
    key = lab.edit("ana", ruiz, phone__v="1")
    lab.sync("ana")
    lab.edit("ana", ruiz, email__v="a@example.org")
    with pytest.raises(ValueError, match="pending"):
        errors_tab.undo(lab.devices["ana"], key)


def test_undo_waits_for_the_answer_of_an_upload_that_went_out_again(lab, ruiz):
    admin.set_field_permission(lab.vault, "rep__c", "account__v", "phone__v", "edit", False, at=1.0)
    key = lab.edit("ana", ruiz, phone__v="1")
    lab.sync("ana")
    admin.set_field_permission(lab.vault, "rep__c", "account__v", "phone__v", "edit", True, at=2.0)
    lab.replies_to_lose = 3
    lab.sync("ana")
    with pytest.raises(ValueError, match="pending"):
        errors_tab.undo(lab.devices["ana"], key)
    with pytest.raises(ValueError, match="no answer yet"):
        correct_refused_edit(lab.devices["ana"], key, ruiz, {"phone__v": "2"})
    assert lab.sync("ana") == []
    assert lab.read("ana", ruiz)["phone__v"] == "1"


def test_a_refused_delete_is_undeleted_by_a_database_refresh(lab, ruiz):
    lab.record_call("ben", ruiz)
    lab.sync()
    key = lab.delete("ana", ruiz)
    assert lab.sync("ana") == [("ana", "OPERATION_NOT_ALLOWED")]
    assert lab.read("ana", ruiz) is None
    errors_tab.undelete(lab.devices["ana"], key)
    lab.sync("ana")
    assert lab.read("ana", ruiz)["name__v"] == "Dr Ruiz"
    assert b'"verb":"snapshot"' in b"".join(lab.requests)


def test_a_lost_reply_does_not_apply_an_upload_twice(lab, ruiz):
    call = lab.record_call("ana", ruiz, samples=2)
    lab.replies_to_lose = 1
    assert lab.sync("ana") == []
    rows = lab.vault.db.execute("SELECT count(*) FROM record WHERE mobile_id IS NOT NULL").fetchone()
    assert rows == (3,)
    assert lab.tracking_records()[-1].number_of_retries__v == 1
    assert lab.read("ana", call)["status__v"] == "saved__v"


def test_a_late_duplicate_of_an_edit_that_was_taken_back_changes_nothing(lab, ruiz):
    admin.set_field_permission(lab.vault, "rep__c", "account__v", "phone__v", "edit", False, at=1.0)
    key = lab.edit("ana", ruiz, phone__v="1")
    lab.sync("ana")
    late = next(one for one in reversed(lab.requests) if b'"verb":"upload"' in one)
    errors_tab.undo(lab.devices["ana"], key)
    admin.set_field_permission(lab.vault, "rep__c", "account__v", "phone__v", "edit", True, at=2.0)
    assert b"RACE_CONDITION" in handle_request(late, lab.vault, lab.scheduler.now)
    lab.sync()
    assert lab.read("ben", ruiz)["phone__v"] == "0"


def test_a_call_and_its_children_are_one_transaction(lab, ruiz):
    admin.set_object_permission(lab.vault, "rep__c", "call2_sample__v", "create", False, at=1.0)
    lab.record_call("ana", ruiz, samples=1)
    assert lab.sync("ana") == [("ana", "INSUFFICIENT_ACCESS")]
    rows = lab.vault.db.execute("SELECT count(*) FROM record WHERE object LIKE 'call2%'").fetchone()
    assert rows == (0,)


def test_a_refused_record_goes_through_once_the_admin_has_repaired_the_reason(lab, ruiz):
    admin.set_object_permission(lab.vault, "rep__c", "call2__v", "create", False, at=1.0)
    lab.record_call("ana", ruiz)
    lab.sync("ana")
    admin.set_object_permission(lab.vault, "rep__c", "call2__v", "create", True, at=2.0)
    assert lab.sync("ana") == []
    assert lab.errors("ana") == []


def test_autosync_sends_and_leaves_no_tracking_record(lab, ruiz):
    before = len(lab.tracking_records())
    lab.edit("ana", ruiz, phone__v="1")
    lab.sync("ana", kind="autosync")
    assert len(lab.tracking_records()) == before
    lab.sync("ben")
    assert lab.read("ben", ruiz)["phone__v"] == "1"


def test_a_non_blocking_sync_shows_nothing_before_apply(lab, ruiz):
    lab.change_in_vault(ruiz, phone__v="9")
    lab.sync("ana", kind="non_blocking")
    assert lab.read("ana", ruiz)["phone__v"] == "0"
    assert lab.status_widget("ana").apply_color == "blue"
    lab.wait(30)
    assert lab.status_widget("ana").apply_color == "orange"
    lab.wait(30)
    assert lab.status_widget("ana").apply_color == "red"
    assert syncs.apply_update(lab.devices["ana"])
    assert lab.read("ana", ruiz)["phone__v"] == "9"
    assert lab.status_widget("ana").apply_color == "none"


@pytest.mark.parametrize(("hours", "rows"), [(1, 1), (13, 2)])
def test_a_paused_sync_goes_on_within_twelve_hours_and_starts_over_after(lab, ruiz, hours, rows):
    async def away():
        lab.devices["ana"].foreground = False
        await Sleep(hours * 3600)
        lab.devices["ana"].foreground = True

    before = len(lab.tracking_records())
    lab.scheduler.spawn(away(), 1.0)
    lab.sync("ana", kind="non_blocking")
    if hours > 8:  # the session ended meanwhile, so the records go with the next sync
        lab.sync("ana")
        lab.sync("ana")
    made = [row for row in lab.tracking_records()[before:] if row.sync_type__v == "non_blocking__v"]
    assert len(made) == rows
    assert [row.sync_completed_datetime__v is None for row in made].count(True) == rows - 1


def test_a_database_refresh_is_refused_while_errors_exist(lab, ruiz):
    admin.set_object_permission(lab.vault, "rep__c", "call2__v", "create", False, at=1.0)
    lab.record_call("ana", ruiz)
    lab.sync("ana")
    before = len(lab.requests)
    lab.sync("ana", kind="database_refresh")
    assert len(lab.requests) == before


def test_the_clear_flag_drops_errors_and_says_what_was_lost(lab, ruiz):
    admin.set_object_permission(lab.vault, "rep__c", "call2__v", "create", False, at=1.0)
    lab.record_call("ana", ruiz, next_call_notes__v="precious")
    lab.sync("ana")
    admin.set_user(lab.vault, "ana", at=2.0, clear_client_sync_errors__v=True)
    assert lab.sync("ana") == [("ana", "INSUFFICIENT_ACCESS")]  # asked one last time
    assert lab.errors("ana") == []
    assert "precious" in lab.devices["ana"].get("lost")[0]["fields"]


def test_the_clear_flag_drops_nothing_that_the_vault_takes_by_now(lab, ruiz):
    admin.set_object_permission(lab.vault, "rep__c", "call2__v", "create", False, at=1.0)
    call = lab.record_call("ana", ruiz, next_call_notes__v="precious")
    lab.sync("ana")
    admin.set_object_permission(lab.vault, "rep__c", "call2__v", "create", True, at=2.0)
    admin.set_user(lab.vault, "ana", at=2.0, clear_client_sync_errors__v=True)
    assert lab.sync("ana") == []
    assert not lab.devices["ana"].get("lost")
    assert lab.read("ana", call)["next_call_notes__v"] == "precious"


def test_a_forced_refresh_and_vtrans_are_done_once(lab, ruiz):
    admin.set_user(lab.vault, "ana", at=2.0, force_full_refresh__v=True, upload_vtrans__v=True)
    lab.sync("ana")
    assert lab.tracking_records()[-1].number_of_vtrans__v == 1
    lab.requests.clear()
    lab.sync("ana")
    assert b'"verb":"snapshot"' not in b"".join(lab.requests)
    assert lab.tracking_records()[-1].number_of_vtrans__v == 0


def test_accounts_that_move_leave_one_device_and_reach_the_other_in_the_next_sync(lab, ruiz):
    admin.set_user(lab.vault, "ben", at=1.0, territories=["T2"])
    lab.sync()
    assert lab.read("ben", ruiz) is None
    admin.realign_accounts(lab.vault, [ruiz], "T2", at=2.0)
    lab.sync()
    assert lab.read("ana", ruiz) is None
    assert lab.read("ben", ruiz)["name__v"] == "Dr Ruiz"


def test_a_call_on_an_account_out_of_reach_is_saved_as_system(lab, ruiz):
    lab.record_call("ana", ruiz)
    admin.realign_accounts(lab.vault, [ruiz], "T9", at=1.0)
    assert lab.sync("ana") == []
    row = lab.vault.db.execute(
        "SELECT json_extract(doc, '$.created_by__v') FROM record WHERE object = 'call2__v'"
    ).fetchone()
    assert row == ("System",)


@pytest.mark.parametrize("off", [False, True])
def test_a_call_on_a_merged_account_follows_unless_merging_is_off(lab, ruiz, off):
    winner = lab.add_account("Dr. Ruiz")
    admin.set_setting(lab.vault, "disable_veeva_merge__v", off, at=1.0)
    lab.record_call("ana", ruiz)
    admin.merge_accounts(lab.vault, ruiz, winner, at=2.0)
    assert lab.sync("ana") == ([("ana", "INVALID_DATA")] if off else [])


def test_metadata_api_access_breaks_sync_on_ipad_only():
    for platform, errors in (("iPad", [("ana", "OPERATION_NOT_ALLOWED")]), ("Windows", [])):
        with Lab("ana", platform=platform) as lab:
            admin.set_application_permission(lab.vault, "rep__c", "metadata_api", True, at=1.0)
            assert lab.sync("ana") == errors


def test_without_read_on_modified_date_changes_do_not_come(lab, ruiz):
    admin.set_field_permission(lab.vault, "rep__c", "account__v", "modified_date__v", "read", False, at=1.0)
    lab.sync("ana")
    lab.change_in_vault(ruiz, phone__v="9")
    assert lab.sync("ana") == [("ana", "INSUFFICIENT_ACCESS")]
    assert lab.read("ana", ruiz)["phone__v"] == "0"
    admin.set_field_permission(lab.vault, "rep__c", "account__v", "modified_date__v", "read", True, at=2.0)
    assert lab.sync("ana") == []
    assert lab.read("ana", ruiz)["phone__v"] == "9"


def test_a_vmoc_for_a_missing_object_is_reported_and_the_rest_still_comes(lab, ruiz):
    admin.set_vmoc(lab.vault, "ghost__c", vmoc("ghost__c"), at=1.0)
    lab.change_in_vault(ruiz, phone__v="9")
    assert lab.sync("ana") == [("ana", "INVALID_DATA")]
    assert lab.read("ana", ruiz)["phone__v"] == "9"
    assert lab.tracking_records()[-1].download_processed__v is False


def test_configuration_waits_for_the_cache_to_be_cleared(lab, ruiz):
    narrow = lab.vault.live["vmoc"]["account__v"] | {"where_clause__v": "WHERE name__v = 'nobody'"}
    admin.set_vmoc(lab.vault, "account__v", narrow, at=1.0, publish=False)
    lab.sync("ana")
    assert lab.read("ana", ruiz) is not None
    with lab.vault.transaction():
        lab.vault.publish()
    lab.sync("ana")
    assert lab.read("ana", ruiz) is None


def test_related_objects_come_without_the_parents_clause(lab, ruiz):
    other = lab.add_account("Dr Other")
    lab.add_record("address__v", account__v=other, name__v="Elsewhere")
    top = lab.vault.live["vmoc"]["account__v"]
    admin.set_vmoc(lab.vault, "address__v", vmoc("address__v") | {"active__v": False}, at=1.0)
    clause = {"where_clause__v": "WHERE name__v = 'Dr Ruiz'", "include_related_objects__v": True}
    admin.set_vmoc(lab.vault, "account__v", top | clause, at=2.0)
    lab.sync("ana")
    held = lab.devices["ana"].data.execute("SELECT object, count(*) FROM record GROUP BY object").fetchall()
    assert dict(held) == {"account__v": 1, "address__v": 1, "product__v": 1}


def test_an_application_profile_goes_before_a_security_profile(lab, ruiz):
    def scoped(name, where, **scope):
        doc = vmoc("account__v", where=where) | scope
        admin.set_vmoc(lab.vault, name, doc, at=1.0)

    scoped("by security", "WHERE name__v = 'nobody'", security_profile__v="rep__c")
    lab.sync("ana")
    assert lab.read("ana", ruiz) is None
    scoped("by application", "", application_profile__v="rep__c")
    lab.sync("ana")
    assert lab.read("ana", ruiz) is not None


def test_switching_profiles_forces_a_refresh_unless_enhanced_sync_is_on(lab, ruiz):
    for enhanced, refreshed in ((True, False), (False, True)):
        settings = lab.vault.live["vmoc"]["veeva_settings__v"] | {"enable_enhanced_sync__v": enhanced}
        admin.set_vmoc(lab.vault, "veeva_settings__v", settings, at=1.0)
        lab.sync("ana")
        lab.requests.clear()
        admin.set_user(lab.vault, "ana", at=2.0, application_profile=f"other{enhanced}__c")
        lab.sync("ana")
        assert (b'"verb":"snapshot"' in b"".join(lab.requests)) is refreshed


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"password_expired": True}, "PASSWORD_CHANGE_REQUIRED"),
        ({"locked": True}, "USER_LOCKED_OUT"),
        ({"active": False}, "INACTIVE_USER"),
        ({"password": "changed"}, "USERNAME_OR_PASSWORD_INCORRECT"),
    ],
)
def test_sign_in_says_why_it_is_refused(values, error):
    with Lab("ana") as lab:
        admin.set_user(lab.vault, "ana", at=1.0, **values)
        assert ("ana", error) in lab.sync("ana")


def test_the_sync_widget_goes_through_its_states(lab, ruiz):
    assert lab.sync_widget("ana").color == "green"
    lab.edit("ana", ruiz, phone__v="1")
    assert (lab.sync_widget("ana").state, lab.sync_widget("ana").color) == ("pending", "orange")
    lab.wait(24 * 4)
    assert lab.sync_widget("ana").color == "red"
    assert lab.sync_widget("ana").sync_overdue
    admin.set_field_permission(lab.vault, "rep__c", "account__v", "phone__v", "edit", False, at=1.0)
    lab.sync("ana")
    lab.sync("ana")
    assert (lab.sync_widget("ana").state, lab.sync_widget("ana").errors) == ("errors", 1)


def test_pending_uploads_leave_out_orders(lab, ruiz):
    lab.create("ana", "order__v", account__v=ruiz, status__v="in_progress__v")
    assert lab.sync_widget("ana").pending_uploads == 0


def test_a_request_that_is_nonsense_is_refused_and_harms_nothing(lab):
    for nonsense in (
        b"",
        b"[]",
        b"\xff",
        b'{"verb":"pull"}',
        b'{"verb":"upload","session":3}',
        b'{"verb":"x"}',
    ):
        assert b"FAILURE" in handle_request(nonsense, lab.vault, 1.0)


def test_cancel_ends_the_sync_that_shows_it_and_neither_sign_in_nor_autosync(lab, ruiz):
    ana = lab.devices["ana"]
    ana.session, ana.cancel_at = None, ana.env.now()
    lab.edit("ana", ruiz, phone__v="1")
    lab.sync("ana", kind="autosync")
    assert ana.session is not None
    assert lab.sync("ben") == []
    assert lab.read("ben", ruiz)["phone__v"] == "1"
    before = len(lab.tracking_records())
    lab.sync("ana")
    lab.sync("ana")
    assert [row.sync_canceled__v for row in lab.tracking_records()[before:]] == [True, False]
