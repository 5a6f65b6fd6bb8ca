"""The REST face as a function: sign-in, pages, metadata, writes, trails, and every way to misbehave."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync_engine.vault import admin, tracking
from sync_engine.vault_api.fault_injection import DOCUMENTED_TYPES, FAULTS, FaultInjection
from sync_engine.vault_api.logins import LOCK_AFTER
from sync_engine.vault_api.server_state import SERVICE_NAME, SERVICE_USER
from tests.support.examples import examples
from tests.sync_engine.vault_api.http_caller import PASSWORD, TOKEN, Caller, V

MakeCaller = Callable[..., Caller]
ALL_SYNCS = "SELECT id, name__v, sync_type__v, modified_date__v FROM sync_tracking__v ORDER BY id"


def kind_of(reply: dict) -> str:
    return reply["errors"][0]["type"] if reply["responseStatus"] != "SUCCESS" else "SUCCESS"


# Signing in


def test_signing_in_opens_a_session_for_this_vault(make_caller: MakeCaller) -> None:
    caller = make_caller()
    reply = caller.sign_in()
    assert len(reply["sessionId"]) == 128
    assert reply["vaultId"] == 90210
    assert caller("GET", f"{V}/objects/users/me")["users"][0]["user"]["id"] == int(SERVICE_USER)
    assert caller.last.headers["X-VaultAPI-UserId"] == SERVICE_USER


@pytest.mark.parametrize(
    ("change", "password", "error"),
    [
        ({}, "", "NO_PASSWORD_PROVIDED"),
        ({}, "wrong", "USERNAME_OR_PASSWORD_INCORRECT"),
        ({"active": False}, PASSWORD, "INACTIVE_USER"),
        ({"locked": True}, PASSWORD, "USER_LOCKED_OUT"),
        ({"password_expired": True}, PASSWORD, "PASSWORD_CHANGE_REQUIRED"),
    ],
)
def test_sign_ins_that_fail_say_why(make_caller: MakeCaller, change: dict, password: str, error: str) -> None:
    caller = make_caller()
    admin.set_user(caller.served.vault, SERVICE_USER, at=caller.now, **change)
    reply = caller.sign_in(password=password)
    assert (reply["errors"][0]["type"], reply["errorType"]) == (error, "AUTHENTICATION_FAILED")


def test_a_loop_of_wrong_passwords_locks_the_user_out(make_caller: MakeCaller) -> None:
    caller = make_caller()
    for _ in range(LOCK_AFTER):
        assert kind_of(caller.sign_in(password="wrong")) == "USERNAME_OR_PASSWORD_INCORRECT"
    assert kind_of(caller.sign_in()) == "USER_LOCKED_OUT"


def test_too_many_sign_ins_in_a_minute_are_refused(make_caller: MakeCaller) -> None:
    caller = make_caller()
    assert [kind_of(caller.sign_in()) for _ in range(21)] == ["SUCCESS"] * 20 + ["API_LIMIT_EXCEEDED"]
    caller.now += 61
    assert kind_of(caller.sign_in()) == "SUCCESS"


def test_a_token_stands_for_a_session_and_is_not_kept_in_clear(make_caller: MakeCaller) -> None:
    caller = make_caller()
    caller.session = f"Bearer {TOKEN}"
    assert caller("GET", f"{V}/objects/users/me")["responseStatus"] == "SUCCESS"
    assert TOKEN not in json.dumps(caller.served.vault.live["api_token"])


def test_an_identity_token_is_exchanged_for_a_session(make_caller: MakeCaller) -> None:
    caller = make_caller()
    reply = caller("POST", "/auth/oauth/session/p1", authorization=f"Bearer {TOKEN}")
    caller.session = reply["sessionId"]
    assert caller("GET", f"{V}/objects/users/me")["responseStatus"] == "SUCCESS"
    assert (
        kind_of(caller("POST", "/auth/oauth/session/p1", authorization="Bearer nope")) == "INVALID_SESSION_ID"
    )


def test_sessions_end_by_hand_by_idleness_and_at_last(caller: Caller) -> None:
    assert caller("POST", f"{V}/keep-alive")["responseStatus"] == "SUCCESS"
    caller.now += 8 * 3600 + 1
    assert kind_of(caller("POST", f"{V}/keep-alive")) == "INVALID_SESSION_ID"
    caller.sign_in()
    for _ in range(7):
        caller.now += 7 * 3600
        last = caller("POST", f"{V}/keep-alive")
    assert kind_of(last) == "INVALID_SESSION_ID"  # 49 hours, never idle
    caller.sign_in()
    assert caller("DELETE", f"{V}/session")["responseStatus"] == "SUCCESS"
    assert kind_of(caller("DELETE", f"{V}/session")) == "INVALID_SESSION_ID"


def test_configuration_mode_and_missing_api_access_keep_reps_out(make_caller: MakeCaller) -> None:
    caller = make_caller()
    rep = caller.served.vault.live["user"]["1000200"]
    assert kind_of(caller.sign_in(rep["email"], rep["password"])) == "SUCCESS"
    admin.set_setting(caller.served.vault, "configuration_mode", True, at=caller.now)
    assert kind_of(caller("GET", f"{V}/objects/users/me")) == "CONFIGURATION_MODE_ENABLED"
    admin.set_setting(caller.served.vault, "configuration_mode", False, at=caller.now)
    admin.set_application_permission(caller.served.vault, rep["permission_set"], "api", False, at=caller.now)
    reply = caller("GET", f"{V}/objects/users/me")
    assert "VaultActions_API_Access" in reply["errors"][0]["message"]


def test_a_rep_sees_only_the_records_of_their_territories(make_caller: MakeCaller) -> None:
    caller = make_caller()
    rep = caller.served.vault.live["user"]["1000200"]
    caller.sign_in()
    everything = {row["id"] for row in caller.everything("SELECT id FROM account__v")}
    caller.sign_in(rep["email"], rep["password"])
    visible_accounts = {row["id"] for row in caller.everything("SELECT id FROM account__v")}
    rows = caller.served.vault.db.execute(
        "SELECT id FROM record WHERE object = 'account__v' AND NOT deleted AND territory = ?",
        rep["territories"],
    )
    assert visible_accounts == {row[0] for row in rows} < everything


# Paths and versions


def test_versions_are_listed_and_others_do_not_exist(caller: Caller, make_caller: MakeCaller) -> None:
    assert "v26.2" in caller("GET", "/api/")["values"]
    assert kind_of(caller("GET", "/api/v19.1/objects/users/me")) == "MALFORMED_URL"
    assert caller.last.status == 404
    trapped = make_caller("version-trap=1")
    trapped.sign_in()
    assert kind_of(trapped("GET", "/api/v19.1/objects/users/me")) == "INVALID_SESSION_ID"


def test_wrong_paths_and_methods_are_told_apart(caller: Caller) -> None:
    assert kind_of(caller("GET", f"{V}/nowhere")) == "MALFORMED_URL"
    assert kind_of(caller("DELETE", f"{V}/query")) == "METHOD_NOT_SUPPORTED"
    assert kind_of(caller("GET", f"{V}/auth")) == "METHOD_NOT_SUPPORTED"


# Queries


@pytest.mark.parametrize("links", ["full", "versioned", "bare", "mixed"])
def test_pages_in_every_form_of_link_make_the_whole(make_caller: MakeCaller, links: str) -> None:
    caller = make_caller("shrink=7", link_form=links)
    caller.sign_in()
    rows = caller.everything(ALL_SYNCS) if links != "full" and links != "mixed" else _follow(caller)
    truth = sorted(one.id for one in tracking.read_tracking_records(caller.served.vault, 0.0, caller.now + 1))
    assert [row["id"] for row in rows] == truth
    assert len(truth) > 7


def _follow(caller: Caller) -> list[dict]:
    reply = caller.query(ALL_SYNCS)
    rows = list(reply["data"])
    while link := reply["responseDetails"].get("next_page"):
        link = link.removeprefix("http://127.0.0.1")
        reply = caller("POST", link if link.startswith("/api/") else V + link)
        rows += reply["data"]
    return rows


def test_pages_do_not_move_when_records_come_in_between(caller: Caller) -> None:
    first = caller.query(ALL_SYNCS + " PAGESIZE 5")
    row = {
        "mobile_id__v": "s-new",
        "name__v": "ST-new",
        "sync_type__v": "incremental__v",
        "refresh_mode__v": None,
    }
    times = {"sync_start_datetime__v": caller.now, "sync_completed_datetime__v": None}
    tracking.store_tracking_records(caller.served.vault, "1000200", [row | times], caller.now)
    second = caller("GET", first["responseDetails"]["next_page"])
    assert second["responseDetails"]["total"] == first["responseDetails"]["total"]
    assert second["responseDetails"]["pageoffset"] == 5
    assert "previous_page" in second["responseDetails"]


def test_a_page_link_expires_72_hours_after_its_last_use(caller: Caller) -> None:
    link = caller.query(ALL_SYNCS + " PAGESIZE 5")["responseDetails"]["next_page"]
    caller.now += 71 * 3600
    caller.sign_in()
    assert caller("GET", link)["responseStatus"] == "SUCCESS"
    caller.now += 73 * 3600
    caller.sign_in()
    assert "expired" in caller("GET", link)["errors"][0]["message"]


def test_a_query_is_described_when_asked(caller: Caller) -> None:
    text = (
        "SELECT id, TRIM(sync_type__v) AS kind, created_by__vr.username__sys FROM sync_tracking__v PAGESIZE 1"
    )
    described = caller.query(text, x_vaultapi_describequery="true", x_vaultapi_recordproperties="all")
    fields = described["queryDescribe"]["fields"]
    assert [one["type"] for one in fields] == ["id", "Picklist", "String"]
    assert (fields[1]["name"], fields[1]["function"], fields[1]["alias"]) == ("kind", "TRIM", True)
    assert "alias" not in fields[2]
    assert described["record_properties"][0]["id"] == described["data"][0]["id"]
    assert "queryDescribe" not in caller.query(text)


def test_the_truth_of_sync_tracking_comes_back_field_by_field(caller: Caller) -> None:
    names = "id, sync_type__v, sync_duration__v, successful_sync__v, number_of_uploads__v, created_by__v"
    rows = {row["id"]: row for row in caller.everything(f"SELECT {names} FROM sync_tracking__v")}
    for one in tracking.read_tracking_records(caller.served.vault, 0.0, caller.now + 1):
        row = rows[one.id]
        assert row["sync_type__v"] == [one.sync_type__v]
        assert row["sync_duration__v"] == one.sync_duration__v
        assert row["successful_sync__v"] == one.successful_sync__v
        assert str(row["created_by__v"]) == one.created_by__v


def test_show_lists_targets_fields_and_relationships(caller: Caller) -> None:
    assert "sync_tracking__v" in {row["name"] for row in caller.query("SHOW TARGETS")["data"]}
    assert "version__v" in {row["name"] for row in caller.query("SHOW FIELDS FROM sync_tracking__v")["data"]}
    shown = caller.query("SHOW RELATIONSHIPS FROM call2__v")["data"]
    assert {"name": "account__vr", "target": "account__v", "type": "outbound"} in shown
    reply = caller.query("SHOW FIELDS FROM call2__v LIKE 'call_date%'")
    assert reply["responseDetails"] == {"pagesize": 1000, "pageoffset": 0, "size": 1, "total": 1}


def test_the_users_target_has_no_page_links(caller: Caller) -> None:
    assert "next_page" not in caller.query("SELECT id FROM users PAGESIZE 1")["responseDetails"]
    assert "next_page" in caller.query("SELECT id FROM user__sys PAGESIZE 1")["responseDetails"]


# Metadata


def test_metadata_describes_every_object_that_a_query_may_ask(caller: Caller) -> None:
    for entry in caller("GET", f"{V}/metadata/vobjects")["objects"]:
        one = caller("GET", entry["url"])["object"]
        names = ", ".join(field["name"] for field in one["fields"])
        reply = caller.query(f"SELECT {names} FROM {entry['name']} PAGESIZE 1")
        assert reply["responseStatus"] == "SUCCESS", reply
        for row in reply["data"]:
            assert set(row) == {field["name"] for field in one["fields"]}
    assert caller("GET", f"{V}/metadata/vobjects/call2__v/fields/call_date__v")["field"]["type"] == "Date"


def test_picklists_name_the_values_in_use(caller: Caller) -> None:
    names = {one["name"] for one in caller("GET", f"{V}/objects/picklists")["picklists"]}
    assert {"sync_type__v", "refresh_mode__v"} <= names
    values = {one["name"] for one in caller("GET", f"{V}/objects/picklists/sync_type__v")["picklistValues"]}
    used = {row["sync_type__v"][0] for row in caller.everything(ALL_SYNCS)}
    assert used == values
    assert kind_of(caller("GET", f"{V}/objects/picklists/nope__v")) == "INVALID_DATA"


def test_rights_of_a_user_follow_their_permission_set(caller: Caller) -> None:
    vault = caller.served.vault
    name = vault.live["user"]["1000200"]["permission_set"]
    admin.set_object_permission(vault, name, "order__v", "delete", False, at=caller.now)
    path = f"{V}/objects/users/1000200/permissions?filter=name__v::object.order__v.object_actions"
    rights = caller("GET", path)["data"][0]["permissions"]
    assert (rights["read"], rights["delete"]) == (True, False)
    sets = {one["name"]: one for one in caller("GET", f"{V}/configuration/Permissionset")["data"]}
    assert sets[name]["objects"]["order__v"] == {"delete": False}


# Writes


def test_a_bulk_write_answers_each_row_in_order(caller: Caller) -> None:
    account = caller.query("SELECT id FROM account__v LIMIT 1")["data"][0]["id"]
    rows = [
        {"account__v": account, "call_date__v": "2026-03-03", "status__v": ["planned__v"]},
        {"account__v": account},
        {"account__v": "V000000000000000", "call_date__v": "2026-03-03"},
        {"account__v": account, "call_date__v": "2026-03-03", "status__v": "dreamt__v"},
        {"account__v": account, "call_date__v": "2026-03-03", "moon__v": "full"},
    ]
    reply = caller.write("POST", "call2__v", rows)
    assert reply["responseStatus"] == "SUCCESS"
    types = [one["responseStatus"] if "data" in one else one["errors"][0]["type"] for one in reply["data"]]
    assert types == [
        "SUCCESS",
        "PARAMETER_REQUIRED",
        "INVALID_DATA",
        "INVALID_DATA",
        "ATTRIBUTE_NOT_SUPPORTED",
    ]
    made = caller("GET", reply["data"][0]["data"]["url"])["data"]
    assert (made["account__v"], made["status__v"]) == (account, ["planned__v"])


def test_update_and_delete_change_one_record_and_say_when_nothing_changes(caller: Caller) -> None:
    record_id = caller.query("SELECT id FROM account__v LIMIT 1")["data"][0]["id"]
    change = [{"id": record_id, "phone__v": "+1"}]
    assert caller.write("PUT", "account__v", change)["responseStatus"] == "SUCCESS"
    again = caller.write("PUT", "account__v", change)
    assert (again["responseStatus"], again["data"][0]["responseStatus"]) == ("WARNING", "WARNING")
    assert caller("GET", f"{V}/vobjects/account__v/{record_id}")["data"]["phone__v"] == "+1"
    product = caller.write("POST", "product__v", [{"name__v": "Gone"}])["data"][0]["data"]["id"]
    caller.write("DELETE", "product__v", [{"id": product}])
    gone = caller("GET", f"{V}/objects/deletions/vobjects/product__v")["data"]
    assert [one["id"] for one in gone] == [product]
    assert kind_of(caller("GET", f"{V}/vobjects/product__v/{product}")) == "INVALID_DATA"
    assert caller.write("DELETE", "product__v", [{"id": product}])["data"][0]["responseStatus"] == "FAILURE"


def test_an_upsert_creates_once(caller: Caller) -> None:
    row = [{"mobile_id__v": "m-0123456789abcdef0123", "name__v": "Once"}]
    events = [
        caller.write("POST", "product__v", row, "?idParam=mobile_id__v")["data"][0]["data"].get("event"),
        caller.write("POST", "product__v", [row[0] | {"name__v": "Twice"}], "?idParam=mobile_id__v")["data"][
            0
        ]["data"]["event"],
    ]
    assert events == ["created__sys", "updated__sys"]
    names = [one["name__v"] for one in caller.everything("SELECT name__v FROM product__v")]
    assert (names.count("Once"), names.count("Twice")) == (0, 1)


def test_rows_may_come_as_csv(caller: Caller) -> None:
    account = caller.query("SELECT id FROM account__v LIMIT 1")["data"][0]["id"]
    text = f"\ufeffaccount__v,order_date__v,net_amount__v\r\n{account},2026-03-01,12.5\r\n{account},,\r\n"
    reply = json.loads(
        caller.raw("POST", f"{V}/vobjects/order__v", text.encode(), content_type="text/csv").body
    )
    assert [one["responseStatus"] for one in reply["data"]] == ["SUCCESS", "SUCCESS"]
    made = caller("GET", reply["data"][0]["data"]["url"])["data"]
    assert (made["net_amount__v"], made["order_date__v"]) == (12.5, "2026-03-01")


def test_more_than_500_rows_are_refused_whole(caller: Caller) -> None:
    assert len(caller.write("POST", "product__v", [{"name__v": "x"}] * 500)["data"]) == 500
    assert kind_of(caller.write("POST", "product__v", [{"name__v": "x"}] * 501)) == "OPERATION_NOT_ALLOWED"


def test_a_lever_set_through_the_api_reaches_the_user_and_the_trail(caller: Caller) -> None:
    caller.write("PUT", "user__sys", [{"id": 1000200, "force_full_refresh__v": True}])
    assert caller.served.vault.live["user"]["1000200"]["force_full_refresh__v"] is True
    trail = caller("GET", f"{V}/audittrail/object_audit_trail?objects=user__sys")["data"]
    assert [(row["field_name"], row["new_value"], row["record_id"]) for row in trail] == [
        ("force_full_refresh__v", "True", "1000200")
    ]
    assert caller("GET", f"{V}/vobjects/user__sys/1000200/audittrail")["data"] == trail


def test_a_vmoc_changed_through_the_api_holds_and_is_audited(caller: Caller) -> None:
    text = (
        "SELECT id, where_clause__v FROM vmobile_object_configuration__v WHERE object_name__v = 'account__v'"
    )
    vmoc = caller.query(text)["data"][0]
    caller.write(
        "PUT", "vmobile_object_configuration__v", [{"id": vmoc["id"], "where_clause__v": "npi__v != null"}]
    )
    assert caller.query(text)["data"][0]["where_clause__v"] == "npi__v != null"
    row = caller("GET", f"{V}/audittrail/object_audit_trail")["data"][-1]
    assert (row["record_id"], row["field_name"], row["new_value"]) == (
        vmoc["id"],
        "where_clause__v",
        "npi__v != null",
    )


# Trails and logs


def test_trails_page_and_keep_to_their_days(caller: Caller) -> None:
    kinds = {one["name"] for one in caller("GET", f"{V}/metadata/audittrail")["audittrails"]}
    assert {"login_audit_trail", "system_audit_trail", "object_audit_trail"} <= kinds
    for kind in kinds:
        fields = {one["name"] for one in caller("GET", f"{V}/metadata/audittrail/{kind}")["data"]["fields"]}
        for row in caller("GET", f"{V}/audittrail/{kind}?start_date=2026-03-01")["data"]:
            assert set(row) == fields
    reply = caller("GET", f"{V}/audittrail/login_audit_trail?start_date=2026-03-01&limit=2")
    rows = reply["data"]
    while link := reply["responseDetails"].get("next_page"):
        reply = caller("GET", link)
        rows += reply["data"]
    assert len(rows) == reply["responseDetails"]["total"] > 2
    assert len({row["id"] for row in rows}) == len(rows)
    assert kind_of(caller("GET", f"{V}/audittrail/login_audit_trail?start_date=2026-01-01")) == "INVALID_DATA"


def test_every_change_of_configuration_is_in_one_trail(caller: Caller) -> None:
    changes = list(admin.audit_trail(caller.served.vault))
    descriptions = {
        row["event_description"]
        for kind in ("system_audit_trail", "object_audit_trail")
        for row in caller("GET", f"{V}/audittrail/{kind}?start_date=2026-03-01&limit=1000")["data"]
    }
    system = [one for one in changes if one.kind not in ("vmoc", "user", "setting")]
    assert system
    assert {one.detail or f"{one.kind} {one.target} changed" for one in system} <= descriptions


def test_the_usage_log_has_a_line_for_each_call(caller: Caller) -> None:
    caller.query("SELECT nope", x_vaultapi_referenceid="run-7", x_vaultapi_clientid="my client")
    caller("GET", f"{V}/objects/users/me", x_vaultapi_clientid="synclens")
    assert "X-VaultAPI-ReferenceId" not in caller.last.headers
    reply = caller.raw("GET", f"{V}/logs/api_usage?date=2026-03-06")
    assert reply.content_type == "application/octet-stream;charset=UTF-8"
    with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
        (name,) = archive.namelist()
        rows = list(csv.DictReader(io.StringIO(archive.read(name).decode())))
    assert name == "90210-APIUsageLog-2026-03-06.csv"
    assert [row["client_id"] for row in rows] == ["unknown", "invalid_client_id", "synclens"]
    assert (rows[1]["api_response_error_type"], rows[1]["reference_id"]) == (
        "INCORRECT_QUERY_SYNTAX_ERROR",
        "run-7",
    )
    assert len({row["execution_id"] for row in rows}) == 3


# Direct Data


def unpacked(caller: Caller, entry: dict) -> dict[str, list[dict[str, str]]]:
    packed = b""
    for part in entry["filepart_details"]:
        body = caller.raw("GET", part["url"].removeprefix("http://127.0.0.1")).body
        assert (len(body), hashlib.md5(body).hexdigest()) == (part["size"], part["md5checksum"])
        packed += body
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed))) as archive:
        return {
            one.name: list(csv.DictReader(io.StringIO(archive.extractfile(one).read().decode())))
            for one in archive.getmembers()
        }


def listing(caller: Caller, kind: str, tail: str = "") -> list[dict]:
    return caller("GET", f"{V}/services/directdata/files?extract_type={kind}_directdata{tail}")["data"]


def test_a_full_file_and_the_increments_after_it_make_the_vault(make_caller: MakeCaller) -> None:
    caller = make_caller(part_bytes=9_000)
    caller.sign_in()
    full = listing(caller, "full")[-1]
    assert full["fileparts"] > 1
    content = unpacked(caller, full)
    rows = {row["id"]: row for row in content["Object/sync_tracking__v.csv"]}
    for entry in listing(caller, "incremental", f"&start_time={full['stop_time']}"):
        for row in unpacked(caller, entry).get("Object/sync_tracking__v.csv", []):
            rows[row["id"]] = row
    truth = {row["id"]: row for row in caller.everything(ALL_SYNCS)}
    assert rows.keys() == truth.keys()
    assert all(rows[key]["sync_type__v"] == truth[key]["sync_type__v"][0] for key in truth)
    assert sum(int(row["records"]) for row in content["manifest.csv"] if row["file"]) >= full["record_count"]
    columns = {row["column_name"] for row in content["Metadata/metadata.csv"] if "sync_tr" in row["extract"]}
    assert columns == set(content["Object/sync_tracking__v.csv"][0])


def test_increments_carry_deletes_apart(caller: Caller) -> None:
    product = caller.write("POST", "product__v", [{"name__v": "Gone"}])["data"][0]["data"]["id"]
    caller.now += 100
    caller.write("DELETE", "product__v", [{"id": product}])
    caller.now += 900
    content = unpacked(caller, listing(caller, "incremental")[-1])
    assert [row["id"] for row in content["Object/product__v_deletes.csv"]] == [product]
    kinds = {(row["extract"], row["type"]): row["records"] for row in content["manifest.csv"]}
    assert kinds["Object.product__v", "deletes"] == "1"
    assert "metadata_full.csv" in content


def test_log_files_hold_the_trails_of_a_day(caller: Caller) -> None:
    content = unpacked(caller, listing(caller, "log")[-1])
    assert any(name.startswith("Log/") for name in content)


def test_direct_data_fails_in_parts_when_told(make_caller: MakeCaller) -> None:
    caller = make_caller("fail-part=1", "unpublished=2", "no-md5=1")
    caller.sign_in()
    assert ["error" in one for one in listing(caller, "incremental")][-3:] == [False, True, True]
    part = listing(caller, "full")[-1]["filepart_details"][0]
    assert "md5checksum" not in part
    path = part["url"].removeprefix("http://127.0.0.1")
    kinds = [caller.raw("GET", path).content_type.partition(";")[0] for _ in range(2)]
    assert kinds == ["application/json", "application/octet-stream"]


# Injected faults


@pytest.mark.parametrize("error", DOCUMENTED_TYPES)
def test_every_documented_error_can_be_had_in_its_envelope(make_caller: MakeCaller, error: str) -> None:
    caller = make_caller(f"error:{error}=1")
    reply = caller("GET", "/api/")
    assert (reply["responseStatus"], reply["errors"][0]["type"]) == ("FAILURE", error)
    assert caller.last.status == 200
    assert caller.last.headers["X-VaultAPI-Status"] == "FAILURE"


def test_replies_that_are_not_vaults(make_caller: MakeCaller) -> None:
    seen = {}
    for way in ("not-found", "proxy", "portal", "drop", "unknown-type", "exception", "configuration-mode"):
        caller = make_caller(f"{way}=2")
        assert caller.raw("GET", "/api/").status == 200
        seen[way] = caller.raw("GET", "/api/")
    assert (seen["not-found"].status, json.loads(seen["not-found"].body)["responseStatus"]) == (
        404,
        "FAILURE",
    )
    assert (seen["proxy"].status, seen["proxy"].content_type) == (502, "text/html")
    assert (seen["portal"].status, seen["portal"].content_type) == (200, "text/html")
    assert seen["drop"].dropped
    assert json.loads(seen["exception"].body)["responseStatus"] == "EXCEPTION"
    assert json.loads(seen["unknown-type"].body)["errors"][0]["type"] not in DOCUMENTED_TYPES


def test_a_session_expires_after_so_many_calls_in_either_shape(make_caller: MakeCaller) -> None:
    for ways in (("expire=3",), ("expire=3", "odd-session=1")):
        caller = make_caller(*ways)
        caller.sign_in()
        for _ in range(3):
            assert caller("POST", f"{V}/keep-alive")["responseStatus"] == "SUCCESS"
        reply = caller("POST", f"{V}/keep-alive")
        assert (reply.get("errorType") or reply["errors"][0]["type"]) == "INVALID_SESSION_ID"
        assert ("errors" in reply) is (len(ways) == 1)
        caller.sign_in()
        assert caller("POST", f"{V}/keep-alive")["responseStatus"] == "SUCCESS"


def test_calls_beyond_the_burst_are_held_back_and_say_so(make_caller: MakeCaller) -> None:
    caller = make_caller("burst=3")
    replies = [caller.raw("GET", "/api/") for _ in range(5)]
    assert [reply.delay for reply in replies] == [0, 0, 0.5, 0.5, 0.5]
    assert [reply.headers["X-VaultAPI-BurstLimitRemaining"] for reply in replies] == ["2", "1", "0", "0", "0"]
    assert replies[-1].headers["X-VaultAPI-ResponseDelay"] == "500"
    caller.now += 301
    assert caller.raw("GET", "/api/").delay == 0


def test_other_ways_to_mislead(make_caller: MakeCaller) -> None:
    assert make_caller("other-vault=1").sign_in()["vaultId"] != 90210
    drifting = make_caller("drift=1", "warning=1")
    drifting.sign_in()
    assert kind_of(drifting.query("SELECT")) == "INCORRECT_QUERY_SYNTAX"
    spellings = [set(drifting.query(ALL_SYNCS)["warnings"][0]) - {"message"} for _ in range(2)]
    assert spellings == [{"type"}, {"warning_type"}]
    forgetful = make_caller("forget-pages=1")
    forgetful.sign_in()
    link = forgetful.query(ALL_SYNCS + " PAGESIZE 5")["responseDetails"]["next_page"]
    assert kind_of(forgetful("GET", link)) == "INVALID_DATA"
    link = forgetful.query(ALL_SYNCS + " PAGESIZE 5")["responseDetails"]["next_page"]
    assert kind_of(forgetful("GET", link)) == "SUCCESS"  # the next query lives longer, so that a pull can end


def test_unknown_ways_are_refused_with_the_known_ones() -> None:
    for text in ("sulk=1", "expire", "expire=0", "expire=x", "error:NOPE=1"):
        with pytest.raises(ValueError, match="expire"):
            FaultInjection.parse([text])
    assert FaultInjection.parse([f"{way}=1" for way in FAULTS]).setting("burst") == 1


# Robustness


def test_secrets_are_nowhere_in_replies_and_logs(make_caller: MakeCaller) -> None:
    caller = make_caller()
    assert PASSWORD not in json.dumps(caller.sign_in(password=PASSWORD + "!"))
    caller.sign_in()
    caller.everything("SELECT id, name__v, username__sys FROM user__sys")
    logged = str(caller.served.vault.db.execute("SELECT doc FROM rest_call").fetchall())
    shown = json.dumps(caller("GET", f"{V}/vobjects/user__sys/{SERVICE_USER}"))
    assert PASSWORD not in logged + shown
    assert SERVICE_NAME in shown


@pytest.mark.parametrize(
    "value",
    ["NaN", "Infinity", "-1e999", "1" + "0" * 40, "[1]", '{"a": 1}', '"\\ud800"', "[" * 5_000 + "]" * 5_000],
)
def test_values_that_no_record_may_hold_are_refused(caller: Caller, value: str) -> None:
    account = caller.query("SELECT id FROM account__v LIMIT 1")["data"][0]["id"]
    body = f'[{{"account__v": "{account}", "net_amount__v": {value}}}]'.encode()
    reply = caller.raw("POST", f"{V}/vobjects/order__v", body, content_type="application/json")
    doc = json.loads(reply.body, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    refused = doc if "data" not in doc else doc["data"][0]
    assert refused["errors"][0]["type"] == "INVALID_DATA"
    assert caller.query("SELECT id FROM order__v WHERE net_amount__v > 99999999")["data"] == []


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(150), deadline=None
)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    path=st.sampled_from(
        [
            "/query",
            "/query/x",
            "/vobjects/call2__v",
            "/vobjects/user__sys",
            "/audittrail/login_audit_trail",
            "/auth",
            "/services/directdata/files",
            "/services/directdata/files/x.1",
            "/logs/api_usage",
            "/objects/users",
        ]
    ),
    tail=st.text(max_size=30),
    kind=st.sampled_from(
        ["application/json", "text/csv", "multipart/form-data; boundary=x", "application/x-nothing"]
    ),
    body=st.one_of(
        st.binary(max_size=80), st.sampled_from([b'[{"id": [1]}]', b'[{"id": {}}]', b"[1]", b"q=SELECT"])
    ),
)
def test_nothing_that_is_sent_makes_it_raise(
    caller: Caller, method: str, path: str, tail: str, kind: str, body: bytes
) -> None:
    query = "".join(
        f"?{name}={tail}"
        for name in ["limit", "date", "start_date", "q", "extract_type"][len(tail) % 5 :][:1]
    )
    reply = caller.raw(method, V + path + query, body, content_type=kind)
    if reply.content_type.startswith("application/json"):
        assert json.loads(reply.body)["responseStatus"] in ("SUCCESS", "FAILURE", "WARNING")
