"""What became of the very record, account, field or VMOC settles an error that its words leave open."""

from datetime import timedelta

import pytest

import analysis
import ingest
from ingest.config_records import ObjectField, VmocInfo
from sync_engine.telemetry import SyncUser
from tests.support.context_rows import AT, NO_ACCESS, NOTHING, change, error, found, synced

GONE, KEPT = "V70000000000A01", "V70000000000A02"
ABOUT = {"object": "account__v", "operation": "update", "record_id": GONE}
UNAUTHORISED = {
    "error_type": "HTTP_401",
    "message": "Unauthorized",
    "phase": "connect",
    "operation": "sign_in",
}


def merged(at):
    return change(
        "object", "account__v", object="account__v", before=GONE, after=KEPT, detail="account merge", at=at
    )


def test_a_record_that_was_merged_away_before_is_gone(store):
    cause, confidence, said = found(store, error(0, **NO_ACCESS, **ABOUT), merged(AT - timedelta(hours=3)))
    assert (cause, confidence) == ("record-deleted", 0.95)
    assert f"Record {GONE} was merged into {KEPT} at 2026-03-10 09:00 UTC" in said


def test_a_record_that_was_merged_away_later_was_there(store):
    cause, _, said = found(store, error(0, **NO_ACCESS, **ABOUT), merged(AT + timedelta(hours=3)))
    assert (cause, said) == ("object-permission", "")


def test_a_deletion_in_a_list_of_deletions_counts(store):
    store.execute(
        "INSERT INTO tombstone VALUES ('account__v', $id, $at, 't', 't')",
        {"id": GONE, "at": (AT - timedelta(days=1)).replace(tzinfo=None)},
    )
    assert found(store, error(0, **NO_ACCESS, **ABOUT))[0] == "record-deleted"


@pytest.mark.parametrize(
    ("field", "cause"), [("account__v", "record-deleted"), ("note__v", "object-permission")]
)
def test_what_the_named_field_refers_to_counts_and_what_others_do_not(store, field, cause):
    call = {"object": "call2__v", "operation": "create", "field": field, "record_id": "V7C"}
    payload = f'{{"account__v": "{GONE}", "note__v": "x"}}'
    assert (
        found(store, error(0, **NO_ACCESS, **call, payload=payload), merged(AT - timedelta(days=1)))[0]
        == cause
    )


def test_a_plain_message_about_a_record_that_is_gone_keeps_its_cause(store):
    plain = {"error_type": "INVALID_DATA", "message": "Missing required field [name__v] on [account__v]"}
    assert found(store, error(0, **plain, **ABOUT), merged(AT - timedelta(days=1)))[::2] == (
        "required-field",
        "",
    )


def account(at=AT - timedelta(hours=5), **after):
    return change("user", "u0", scope="user=u0", after=str(after), at=at)


@pytest.mark.parametrize(
    ("after", "cause"),
    [
        ({"password_expired": True}, "password-expired"),
        ({"active": False}, "sign-in-failed"),
        ({"locked": True}, "sign-in-failed"),
    ],
)
def test_what_was_done_to_the_account_explains_a_bare_401_at_sign_in(store, after, cause):
    told = found(store, error(0, **UNAUTHORISED), account(**after))
    assert told[:2] == (cause, 0.9)
    assert "since 2026-03-10 07:00 UTC" in told[2]


def test_who_has_synced_since_was_let_in_since(store):
    rows = [account(password_expired=True), *synced(0, at=AT - timedelta(hours=1))]
    assert found(store, error(0, **UNAUTHORISED), *rows)[::2] == ("sign-in-failed", "")


def test_what_was_put_right_again_explains_nothing(store):
    rows = [account(locked=True), account(locked=False, at=AT - timedelta(hours=1))]
    assert found(store, error(0, **UNAUTHORISED), *rows)[2] == ""


def test_a_401_in_the_middle_of_work_is_the_session_whatever_the_account(store):
    midway = UNAUTHORISED | {"phase": "upload", "operation": "update"}
    assert found(store, error(0, **midway), account(password_expired=True))[::2] == ("session-expired", "")


