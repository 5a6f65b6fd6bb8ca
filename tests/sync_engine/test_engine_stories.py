"""Stories about people, devices and one Vault: behaviour as Vault CRM documents it."""

import pytest

from sync_engine.device import errors_tab, syncs
from sync_engine.device.edits import amend
from sync_engine.lab import Lab
from sync_engine.simulator.scheduler import Sleep
from sync_engine.vault import admin
from sync_engine.vault.server import handle
from sync_engine.vmoc import vmoc


@pytest.fixture
def story():
    with Lab("ana", "ben") as told:
        yield told


@pytest.fixture
def ruiz(story):
    story.record("product__v", name__v="Cholecap")
    account = story.account("Dr Ruiz", phone__v="0")
    story.sync()
    return account


def test_an_edit_reaches_the_vault_and_the_other_device(story, ruiz):
    story.edit("ana", ruiz, phone__v="1")
    assert story.sync("ana", "ben") == []
    assert story.sees("ben", ruiz)["phone__v"] == "1"


def test_two_writers_of_one_field_the_first_wins_and_the_other_is_told(story, ruiz):
    story.edit("ana", ruiz, phone__v="1")
    story.edit("ben", ruiz, phone__v="2")
    assert story.sync() == [("ben", "OPERATION_NOT_ALLOWED")]
    assert "Cannot merge" in story.errors("ben")[0].message
    assert story.sees("ben", ruiz)["phone__v"] == "2"


def test_two_writers_of_two_fields_both_stay(story, ruiz):
    story.edit("ana", ruiz, phone__v="1")
    story.edit("ben", ruiz, email__v="b@example.org")
    assert story.sync("ana", "ben", "ana") == []
    assert story.sees("ana", ruiz)["email__v"] == "b@example.org"


def test_with_the_record_rule_two_fields_are_a_conflict_too(story, ruiz):
    admin.set_setting(story.vault, "conflict_rule", "record", at=1.0)
    story.edit("ana", ruiz, phone__v="1")
    story.edit("ben", ruiz, email__v="b@example.org")
    assert story.sync() == [("ben", "OPERATION_NOT_ALLOWED")]


def test_undo_brings_back_what_the_vault_has(story, ruiz):
    story.edit("ana", ruiz, phone__v="1")
    key = story.edit("ben", ruiz, phone__v="2")
    story.sync()
    errors_tab.undo(story.devices["ben"], key)
    assert story.sync("ben") == []
    assert story.sees("ben", ruiz)["phone__v"] == "1"
    assert story.errors("ben") == []


def test_undo_is_not_offered_while_the_record_still_waits(story, ruiz):
    admin.set_field_right(story.vault, "rep__c", "account__v", "phone__v", "edit", False, at=1.0)
    key = story.edit("ana", ruiz, phone__v="1")
    story.sync("ana")
    story.edit("ana", ruiz, email__v="a@example.org")
    with pytest.raises(ValueError, match="pending"):
        errors_tab.undo(story.devices["ana"], key)


def test_undo_waits_for_the_answer_of_an_upload_that_went_out_again(story, ruiz):
    admin.set_field_right(story.vault, "rep__c", "account__v", "phone__v", "edit", False, at=1.0)
    key = story.edit("ana", ruiz, phone__v="1")
    story.sync("ana")
    admin.set_field_right(story.vault, "rep__c", "account__v", "phone__v", "edit", True, at=2.0)
    story.lose_replies = 3
    story.sync("ana")
    with pytest.raises(ValueError, match="pending"):
        errors_tab.undo(story.devices["ana"], key)
    with pytest.raises(ValueError, match="no answer yet"):
        amend(story.devices["ana"], key, ruiz, {"phone__v": "2"})
    assert story.sync("ana") == []
    assert story.sees("ana", ruiz)["phone__v"] == "1"


def test_a_refused_delete_is_undeleted_by_a_database_refresh(story, ruiz):
    story.call("ben", ruiz)
    story.sync()
    key = story.delete("ana", ruiz)
    assert story.sync("ana") == [("ana", "OPERATION_NOT_ALLOWED")]
    assert story.sees("ana", ruiz) is None
    errors_tab.undelete(story.devices["ana"], key)
    story.sync("ana")
    assert story.sees("ana", ruiz)["name__v"] == "Dr Ruiz"
    assert b'"verb":"snapshot"' in b"".join(story.delivered)


