"""Direct Data files over real HTTP: complete, verified, and in the order to apply them."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from ingest import direct_data_watermark, fetch_direct_data, set_direct_data_watermark

PARTS = {
    "90210-20261122-0615-N.001": b"first",
    "90210-20261122-0630-N.001": b"second",
    "90210-20261122-0630-N.002": b"2b",
}


def part(name, content, **wrong):
    stem, number = name.rsplit(".", 1)
    part = {
        "name": name,
        "filename": f"{stem}.tar.gz.{number}",
        "filepart": int(number),
        "size": len(content),
    }
    return part | {"md5checksum": hashlib.md5(content).hexdigest()} | wrong


def listing(*parts, start="2026-11-22T06:00Z", stop="2026-11-22T06:15Z", **more):
    name = parts[0]["name"].rsplit(".", 1)[0] if parts else "90210-20261122-0645-N"
    times = {"start_time": start, "stop_time": stop, "record_count": 3}
    return {"name": name, **times, "filepart_details": list(parts), **more}


@pytest.fixture
def published(vault):
    first, second, third = (part(name, content) for name, content in PARTS.items())
    vault.parts = PARTS
    vault.files = [
        listing(third, second, start="2026-11-22T06:15Z", stop="2026-11-22T06:30:00Z"),
        listing(first),
        {
            "name": "90210-20261122-0645-N",
            "error": {"message": "Failed to publish", "next_retry": "2026-11-22T07:00Z"},
        },
    ]
    return vault


def test_direct_data_is_complete_verified_and_in_order(published, client, tmp_path):
    fetched = fetch_direct_data(client, tmp_path)
    assert [path.name for path in fetched.paths] == [
        "90210-20261122-0615-N.tar.gz.001",
        "90210-20261122-0630-N.tar.gz.001",
    ]
    assert sorted(path.read_bytes() for path in tmp_path.iterdir()) == sorted(PARTS.values())
    assert fetched.reached_at == datetime(2026, 11, 22, 6, 30, tzinfo=UTC)
    assert [str(each) for each in fetched.omissions] == [
        "incremental_directdata: 90210-20261122-0645-N not pulled: not published (Failed to publish)",
        "incremental_directdata: unchanged records not pulled: these files have changes only",
    ]
    assert "2026-11-22T07:00Z" in fetched.omissions[0].next_step


def test_a_part_that_is_there_is_not_fetched_again(published, client, tmp_path):
    fetch_direct_data(client, tmp_path)
    before = len(published.calls)
    fetch_direct_data(client, tmp_path)
    assert len(published.calls) == before + 1


def test_a_part_that_arrives_damaged_is_fetched_once_more_and_then_omitted(published, client, tmp_path):
    published.files[1]["filepart_details"][0]["md5checksum"] = "0" * 32
    fetched = fetch_direct_data(client, tmp_path)
    assert not (tmp_path / "90210-20261122-0615-N.tar.gz.001").exists()
    assert [path.name for path in fetched.paths] == ["90210-20261122-0630-N.tar.gz.001"]
    assert fetched.reached_at is None
    assert [each.what for each in fetched.omissions if "damaged" in each.reason] == ["90210-20261122-0615-N"]


def test_a_gap_between_files_is_reported(published, client, tmp_path):
    del published.files[1]
    fetched = fetch_direct_data(client, tmp_path, since=datetime(2026, 11, 22, 6, tzinfo=UTC))
    assert "changes from 2026-11-22T06:00Z to 2026-11-22T06:15Z" in [each.what for each in fetched.omissions]


def test_files_after_an_unpublished_file_are_not_marked_as_applied(published, client, tmp_path):
    published.files[1] = {"name": "90210-20261122-0615-N", "error": {"message": "Failed to publish"}}
    assert fetch_direct_data(client, tmp_path).reached_at is None


def test_incremental_files_continue_after_the_last_file_or_a_full_one(store, small_vault):
    first, later = small_vault.start, small_vault.start + timedelta(hours=1)
    assert direct_data_watermark(store, "v", "incremental_directdata") is None
    set_direct_data_watermark(store, "v", "incremental_directdata", first)
    set_direct_data_watermark(store, "v", "full_directdata", later)
    assert direct_data_watermark(store, "v", "incremental_directdata") == later
    assert direct_data_watermark(store, "v", "log_directdata") is None


def test_a_file_name_from_outside_stays_inside_the_folder(published, client, tmp_path):
    published.files[1]["filepart_details"][0]["filename"] = "../../../outside"
    folder = tmp_path / "folder"
    folder.mkdir()
    assert {path.parent for path in fetch_direct_data(client, folder).paths} == {folder}


def test_only_the_newest_full_file_is_fetched_and_older_ones_are_reported(published, client, tmp_path):
    name = "90210-2026112{}-0000-F"
    published.files = [
        listing(part(f"{name.format(day)}.001", PARTS["90210-20261122-0615-N.001"]), **when)
        for day, when in (
            (2, {"start": "2000-01-01T00:00Z", "stop": "2026-11-22T00:00Z"}),
            (1, {"start": "2000-01-01T00:00Z", "stop": "2026-11-21T00:00Z"}),
        )
    ]
    published.parts = {f"{name.format(2)}.001": PARTS["90210-20261122-0615-N.001"]}
    fetched = fetch_direct_data(client, tmp_path, extract="full_directdata")
    assert [path.name for path in fetched.paths] == [f"{name.format(2)}.001".replace("-F", "-F.tar.gz")]
    assert fetched.notes == (f"older files not downloaded, superseded by {name.format(2)}: 1",)
    assert fetched.reached_at == datetime(2026, 11, 22, tzinfo=UTC)


def test_changes_without_a_full_file_are_reported_as_incomplete(published, client, tmp_path):
    missing = [each.what for each in fetch_direct_data(client, tmp_path).omissions]
    assert "unchanged records" in missing
    after = datetime(2026, 11, 22, 6, tzinfo=UTC)
    missing = [each.what for each in fetch_direct_data(client, tmp_path, since=after).omissions]
    assert "unchanged records" not in missing
