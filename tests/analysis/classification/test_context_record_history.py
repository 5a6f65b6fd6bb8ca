"""Context rules that read the history of the record, account, field or VMOC of an error."""

from datetime import timedelta

import pytest

import analysis
import ingest
from ingest.config_records import ObjectField, VmocInfo
from sync_engine.telemetry import SyncUser
from tests.support.context_rows import AT, NO_ACCESS, NOTHING, change, error, find_cause, synced

GONE, KEPT = "V70000000000A01", "V70000000000A02"
TARGET = {"object": "account__v", "operation": "update", "record_id": GONE}
UNAUTHORIZED = {
    "error_type": "HTTP_401",
    "message": "Unauthorized",
    "phase": "connect",
    "operation": "sign_in",
}


def merged(at):
    return change(
        "object", "account__v", object="account__v", before=GONE, after=KEPT, detail="account merge", at=at
    )


def test_a_record_merged_before_the_error_is_deleted(store):
    cause, confidence, evidence = find_cause(
        store, error(0, **NO_ACCESS, **TARGET), merged(AT - timedelta(hours=3))
    )
    assert (cause, confidence) == ("record-deleted", 0.95)
    assert f"Record {GONE} was merged into {KEPT} at 2026-03-10 09:00 UTC" in evidence


def test_a_record_merged_after_the_error_existed(store):
    cause, _, evidence = find_cause(store, error(0, **NO_ACCESS, **TARGET), merged(AT + timedelta(hours=3)))
    assert (cause, evidence) == ("object-permission", "")


def test_a_tombstone_counts_as_a_deletion(store):
    store.execute(
        "INSERT INTO tombstone VALUES ('account__v', $id, $at, 't', 't')",
        {"id": GONE, "at": (AT - timedelta(days=1)).replace(tzinfo=None)},
    )
    assert find_cause(store, error(0, **NO_ACCESS, **TARGET))[0] == "record-deleted"


@pytest.mark.parametrize(
    ("field", "cause"), [("account__v", "record-deleted"), ("note__v", "object-permission")]
)
def test_only_the_reference_of_the_error_field_counts(store, field, cause):
    call = {"object": "call2__v", "operation": "create", "field": field, "record_id": "V7C"}
    payload = f'{{"account__v": "{GONE}", "note__v": "x"}}'
    assert (
        find_cause(store, error(0, **NO_ACCESS, **call, payload=payload), merged(AT - timedelta(days=1)))[0]
        == cause
    )