def test_a_lost_reply_does_not_apply_an_upload_twice(story, ruiz):
    call = story.call("ana", ruiz, samples=2)
    story.lose_replies = 1
    assert story.sync("ana") == []
    rows = story.vault.db.execute("SELECT count(*) FROM record WHERE mobile_id IS NOT NULL").fetchone()
    assert rows == (3,)
    assert story.tracked()[-1].number_of_retries__v == 1
    assert story.sees("ana", call)["status__v"] == "saved__v"


def test_a_late_duplicate_of_an_edit_that_was_taken_back_changes_nothing(story, ruiz):
    admin.set_field_right(story.vault, "rep__c", "account__v", "phone__v", "edit", False, at=1.0)
    key = story.edit("ana", ruiz, phone__v="1")
    story.sync("ana")
    late = next(one for one in reversed(story.delivered) if b'"verb":"upload"' in one)
    errors_tab.undo(story.devices["ana"], key)
    admin.set_field_right(story.vault, "rep__c", "account__v", "phone__v", "edit", True, at=2.0)
    assert b"RACE_CONDITION" in handle(late, story.vault, story.scheduler.now)
    story.sync()
    assert story.sees("ben", ruiz)["phone__v"] == "0"


def test_a_call_and_its_children_are_one_transaction(story, ruiz):
    admin.set_object_right(story.vault, "rep__c", "call2_sample__v", "create", False, at=1.0)
    story.call("ana", ruiz, samples=1)
    assert story.sync("ana") == [("ana", "INSUFFICIENT_ACCESS")]
    rows = story.vault.db.execute("SELECT count(*) FROM record WHERE object LIKE 'call2%'").fetchone()
    assert rows == (0,)


def test_a_refused_record_goes_through_once_the_admin_has_repaired_the_reason(story, ruiz):
    admin.set_object_right(story.vault, "rep__c", "call2__v", "create", False, at=1.0)
    story.call("ana", ruiz)
    story.sync("ana")
    admin.set_object_right(story.vault, "rep__c", "call2__v", "create", True, at=2.0)
    assert story.sync("ana") == []
    assert story.errors("ana") == []


def test_autosync_sends_and_leaves_no_tracking_record(story, ruiz):
    before = len(story.tracked())
    story.edit("ana", ruiz, phone__v="1")
    story.sync("ana", kind="autosync")
    assert len(story.tracked()) == before
    story.sync("ben")
    assert story.sees("ben", ruiz)["phone__v"] == "1"


def test_a_non_blocking_sync_shows_nothing_before_apply(story, ruiz):
    story.change(ruiz, phone__v="9")
    story.sync("ana", kind="non_blocking")
    assert story.sees("ana", ruiz)["phone__v"] == "0"
    assert story.status_widget("ana").apply_colour == "blue"
    story.wait(30)
    assert story.status_widget("ana").apply_colour == "orange"
    story.wait(30)
    assert story.status_widget("ana").apply_colour == "red"
    assert syncs.apply_update(story.devices["ana"])
    assert story.sees("ana", ruiz)["phone__v"] == "9"
    assert story.status_widget("ana").apply_colour == "none"


@pytest.mark.parametrize(("hours", "rows"), [(1, 1), (13, 2)])
def test_a_paused_sync_goes_on_within_twelve_hours_and_starts_over_after(story, ruiz, hours, rows):
    async def away():
        story.devices["ana"].foreground = False
        await Sleep(hours * 3600)
        story.devices["ana"].foreground = True

    before = len(story.tracked())
    story.scheduler.spawn(away(), 1.0)
    story.sync("ana", kind="non_blocking")
    if hours > 8:  # the session ended meanwhile, so the records go with the next sync
        story.sync("ana")
        story.sync("ana")
    made = [row for row in story.tracked()[before:] if row.sync_type__v == "non_blocking__v"]
    assert len(made) == rows
    assert [row.sync_completed_datetime__v is None for row in made].count(True) == rows - 1


def test_a_database_refresh_is_refused_while_errors_exist(story, ruiz):
    admin.set_object_right(story.vault, "rep__c", "call2__v", "create", False, at=1.0)
    story.call("ana", ruiz)
    story.sync("ana")
    before = len(story.delivered)
    story.sync("ana", kind="database_refresh")
    assert len(story.delivered) == before


