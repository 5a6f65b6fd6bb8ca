"""Writes over the REST API: what may be set, how rows are named, and what each row answers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from sync_engine.vault import records
from tests.sync_engine.vault_api.http_caller import Caller, V

MakeCaller = Callable[..., Caller]


def error_of(row: dict[str, Any]) -> str:
    assert row["responseStatus"] == "FAILURE", row
    return str(row["errors"][0]["type"])


def account_id(caller: Caller) -> str:
    return str(caller.query("SELECT id FROM account__v MAXROWS 1")["data"][0]["id"])


def test_a_created_row_says_so_and_a_deleted_row_has_its_id_only(caller: Caller) -> None:
    made = caller.write("POST", "product__v", [{"name__v": "Amlodin"}])["data"][0]["data"]
    assert made["event"] == "created__sys"
    changed = caller.write("PUT", "product__v", [{"id": made["id"], "name__v": "Amlodin XR"}])["data"][0]
    assert "event" not in changed["data"]
    deleted = caller.write("DELETE", "product__v", [{"id": made["id"]}])["data"]
    assert deleted == [{"responseStatus": "SUCCESS", "data": {"id": made["id"]}}]


@pytest.mark.parametrize(
    "name",
    ["created_date__v", "created_by__v", "modified_date__v", "modified_by__v", "global_id__sys", "link__sys"],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_read_only_fields_are_refused_and_nothing_is_written(caller: Caller, method: str, name: str) -> None:
    record_id = account_id(caller)
    before = caller("GET", f"{V}/vobjects/account__v/{record_id}")["data"]
    row = {"phone__v": "+49 30 1", name: "2020-01-01T00:00:00.000Z"}
    reply = caller.write(method, "account__v", [row | ({"id": record_id} if method == "PUT" else {})])
    assert error_of(reply["data"][0]) == "OPERATION_NOT_ALLOWED"
    assert f"[{name}]" in reply["data"][0]["errors"][0]["message"]
    assert caller("GET", f"{V}/vobjects/account__v/{record_id}")["data"] == before
    assert caller.query("SELECT id FROM account__v WHERE phone__v = '+49 30 1'")["data"] == []


@pytest.mark.parametrize("name", ["account__v", "product__v", "call2__v"])
def test_every_field_that_metadata_calls_read_only_is_refused(caller: Caller, name: str) -> None:
    record_id = caller.query(f"SELECT id FROM {name} MAXROWS 1")["data"][0]["id"]
    fields = caller("GET", f"{V}/metadata/vobjects/{name}")["object"]["fields"]
    fixed = [each["name"] for each in fields if not each["editable"] and each["name"] != "id"]
    assert len(fixed) >= 6
    for field in fixed:
        reply = caller.write("PUT", name, [{"id": record_id, field: "x"}])
        assert error_of(reply["data"][0]) == "OPERATION_NOT_ALLOWED", field


def test_an_id_cannot_be_given_to_a_new_record_and_a_mobile_id_cannot_change(caller: Caller) -> None:
    assert error_of(caller.write("POST", "product__v", [{"id": "V1", "name__v": "x"}])["data"][0]) == (
        "OPERATION_NOT_ALLOWED"
    )
    mobile = "m-00000000000000000001"
    made = caller.write("POST", "product__v", [{"mobile_id__v": mobile, "name__v": "x"}])["data"][0]["data"]
    same = {"id": made["id"], "mobile_id__v": mobile, "name__v": "y"}
    assert caller.write("PUT", "product__v", [same])["data"][0]["responseStatus"] == "SUCCESS"
    other = same | {"mobile_id__v": "m-00000000000000000002", "name__v": "z"}
    assert error_of(caller.write("PUT", "product__v", [other])["data"][0]) == "OPERATION_NOT_ALLOWED"
    assert caller("GET", f"{V}/vobjects/product__v/{made['id']}")["data"]["name__v"] == "y"


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_of_two_rows_with_one_id_the_later_fails(caller: Caller, method: str) -> None:
    made = caller.write("POST", "product__v", [{"name__v": "One"}])["data"][0]["data"]["id"]
    rows = [{"id": made, "name__v": "Two"}, {"id": made, "name__v": "Three"}]
    reply = caller.write(method, "product__v", rows)
    assert [row["responseStatus"] for row in reply["data"]] == ["SUCCESS", "FAILURE"]
    assert error_of(reply["data"][1]) == "INVALID_DATA"
    record = records.find(caller.served.vault, made)
    assert record is not None
    assert record.deleted if method == "DELETE" else record.doc["name__v"] == "Two"


def test_an_upsert_with_a_repeated_key_fails_as_a_whole(caller: Caller) -> None:
    rows = [{"mobile_id__v": "m-00000000000000000009", "name__v": name} for name in ("One", "Two")]
    reply = caller.write("POST", "product__v", rows, "?idParam=mobile_id__v")
    assert error_of(reply) == "INVALID_DATA"
    assert records.find(caller.served.vault, "m-00000000000000000009") is None


def test_rows_named_by_a_unique_field_repeat_its_value(caller: Caller) -> None:
    tail = "?idParam=mobile_id__v"
    rows = [{"mobile_id__v": f"m-0000000000000000001{n}", "name__v": f"P{n}"} for n in range(2)]
    made = caller.write("POST", "product__v", rows, tail)["data"]
    assert [(row["data"]["event"], row["data"]["id_param_value"]) for row in made] == [
        ("created__sys", "m-00000000000000000010"),
        ("created__sys", "m-00000000000000000011"),
    ]
    rows = [rows[0] | {"name__v": "Q"}, {"mobile_id__v": "m-00000000000000000099", "name__v": "none"}]
    changed = caller.write("PUT", "product__v", rows, tail)["data"]
    assert (changed[0]["data"]["id"], changed[0]["data"]["id_param_value"]) == (
        made[0]["data"]["id"],
        "m-00000000000000000010",
    )
    assert (error_of(changed[1]), changed[1]["data"]) == (
        "INVALID_DATA",
        {"id_param_value": "m-00000000000000000099"},
    )
    gone = caller.write("DELETE", "product__v", [{"mobile_id__v": "m-00000000000000000010"}], tail)["data"]
    assert gone[0]["data"] == {"id": made[0]["data"]["id"], "id_param_value": "m-00000000000000000010"}


def test_an_upsert_by_id_updates_and_never_invents_a_record(caller: Caller) -> None:
    record_id = account_id(caller)
    rows = [{"id": record_id, "phone__v": "+1 5"}, {"id": "V999", "name__v": "no"}]
    results = caller.write("POST", "account__v", rows, "?idParam=id")["data"]
    assert results[0]["data"]["event"] == "updated__sys"
    assert error_of(results[1]) == "INVALID_DATA"


def test_a_mobile_id_is_no_id(caller: Caller) -> None:
    mobile = "m-00000000000000000021"
    caller.write("POST", "product__v", [{"mobile_id__v": mobile, "name__v": "x"}])
    assert error_of(caller.write("DELETE", "product__v", [{"id": mobile}])["data"][0]) == "INVALID_DATA"


def test_results_come_as_csv_when_only_csv_is_accepted(caller: Caller) -> None:
    rows = json.dumps([{"name__v": "One"}, {"moon__v": "full"}]).encode()
    reply = caller.raw(
        "POST", f"{V}/vobjects/product__v", rows, content_type="application/json", accept="text/csv"
    )
    assert reply.content_type == "text/csv;charset=UTF-8"
    one, other = csv.DictReader(io.StringIO(reply.body.decode()))
    assert (one["responseStatus"], one["row_id"], one["event"], one["errors"]) == (
        "SUCCESS",
        "1",
        "created__sys",
        "",
    )
    assert records.find(caller.served.vault, one["id"]) is not None
    assert (other["responseStatus"], other["id"]) == ("FAILURE", "")
    assert other["errors"].startswith("ATTRIBUTE_NOT_SUPPORTED|")
    refused = caller.raw(
        "POST", f"{V}/vobjects/product__v", b"x", accept="text/csv", content_type="text/plain"
    )
    assert json.loads(refused.body)["responseStatus"] == "FAILURE"  # a failed request is JSON


def test_csv_reads_doubled_backslashes_and_refuses_rows_that_lose_values(caller: Caller) -> None:
    def send(text: str) -> Any:
        reply = caller.raw("POST", f"{V}/vobjects/product__v", text.encode(), content_type="text/csv")
        return json.loads(reply.body)

    made = send('name__v\n"C:\\\\temp"\n')["data"][0]["data"]
    assert caller("GET", made["url"])["data"]["name__v"] == "C:\\temp"
    for text in ("name__v\na,b\n", "name__v,name__v\na,b\n"):
        assert error_of(send(text)) == "INVALID_DATA"


def test_one_record_may_come_as_a_form(caller: Caller) -> None:
    reply = caller("POST", f"{V}/vobjects/product__v", {"name__v": "Form"})
    assert (reply["responseStatus"], reply["data"]["event"]) == ("SUCCESS", "created__sys")
    assert error_of(caller("POST", f"{V}/vobjects/product__v", {"moon__v": "x"})) == "ATTRIBUTE_NOT_SUPPORTED"


def test_migration_mode_needs_a_permission_that_nobody_has(caller: Caller) -> None:
    body = b'[{"name__v": "x"}]'
    for value, expected in (("true", "FAILURE"), ("false", "SUCCESS")):
        reply = caller.raw(
            "POST",
            f"{V}/vobjects/product__v",
            body,
            content_type="application/json",
            x_vaultapi_migrationmode=value,
        )
        assert json.loads(reply.body)["responseStatus"] == expected
    assert "Record Migration" not in json.dumps(caller.query("SELECT id FROM product__v"))


def test_a_rep_may_not_write_configuration(make_caller: MakeCaller) -> None:
    caller = make_caller()
    rep = caller.served.vault.live["user"]["1000200"]
    caller.sign_in(rep["email"], rep["password"])
    reply = caller.write("PUT", "user__sys", [{"id": 1000200, "force_full_refresh__v": True}])
    assert error_of(reply["data"][0]) == "INSUFFICIENT_ACCESS"


def test_deletions_keep_to_their_window_and_can_be_csv(caller: Caller) -> None:
    ids = []
    for n in range(3):
        made = caller.write("POST", "product__v", [{"name__v": f"P{n}"}])["data"][0]["data"]["id"]
        caller.now += 3600
        caller.write("DELETE", "product__v", [{"id": made}])
        ids.append(made)
    path = f"{V}/objects/deletions/vobjects/product__v"
    everything = caller("GET", path)
    assert [row["id"] for row in everything["data"]] == ids
    times = [row["date_deleted"] for row in everything["data"]]
    assert all(len(text) == 20 and text.endswith("Z") for text in times)
    window = caller("GET", f"{path}?start_date={times[1]}&end_date={times[1]}")
    assert [row["id"] for row in window["data"]] == [ids[1]]
    page = caller("GET", f"{path}?limit=2")
    assert page["responseDetails"]["total"] == 3
    assert [row["id"] for row in caller("GET", page["responseDetails"]["next_page"])["data"]] == ids[2:]
    reply = caller.raw("GET", path, accept="text/csv")
    assert [row["id"] for row in csv.DictReader(io.StringIO(reply.body.decode()))] == ids
    assert error_of(caller("GET", f"{path}?start_date=2026-01-01")) == "INVALID_DATA"
    assert error_of(caller("GET", f"{path}?start_date={times[2]}&end_date={times[0]}")) == "INVALID_DATA"