def test_a_worded_refusal_of_the_same_day_explains_the_bare_one_by_e_mail_too(store):
    user = SyncUser(user_id="u0", as_of=AT - timedelta(days=9), email="Rep.One@example.com")
    worded = UNAUTHORISED | {"error_type": "Password Expired", "message": "Login: Password Expired"}
    trail = error(7, at=AT - timedelta(hours=2), **worded | {"user_id": "rep.one@example.com"})
    cause, _, said = found(store, error(0, **UNAUTHORISED), user, trail)
    assert cause == "password-expired"
    assert "Password Expired" in said
    early = error(0, at=AT - timedelta(days=4), **UNAUTHORISED)
    assert found(store, early, at=AT - timedelta(days=4))[2] == ""


def test_a_field_that_was_removed_before_the_error_and_is_back_now_was_missing(store):
    ask = {"object": "account__v", "operation": "update", "field": "beds__c"}
    gone = change(
        "field", "account__v", object="account__v", field="beds__c", before="{}", at=AT - timedelta(days=2)
    )
    back = change(
        "field", "account__v", object="account__v", field="beds__c", after="{}", at=AT + timedelta(days=2)
    )
    words = {"error_type": "INVALID_FIELD", "message": "No such column 'beds__c' on entity 'account__v'"}
    assert "no active field beds__c" in found(store, error(0, **words, **ask), gone, back)[2]
    later = AT + timedelta(days=3)
    assert found(store, error(1, at=later, **words, **ask), n=1, at=later)[2] == ""


def broken_vmoc(as_of=AT):
    known = [ObjectField(object=name, name="name__v", as_of=as_of) for name in ("account__v", "call2__v")]
    names = ("account__v", "call2__v", "formulary__c")
    return known + [
        VmocInfo(
            vmoc_id=f"v-{name}", as_of=as_of, name=name, object=name, type="full", device="iPad", active=True
        )
        for name in names
    ]


DOWNLOAD = {"object": "formulary__c", "operation": "query", "phase": "download"}


def test_a_vmoc_for_an_object_that_is_not_there_explains_a_failed_download(store):
    cause, _, said = found(store, error(0, **NOTHING | DOWNLOAD), *broken_vmoc())
    assert cause == "sync-configuration"
    assert "formulary__c" in said


def test_a_vmoc_that_was_changed_since_the_error_proves_nothing(store):
    since = change("vmoc", "formulary__c", object="formulary__c", after="x", at=AT + timedelta(days=1))
    assert found(store, error(0, **NOTHING | DOWNLOAD), *broken_vmoc(AT + timedelta(days=2)), since)[2] == ""


def test_a_vmoc_has_no_part_in_uploads_or_in_other_objects(store):
    upload = DOWNLOAD | {"phase": "upload", "operation": "create"}
    other = DOWNLOAD | {"object": "account__v"}
    rows = [error(0, **NOTHING | upload), error(1, **NOTHING | other), *broken_vmoc()]
    assert found(store, *rows)[2] == ""
    assert found(store, n=1)[2] == ""


def test_the_only_setting_changed_just_before_is_named_by_what_it_is_about(store):
    rows = [error(n, **NOTHING | {"phase": "download"}) for n in range(2)]
    limit = change("setting", "max_accounts_ipad__v", after="15")
    cause, confidence, said = found(store, *rows, limit)
    assert (cause, confidence) == ("sync-configuration", 0.72)
    assert "max_accounts_ipad__v changed to 15" in said
    ingest.append(store, [change("setting", "other__v")], source="t", started_at=AT, clock=lambda: AT)
    assert found(store)[2] == ""


def test_a_vault_whose_vmocs_nobody_knows_is_no_hindrance(store):
    rows = [error(n, **NOTHING | DOWNLOAD) for n in range(2)]
    limit = change("setting", "max_accounts_ipad__v", after="15")
    assert found(store, *rows, limit)[0] == "sync-configuration"


def test_an_answer_that_was_read_in_part_is_no_hindrance(store):
    store.execute("FROM range(100000)").fetchone()
    assert analysis.update_findings(store).events == 0