def test_the_clear_flag_drops_errors_and_says_what_was_lost(story, ruiz):
    admin.set_object_right(story.vault, "rep__c", "call2__v", "create", False, at=1.0)
    story.call("ana", ruiz, next_call_notes__v="precious")
    story.sync("ana")
    admin.set_user(story.vault, "ana", at=2.0, clear_client_sync_errors__v=True)
    assert story.sync("ana") == [("ana", "INSUFFICIENT_ACCESS")]  # asked one last time
    assert story.errors("ana") == []
    assert "precious" in story.devices["ana"].get("lost")[0]["fields"]


def test_the_clear_flag_drops_nothing_that_the_vault_takes_by_now(story, ruiz):
    admin.set_object_right(story.vault, "rep__c", "call2__v", "create", False, at=1.0)
    call = story.call("ana", ruiz, next_call_notes__v="precious")
    story.sync("ana")
    admin.set_object_right(story.vault, "rep__c", "call2__v", "create", True, at=2.0)
    admin.set_user(story.vault, "ana", at=2.0, clear_client_sync_errors__v=True)
    assert story.sync("ana") == []
    assert not story.devices["ana"].get("lost")
    assert story.sees("ana", call)["next_call_notes__v"] == "precious"


def test_a_forced_refresh_and_vtrans_are_done_once(story, ruiz):
    admin.set_user(story.vault, "ana", at=2.0, force_full_refresh__v=True, upload_vtrans__v=True)
    story.sync("ana")
    assert story.tracked()[-1].number_of_vtrans__v == 1
    story.delivered.clear()
    story.sync("ana")
    assert b'"verb":"snapshot"' not in b"".join(story.delivered)
    assert story.tracked()[-1].number_of_vtrans__v == 0


def test_accounts_that_move_leave_one_device_and_reach_the_other_in_the_next_sync(story, ruiz):
    admin.set_user(story.vault, "ben", at=1.0, territories=["T2"])
    story.sync()
    assert story.sees("ben", ruiz) is None
    admin.realign(story.vault, [ruiz], "T2", at=2.0)
    story.sync()
    assert story.sees("ana", ruiz) is None
    assert story.sees("ben", ruiz)["name__v"] == "Dr Ruiz"


def test_a_call_on_an_account_out_of_reach_is_saved_as_system(story, ruiz):
    story.call("ana", ruiz)
    admin.realign(story.vault, [ruiz], "T9", at=1.0)
    assert story.sync("ana") == []
    row = story.vault.db.execute(
        "SELECT json_extract(doc, '$.created_by__v') FROM record WHERE object = 'call2__v'"
    ).fetchone()
    assert row == ("System",)


@pytest.mark.parametrize("off", [False, True])
def test_a_call_on_a_merged_account_follows_unless_merging_is_off(story, ruiz, off):
    winner = story.account("Dr. Ruiz")
    admin.set_setting(story.vault, "disable_veeva_merge__v", off, at=1.0)
    story.call("ana", ruiz)
    admin.merge(story.vault, ruiz, winner, at=2.0)
    assert story.sync("ana") == ([("ana", "INVALID_DATA")] if off else [])


def test_metadata_api_access_breaks_sync_on_ipad_only():
    for platform, errors in (("iPad", [("ana", "OPERATION_NOT_ALLOWED")]), ("Windows", [])):
        with Lab("ana", platform=platform) as story:
            admin.set_in_permission_set(story.vault, "rep__c", "metadata_api", True, at=1.0)
            assert story.sync("ana") == errors


def test_without_read_on_modified_date_changes_do_not_come(story, ruiz):
    admin.set_field_right(story.vault, "rep__c", "account__v", "modified_date__v", "read", False, at=1.0)
    story.sync("ana")
    story.change(ruiz, phone__v="9")
    assert story.sync("ana") == [("ana", "INSUFFICIENT_ACCESS")]
    assert story.sees("ana", ruiz)["phone__v"] == "0"
    admin.set_field_right(story.vault, "rep__c", "account__v", "modified_date__v", "read", True, at=2.0)
    assert story.sync("ana") == []
    assert story.sees("ana", ruiz)["phone__v"] == "9"


def test_a_vmoc_for_a_missing_object_is_reported_and_the_rest_still_comes(story, ruiz):
    admin.set_vmoc(story.vault, "ghost__c", vmoc("ghost__c"), at=1.0)
    story.change(ruiz, phone__v="9")
    assert story.sync("ana") == [("ana", "INVALID_DATA")]
    assert story.sees("ana", ruiz)["phone__v"] == "9"
    assert story.tracked()[-1].download_processed__v is False