def test_a_clear_message_on_a_deleted_record_keeps_its_cause(store):
    clear = {"error_type": "INVALID_DATA", "message": "Missing required field [name__v] on [account__v]"}
    assert find_cause(store, error(0, **clear, **TARGET), merged(AT - timedelta(days=1)))[::2] == (
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
def test_an_account_change_explains_a_401_at_sign_in(store, after, cause):
    refined, confidence, evidence = find_cause(store, error(0, **UNAUTHORIZED), account(**after))
    assert (refined, confidence) == (cause, 0.9)
    assert "since 2026-03-10 07:00 UTC" in evidence


def test_a_later_sync_proves_that_the_account_worked(store):
    rows = [account(password_expired=True), *synced(0, at=AT - timedelta(hours=1))]
    assert find_cause(store, error(0, **UNAUTHORIZED), *rows)[::2] == ("sign-in-failed", "")


def test_a_reverted_account_change_is_no_evidence(store):
    rows = [account(locked=True), account(locked=False, at=AT - timedelta(hours=1))]
    assert find_cause(store, error(0, **UNAUTHORIZED), *rows)[2] == ""


def test_a_401_after_sign_in_is_the_session_whatever_the_account(store):
    midway = UNAUTHORIZED | {"phase": "upload", "operation": "update"}
    assert find_cause(store, error(0, **midway), account(password_expired=True))[::2] == (
        "session-expired",
        "",
    )


def test_another_sign_in_error_of_the_day_explains_a_401_also_by_email(store):
    user = SyncUser(user_id="u0", as_of=AT - timedelta(days=9), email="Rep.One@example.com")
    clear = UNAUTHORIZED | {"error_type": "Password Expired", "message": "Login: Password Expired"}
    trail = error(7, at=AT - timedelta(hours=2), **clear | {"user_id": "rep.one@example.com"})
    cause, _, evidence = find_cause(store, error(0, **UNAUTHORIZED), user, trail)
    assert cause == "password-expired"
    assert "Password Expired" in evidence
    early = error(0, at=AT - timedelta(days=4), **UNAUTHORIZED)
    assert find_cause(store, early, at=AT - timedelta(days=4))[2] == ""


def test_a_field_removed_before_the_error_and_restored_later_was_missing(store):
    update = {"object": "account__v", "operation": "update", "field": "beds__c"}
    removed = change(
        "field", "account__v", object="account__v", field="beds__c", before="{}", at=AT - timedelta(days=2)
    )
    restored = change(
        "field", "account__v", object="account__v", field="beds__c", after="{}", at=AT + timedelta(days=2)
    )
    missing = {"error_type": "INVALID_FIELD", "message": "No such column 'beds__c' on entity 'account__v'"}
    assert "no active field beds__c" in find_cause(store, error(0, **missing, **update), removed, restored)[2]
    later = AT + timedelta(days=3)
    assert find_cause(store, error(1, at=later, **missing, **update), n=1, at=later)[2] == ""


def broken_vmoc(as_of=AT):
    fields = [ObjectField(object=name, name="name__v", as_of=as_of) for name in ("account__v", "call2__v")]
    names = ("account__v", "call2__v", "formulary__c")
    return fields + [
        VmocInfo(
            vmoc_id=f"v-{name}", as_of=as_of, name=name, object=name, type="full", device="iPad", active=True
        )
        for name in names
    ]


DOWNLOAD = {"object": "formulary__c", "operation": "query", "phase": "download"}


def test_a_vmoc_for_a_missing_object_explains_a_failed_download(store):
    cause, _, evidence = find_cause(store, error(0, **NOTHING | DOWNLOAD), *broken_vmoc())
    assert cause == "sync-configuration"
    assert "formulary__c" in evidence


def test_a_vmoc_that_changed_since_the_error_is_no_evidence(store):
    since = change("vmoc", "formulary__c", object="formulary__c", after="x", at=AT + timedelta(days=1))
    assert (
        find_cause(store, error(0, **NOTHING | DOWNLOAD), *broken_vmoc(AT + timedelta(days=2)), since)[2]
        == ""
    )


def test_a_vmoc_is_no_evidence_for_uploads_or_other_objects(store):
    upload = DOWNLOAD | {"phase": "upload", "operation": "create"}
    other = DOWNLOAD | {"object": "account__v"}
    rows = [error(0, **NOTHING | upload), error(1, **NOTHING | other), *broken_vmoc()]
    assert find_cause(store, *rows)[2] == ""
    assert find_cause(store, n=1)[2] == ""


def test_the_only_setting_changed_just_before_decides(store):
    rows = [error(n, **NOTHING | {"phase": "download"}) for n in range(2)]
    limit = change("setting", "max_accounts_ipad__v", after="15")
    cause, confidence, evidence = find_cause(store, *rows, limit)
    assert (cause, confidence) == ("sync-configuration", 0.72)
    assert "max_accounts_ipad__v changed to 15" in evidence
    ingest.append(store, [change("setting", "other__v")], source="t", started_at=AT, clock=lambda: AT)
    assert find_cause(store)[2] == ""


def test_recent_settings_need_no_vmocs(store):
    rows = [error(n, **NOTHING | DOWNLOAD) for n in range(2)]
    limit = change("setting", "max_accounts_ipad__v", after="15")
    assert find_cause(store, *rows, limit)[0] == "sync-configuration"


def test_a_result_that_was_read_in_part_does_not_matter(store):
    store.execute("FROM range(100000)").fetchone()
    assert analysis.update_findings(store).events == 0
