"""Sessions, audit trails, jobs, users and the domain, and what is refused instead of left empty."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from sync_engine.vault import admin
from sync_engine.vault_api.server_state import SERVICE_USER
from tests.sync_engine.vault_api.http_caller import Caller, V

MakeCaller = Callable[..., Caller]
TRAIL = f"{V}/audittrail/object_audit_trail"


def error_of(reply: dict[str, Any]) -> str:
    assert reply["responseStatus"] == "FAILURE", reply
    return str(reply["errors"][0]["type"])


def test_an_existing_session_is_validated_by_the_address_of_the_version(make_caller: MakeCaller) -> None:
    caller = make_caller()
    assert caller("GET", "/api/")["responseStatus"] == "SUCCESS"  # needs no session
    assert error_of(caller("GET", V)) == "INVALID_SESSION_ID"
    caller.sign_in()
    for path in (V, f"{V}/"):
        reply = caller("GET", path)
        assert (reply["responseStatus"], "v26.2" in reply["values"]) == ("SUCCESS", True)
    assert error_of(caller("POST", V)) in ("METHOD_NOT_SUPPORTED", "MALFORMED_URL")
    caller("DELETE", f"{V}/session")
    assert error_of(caller("GET", V)) == "INVALID_SESSION_ID"


def test_a_caller_who_reads_xml_only_is_refused(caller: Caller) -> None:
    assert error_of(caller("GET", f"{V}/objects/domain", accept="application/xml")) == "OPERATION_NOT_ALLOWED"
    for accept in ("application/json", "*/*", "application/xml, application/json"):
        assert caller("GET", f"{V}/objects/domain", accept=accept)["responseStatus"] == "SUCCESS"


def test_nobody_has_delegate_access(caller: Caller) -> None:
    assert caller("GET", f"{V}/delegation/vaults")["delegated_vaults"] == []
    assert error_of(caller("POST", f"{V}/delegation/login")) == "PARAMETER_REQUIRED"
    form = {"vault_id": "90210", "delegator_userid": "1000200"}
    assert error_of(caller("POST", f"{V}/delegation/login", form)) == "INSUFFICIENT_ACCESS"


def test_domain_and_domains_have_their_own_shapes(caller: Caller) -> None:
    vault = caller("GET", f"{V}/objects/domain")["domain__v"]["vaults__v"][0]
    assert (vault["id"], "vault_application__v" in vault) == (90210, False)
    vault = caller("GET", f"{V}/objects/domain?include_application=true")["domain__v"]["vaults__v"][0]
    assert vault["vault_application__v"]
    assert caller("GET", f"{V}/objects/domains")["domains"] == [{"name": "example.com", "type": "Test"}]


def test_users_are_sorted_and_belong_to_this_vault(caller: Caller) -> None:
    ids = [one["user"]["id"] for one in caller("GET", f"{V}/objects/users")["users"]]
    assert ids == sorted(ids)
    down = caller("GET", f"{V}/objects/users?sort=id desc")["users"]
    assert [one["user"]["id"] for one in down] == ids[::-1]
    assert caller("GET", f"{V}/objects/users?vaults=90210")["total"] == len(ids)
    assert caller("GET", f"{V}/objects/users?vaults=-1")["users"] == []  # there is no other Vault
    for bad in ("vaults=mine", "sort=shoe asc", "sort=id up", "limit=0"):
        assert error_of(caller("GET", f"{V}/objects/users?{bad}")) == "INVALID_DATA"
    me = caller("GET", f"{V}/objects/users/me")["users"][0]["user"]
    assert (me["id"], "vault_membership" in me) == (int(SERVICE_USER), False)
    me = caller("GET", f"{V}/objects/users/me?exclude_vault_membership=false")["users"][0]["user"]
    assert me["vault_membership"][0]["id"] == 90210
    named = {one["name"] for one in caller("GET", f"{V}/metadata/objects/users")["properties"]}
    assert named == set(me) - {"vault_membership"}


def test_the_users_target_has_the_names_of_the_users_endpoint(caller: Caller) -> None:
    text = f"SELECT id, security_profile__v, user_timezone__v FROM users WHERE id = {SERVICE_USER}"
    assert caller.query(text)["data"] == [
        {"id": 41000, "security_profile__v": "system_admin__v", "user_timezone__v": "UTC"}
    ]
    assert error_of(caller.query("SELECT id FROM users FIND ('a')")) == "INCORRECT_QUERY_SYNTAX_ERROR"
    assert "users" not in {each["name"] for each in caller("GET", f"{V}/metadata/vobjects")["objects"]}


def test_time_zones_have_the_names_of_picklist_values(caller: Caller) -> None:
    zones = {
        row["id"]: row["timezone__sys"]
        for row in caller.everything("SELECT id, timezone__sys FROM user__sys")
    }
    user = caller("GET", f"{V}/objects/users/1000200")["users"][0]["user"]
    assert user["user_timezone__v"] == "Europe/Madrid"
    assert zones[1000200] == ["europe_madrid__sys"]


def test_an_unknown_permission_is_refused(caller: Caller) -> None:
    path = f"{V}/objects/users/me/permissions?filter=name__v::object"
    assert caller("GET", f"{path}.call2__v.object_actions")["data"][0]["permissions"]["read"] is True
    assert error_of(caller("GET", f"{path}.nothing__v.object_actions")) == "INVALID_DATA"


def test_trails_describe_their_columns(caller: Caller) -> None:
    fields = caller("GET", f"{V}/metadata/audittrail/login_audit_trail")["data"]["fields"]
    assert {one["name"]: one["type"] for one in fields} | {"id": "Number", "timestamp": "DateTime"} == {
        one["name"]: one["type"] for one in fields
    }


def test_a_trail_as_csv_is_a_job(caller: Caller) -> None:
    admin.set_user(caller.served.vault, "1000200", at=caller.now - 60, upload_vtrans__v=True)
    rows = caller("GET", TRAIL)["data"]
    started = caller("GET", f"{TRAIL}?format_result=csv")
    assert started["url"] == f"{V}/services/jobs/{started['jobId']}"
    status = caller("GET", started["url"])["data"]
    assert (status["id"], status["status"]) == (int(started["jobId"]), "SUCCESS")
    assert error_of(caller("GET", started["url"])) == "API_LIMIT_EXCEEDED"
    caller.now += 10
    assert caller("GET", started["url"])["responseStatus"] == "SUCCESS"
    href = next(link["href"] for link in status["links"] if link["rel"] == "content")
    content = caller.raw("GET", href).body.decode()
    assert [row["id"] for row in csv.DictReader(io.StringIO(content))] == [row["id"] for row in rows] != []
    assert [job["job_id"] for job in caller("GET", f"{V}/services/jobs/histories")["jobs"]] == [status["id"]]
    assert caller("GET", f"{V}/services/jobs/monitors")["jobs"] == []
    assert error_of(caller("GET", f"{V}/services/jobs/9")) == "INVALID_DATA"


def test_a_record_history_has_a_window_events_and_csv(caller: Caller) -> None:
    for minutes in (120, 60):
        at = caller.now - minutes * 60
        admin.set_user(caller.served.vault, "1000200", at=at, upload_vtrans__v=minutes == 120)
    path = f"{V}/vobjects/user__sys/1000200/audittrail"
    rows = caller("GET", path)["data"]
    assert [row["new_value"] for row in rows] == ["True", "False"]
    assert caller("GET", f"{path}?start_date={rows[1]['timestamp']}")["data"] == rows[1:]
    assert caller("GET", f"{path}?events=Delete,Edit")["data"] == rows
    assert caller("GET", f"{path}?events=edit")["data"] == []  # documented: case-sensitive
    reply = caller.raw("GET", f"{path}?format_result=csv")
    assert reply.content_type == "text/csv;charset=UTF-8"
    assert [row["id"] for row in csv.DictReader(io.StringIO(reply.body.decode()))] == [
        row["id"] for row in rows
    ]
    assert error_of(caller("GET", f"{V}/vobjects/user__sys/7/audittrail")) == "INVALID_DATA"
    assert error_of(caller("GET", f"{V}/vobjects/nothing__v/7/audittrail")) == "MALFORMED_URL"


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("audittrail/login_audit_trail?objects=account__v", "INVALID_DATA"),
        ("audittrail/system_audit_trail?events=Edit", "INVALID_DATA"),
        ("audittrail/object_audit_trail?format_result=pdf", "INVALID_DATA"),
        ("audittrail/object_audit_trail?all_dates=true&format_result=csv", "OPERATION_NOT_ALLOWED"),
        ("audittrail/object_audit_trail?end_date=2026-01-01", "INVALID_DATA"),
        ("audittrail/nothing_audit_trail", "MALFORMED_URL"),
        ("logs/api_usage?date=2026-03-05&log_format=logfile", "OPERATION_NOT_ALLOWED"),
        ("logs/api_usage", "PARAMETER_REQUIRED"),
        ("metadata/components/Nothing", "INVALID_DATA"),
        ("configuration/Securityprofile", "INVALID_DATA"),
        ("configuration/Permissionset.nothing__c", "INVALID_DATA"),
        ("vobjects/account__v?fields=id,shoe__v", "ATTRIBUTE_NOT_SUPPORTED"),
        ("objects/documents", "MALFORMED_URL"),
        ("objects/documents/1", "MALFORMED_URL"),
        ("objects/groups", "MALFORMED_URL"),
        ("services/loader/extract", "MALFORMED_URL"),
        ("services/file_staging/items/", "MALFORMED_URL"),
        ("logs/code/debug", "MALFORMED_URL"),
        ("objects/securitypolicies", "MALFORMED_URL"),
    ],
)
def test_what_is_not_served_is_refused(caller: Caller, path: str, error: str) -> None:
    assert error_of(caller("GET", f"{V}/{path}")) == error


@pytest.mark.parametrize(
    "path",
    [
        "audittrail/login_audit_trail",
        "audittrail/object_audit_trail",
        "logs/api_usage?date=2026-03-05",
        "services/directdata/files",
        "services/directdata/files/90210-20260305-0000-F.001",
    ],
)
def test_logs_and_all_records_are_for_administrators(make_caller: MakeCaller, path: str) -> None:
    caller = make_caller()
    rep = caller.served.vault.live["user"]["1000200"]
    caller.sign_in(rep["email"], rep["password"])
    assert error_of(caller("GET", f"{V}/{path}")) == "INSUFFICIENT_ACCESS"


def test_limits_count_custom_objects(caller: Caller) -> None:
    (limit,) = caller("GET", f"{V}/limits")["data"]
    assert (limit["name"], limit["max"]) == ("custom_objects", 20)
    assert 0 <= limit["remaining"] <= 20


def test_records_carry_their_object_and_pages_their_links(caller: Caller) -> None:
    first = caller("GET", f"{V}/vobjects/account__v?limit=2&fields=id,name__v")
    assert first["responseDetails"]["object"]["name"] == "account__v"
    second = caller("GET", first["responseDetails"]["next_page"])
    assert second["responseDetails"]["previous_page"].endswith("&offset=0&fields=id,name__v")
    one = caller("GET", f"{V}/vobjects/account__v/{first['data'][0]['id']}")
    assert one["responseDetails"]["url"].endswith(first["data"][0]["id"])
    assert one["responseDetails"]["object"]["label_plural"] == "Accounts"


def test_a_long_subquery_has_a_link_to_its_next_page(caller: Caller) -> None:
    text = "SELECT id, (SELECT id FROM call2s__vr PAGESIZE 1) FROM account__v"
    parents = [
        row["call2s__vr"]
        for row in caller.everything(text)
        if row["call2s__vr"]["responseDetails"]["total"] > 1
    ]
    assert parents
    details = parents[0]["responseDetails"]
    ids = [row["id"] for row in parents[0]["data"]]
    link = details["next_page"]
    while link:
        reply = caller("POST", link)
        ids += [row["id"] for row in reply["data"]]
        link = reply["responseDetails"].get("next_page")
    assert len(set(ids)) == len(ids) == details["total"]


def test_find_is_repeated_in_the_details(caller: Caller) -> None:
    name = caller.query("SELECT name__v FROM product__v MAXROWS 1")["data"][0]["name__v"]
    reply = caller.query(f"SELECT name__v FROM product__v FIND ('{name}' SCOPE name__v)")
    assert reply["responseDetails"]["find"] == f"('{name}' SCOPE name__v)"
    assert {"name__v": name} in reply["data"]


def test_limit_and_offset_are_former_names_of_page_clauses(caller: Caller) -> None:
    reply = caller.query("SELECT id FROM account__v LIMIT 3 OFFSET 3")
    details = reply["responseDetails"]
    assert (details["pagesize"], details["pageoffset"], details["size"]) == (3, 3, 3)
    assert details["total"] > 6
    mixed = caller.query("SELECT id FROM account__v LIMIT 3 PAGESIZE 2 OFFSET 3 PAGEOFFSET 4")
    assert (mixed["responseDetails"]["pagesize"], mixed["responseDetails"]["pageoffset"]) == (2, 4)


def test_no_reply_is_empty_and_successful_for_a_path_that_is_not_served(caller: Caller) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
        reply = json.loads(caller.raw(method, f"{V}/objects/binders/7").body)
        assert error_of(reply) == "MALFORMED_URL"
    assert error_of(json.loads(caller.raw("PATCH", f"{V}/query").body)) == "METHOD_NOT_SUPPORTED"