def test_configuration_waits_for_the_cache_to_be_cleared(story, ruiz):
    narrow = story.vault.live["vmoc"]["account__v"] | {"where_clause__v": "WHERE name__v = 'nobody'"}
    admin.set_vmoc(story.vault, "account__v", narrow, at=1.0, publish=False)
    story.sync("ana")
    assert story.sees("ana", ruiz) is not None
    with story.vault.transaction():
        story.vault.publish()
    story.sync("ana")
    assert story.sees("ana", ruiz) is None


def test_related_objects_come_without_the_parents_clause(story, ruiz):
    other = story.account("Dr Other")
    story.record("address__v", account__v=other, name__v="Elsewhere")
    top = story.vault.live["vmoc"]["account__v"]
    admin.set_vmoc(story.vault, "address__v", vmoc("address__v") | {"active__v": False}, at=1.0)
    clause = {"where_clause__v": "WHERE name__v = 'Dr Ruiz'", "include_related_objects__v": True}
    admin.set_vmoc(story.vault, "account__v", top | clause, at=2.0)
    story.sync("ana")
    held = story.devices["ana"].data.execute("SELECT object, count(*) FROM record GROUP BY object").fetchall()
    assert dict(held) == {"account__v": 1, "address__v": 1, "product__v": 1}


def test_an_application_profile_goes_before_a_security_profile(story, ruiz):
    def scoped(name, where, **scope):
        doc = vmoc("account__v", where=where) | scope
        admin.set_vmoc(story.vault, name, doc, at=1.0)

    scoped("by security", "WHERE name__v = 'nobody'", security_profile__v="rep__c")
    story.sync("ana")
    assert story.sees("ana", ruiz) is None
    scoped("by application", "", application_profile__v="rep__c")
    story.sync("ana")
    assert story.sees("ana", ruiz) is not None


def test_switching_profiles_forces_a_refresh_unless_enhanced_sync_is_on(story, ruiz):
    for enhanced, refreshed in ((True, False), (False, True)):
        settings = story.vault.live["vmoc"]["veeva_settings__v"] | {"enable_enhanced_sync__v": enhanced}
        admin.set_vmoc(story.vault, "veeva_settings__v", settings, at=1.0)
        story.sync("ana")
        story.delivered.clear()
        admin.set_user(story.vault, "ana", at=2.0, application_profile=f"other{enhanced}__c")
        story.sync("ana")
        assert (b'"verb":"snapshot"' in b"".join(story.delivered)) is refreshed


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
    with Lab("ana") as story:
        admin.set_user(story.vault, "ana", at=1.0, **values)
        assert ("ana", error) in story.sync("ana")


def test_the_sync_widget_goes_through_its_states(story, ruiz):
    assert story.sync_widget("ana").colour == "green"
    story.edit("ana", ruiz, phone__v="1")
    assert (story.sync_widget("ana").state, story.sync_widget("ana").colour) == ("pending", "orange")
    story.wait(24 * 4)
    assert story.sync_widget("ana").colour == "red"
    assert story.sync_widget("ana").asks_to_sync
    admin.set_field_right(story.vault, "rep__c", "account__v", "phone__v", "edit", False, at=1.0)
    story.sync("ana")
    story.sync("ana")
    assert (story.sync_widget("ana").state, story.sync_widget("ana").errors) == ("errors", 1)


def test_pending_uploads_leave_out_orders(story, ruiz):
    story.create("ana", "order__v", account__v=ruiz, status__v="in_progress__v")
    assert story.sync_widget("ana").pending_uploads == 0


def test_a_request_that_is_nonsense_is_refused_and_harms_nothing(story):
    for nonsense in (
        b"",
        b"[]",
        b"\xff",
        b'{"verb":"pull"}',
        b'{"verb":"upload","session":3}',
        b'{"verb":"x"}',
    ):
        assert b"FAILURE" in handle(nonsense, story.vault, 1.0)


def test_cancel_ends_the_sync_that_shows_it_and_neither_sign_in_nor_autosync(story, ruiz):
    ana = story.devices["ana"]
    ana.session, ana.cancel_at = None, ana.env.now()
    story.edit("ana", ruiz, phone__v="1")
    story.sync("ana", kind="autosync")
    assert ana.session is not None
    assert story.sync("ben") == []
    assert story.sees("ben", ruiz)["phone__v"] == "1"
    before = len(story.tracked())
    story.sync("ana")
    story.sync("ana")
    assert [row.sync_canceled__v for row in story.tracked()[before:]] == [True, False]
