"""Direct Data files, as Veeva's own loader and clients read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sync_engine.vault import admin
from sync_engine.vault_api.configuration_objects import creation_time
from sync_engine.vault_api.server_state import ServerState
from tests.sync_engine.vault_api.direct_data_loader import Archive, Loader, download, list_files
from tests.sync_engine.vault_api.http_caller import Caller, V

MakeCaller = Callable[..., Caller]
FILES = f"{V}/services/directdata/files"
DAY = 86400
NEW_FIELD = {"type": "text", "length": 40, "label": "Nickname"}


def type_of(reply: dict[str, Any]) -> str:
    assert reply["responseStatus"] == "FAILURE", reply
    return str(reply["errors"][0]["type"])


def in_csv(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else ",".join(map(str, value)) if isinstance(value, list) else str(value)


def assert_same_as_vault(loader: Loader, caller: Caller) -> int:
    """Compare every table with all records and fields of its object, read with VQL."""
    values = 0
    for target in (row["name"] for row in caller("GET", f"{V}/metadata/vobjects")["objects"]):
        fields = caller("GET", f"{V}/metadata/vobjects/{target}")["object"]["fields"]
        long = {each["name"]: each["type"] for each in fields if each["type"] in ("LongText", "RichText")}
        shown = [f"{long[n].upper()}({n})" if n in long else n for n in (each["name"] for each in fields)]
        rows = {
            in_csv(row["id"]): row for row in caller.everything(f"SELECT {', '.join(shown)} FROM {target}")
        }
        loaded = {row["id"]: row for row in loader.rows(target)}
        assert loaded.keys() == rows.keys(), target
        for key, row in rows.items():
            assert {name: value or "" for name, value in loaded[key].items()} == {
                name: in_csv(value) for name, value in row.items()
            }, (target, key)
            values += len(row)
    return values


def test_veevas_loader_has_the_vault_after_a_full_file_and_its_increments(make_caller: MakeCaller) -> None:
    caller = make_caller(part_bytes=9_000)
    caller.sign_in()
    full = list_files(caller, "full")[-1]
    assert full["fileparts"] > 1
    loader = Loader()
    loader.load_full(download(caller, full))
    made = caller.write("POST", "product__v", [{"name__v": name} for name in ("One", "Two", "Three")])["data"]
    one, two, three = (row["data"]["id"] for row in made)
    caller.now += 900
    caller.write("PUT", "product__v", [{"id": one, "name__v": 'One, "changed"'}])
    caller.write("DELETE", "product__v", [{"id": two}])
    caller.now += 900
    admin.set_field(caller.served.vault, "product__v", "nickname__v", NEW_FIELD, at=caller.now)
    caller.now += 900
    caller.write("PUT", "product__v", [{"id": three, "nickname__v": "Nick"}])
    caller.now += 1800
    increments = list_files(caller, "incremental", f"&start_time={full['stop_time']}")
    for entry in increments:
        loader.load_increment(download(caller, entry))
    assert "nickname__v" in loader.columns("product__v")
    assert assert_same_as_vault(loader, caller) > 9_000
    assert {row["id"] for row in loader.rows("product__v")} >= {one, three}


def test_a_removed_field_is_in_the_deletes_of_the_metadata(caller: Caller) -> None:
    loader = Loader()
    admin.set_field(caller.served.vault, "product__v", "nickname__v", NEW_FIELD, at=caller.now - 7200)
    loader.load_full(download(caller, list_files(caller, "full")[-1]))
    assert "nickname__v" in loader.columns("product__v")
    caller.now += 60
    admin.set_field(caller.served.vault, "product__v", "nickname__v", None, at=caller.now)
    caller.now += 900
    archive = download(caller, list_files(caller, "incremental")[-1])
    (row,) = archive.rows("Metadata/metadata_deletes.csv")
    assert (row["extract"], row["column_name"]) == ("Object.product__v", "nickname__v")
    loader.load_increment(archive)
    assert "nickname__v" not in loader.columns("product__v")


def test_veevas_loader_reads_logs(caller: Caller) -> None:
    loader = Loader()
    archive = download(caller, list_files(caller, "log")[-1])
    assert {row["type"] for row in archive.rows("manifest.csv")} == {"updates"}
    loader.load_log(archive)
    day = "start_date=2026-03-05T00:00:00Z&end_date=2026-03-06T00:00:00Z&limit=1000"
    trail = caller("GET", f"{V}/audittrail/login_audit_trail?{day}")["data"]
    loaded = {row["id"] for row in loader.rows("login_audit_trail")}
    assert loaded and loaded <= {row["id"] for row in trail}


@pytest.mark.parametrize("kind", ["full", "incremental", "log"])
def test_every_manifest_row_has_a_type_and_its_file(caller: Caller, kind: str) -> None:
    archive = download(caller, list_files(caller, kind)[-1])
    assert archive.header("manifest.csv") == ["extract", "extract_label", "type", "records", "file"]
    rows = archive.rows("manifest.csv")
    assert {row["type"] for row in rows} <= {"updates", "deletes"}
    assert all(row["type"] for row in rows)
    for row in rows:
        assert bool(row["file"]) == (row["records"] != "0")
        if row["file"]:
            assert len(archive.rows(row["file"])) == int(row["records"])
    listed = {row["file"] for row in rows if row["file"]}
    assert set(archive.texts) - listed == {"manifest.csv"} | (
        {"metadata_full.csv"} if kind != "full" else set()
    )


def test_the_record_count_is_that_of_all_extracts(caller: Caller) -> None:
    for kind in ("full", "incremental", "log"):
        entry = list_files(caller, kind)[-1]
        assert entry["record_count"] == sum(
            int(row["records"]) for row in download(caller, entry).rows("manifest.csv")
        )


def test_columns_are_in_the_order_of_the_metadata(caller: Caller) -> None:
    archive: Archive = download(caller, list_files(caller, "full")[-1])
    metadata = archive.rows("Metadata/metadata.csv")
    for row in archive.manifest("updates"):
        if row["extract"].startswith("Object."):
            order = [each["column_name"] for each in metadata if each["extract"] == row["extract"]]
            assert archive.header(row["file"]) == order


def test_without_a_type_all_files_are_listed(caller: Caller) -> None:
    reply = caller("GET", FILES)
    names = {entry["name"] for kind in ("full", "incremental", "log") for entry in list_files(caller, kind)}
    assert {entry["name"] for entry in reply["data"]} == names
    assert reply["responseDetails"]["total"] == len(names) == len(reply["data"])


def test_a_part_can_be_downloaded_without_a_list(make_caller: MakeCaller) -> None:
    name = "90210-20260306-0000-F.001"
    callers = [make_caller(), make_caller()]
    for each in callers:
        each.sign_in()
    list_files(callers[0], "full")
    bodies = [each.raw("GET", f"{FILES}/{name}").body for each in callers]
    assert bodies[0] == bodies[1] and bodies[0][:2] == b"\x1f\x8b"


@pytest.mark.parametrize(
    "name",
    [
        "90210-20260306-0000-F",
        "90210-20260306-0000-F.1",
        "90210-20260306-0000-F.002",
        "90210-20260306-0000-F.000",
        "90210-20260306-0000-X.001",
        "90211-20260306-0000-F.001",
        "90210-20260306-0007-N.001",
        "90210-20261306-0000-F.001",
        "90210-20200101-0000-F.001",
        "90210-20990101-0000-F.001",
        "x",
    ],
)
def test_other_names_are_refused_in_json(caller: Caller, name: str) -> None:
    reply = caller.raw("GET", f"{FILES}/{name}")
    assert reply.content_type.startswith("application/json")
    assert type_of(caller("GET", f"{FILES}/{name}")) in (
        "INVALID_DATA",
        "OPERATION_NOT_ALLOWED",
        "MALFORMED_URL",
    )


def test_a_new_vault_has_no_files_yet(make_served: Callable[..., ServerState]) -> None:
    served = make_served()
    created = creation_time(served.vault)
    midnight = created // DAY * DAY + DAY
    caller = Caller(served, midnight - 3600)
    assert caller.now > created
    caller.sign_in()
    assert list_files(caller, "full") == list_files(caller, "incremental") == []
    reply = caller("GET", f"{FILES}/90210-20260302-2300-N.001")
    assert type_of(reply) == "OPERATION_NOT_ALLOWED"
    assert reply["errors"][0]["message"] == "Initial file being generated. Please check again later."
    caller.now = midnight + 60
    assert len(list_files(caller, "full")) == 1
    assert list_files(caller, "incremental")


def test_a_file_has_the_fields_of_its_time(caller: Caller) -> None:
    caller.write("POST", "product__v", [{"name__v": "One"}])
    caller.now += 2000
    admin.set_field(caller.served.vault, "product__v", "nickname__v", NEW_FIELD, at=caller.now)
    caller.now += 900
    before, after = list_files(caller, "incremental")[-3], list_files(caller, "incremental")[-1]
    for entry, there in ((before, False), (after, True), (list_files(caller, "full")[-1], False)):
        archive = download(caller, entry)
        path = "Metadata/metadata.csv" if entry["extract_type"] == "full_directdata" else "metadata_full.csv"
        assert ("nickname__v" in {row["column_name"] for row in archive.rows(path)}) == there
    assert "nickname__v" not in download(caller, before).texts.get("Object/product__v.csv", "")
