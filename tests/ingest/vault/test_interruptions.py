"""An interruption costs no row, or the report names what is missing."""

from datetime import UTC, datetime, timedelta

import pytest

from ingest import TargetOutcome, direct_data_watermark, fetch_direct_data, pull_direct_data
from tests.ingest.vault.test_direct_data import listing, part

FIRST, SECOND = "90210-20261122-0615-N", "90210-20261122-0630-N"


@pytest.fixture
def published(vault):
    vault.parts = {f"{FIRST}.001": b"first", f"{SECOND}.001": b"second"}
    first, second = (part(name, content) for name, content in vault.parts.items())
    vault.files = [
        listing(first),
        listing(second, start="2026-11-22T06:15Z", stop="2026-11-22T06:30:00Z"),
    ]
    return vault


def test_a_row_that_changes_while_pages_are_lost_hides_no_other_row(store, vault, pulled, ids, small_vault):
    for number in range(5, 16):  # more rows with one time than the page that is lost has
        vault.rows[number]["modified_date__v"] = small_vault.stamp(5)

    def change_a_row():
        vault.rows[7]["modified_date__v"] = small_vault.stamp(40)
        vault.rows.sort(key=lambda row: (row["modified_date__v"], row["id"]))

    vault.trouble, vault.after_loss = ["page lost"], change_a_row
    assert pulled(store).is_complete
    assert len(ids()) == 25


def test_many_rows_with_one_time_are_read_although_pages_are_lost(store, vault, pulled, ids, small_vault):
    for row in vault.rows:
        row["modified_date__v"] = small_vault.stamp(5)
    vault.page_size, vault.trouble = 4, ["page lost"] * 3
    assert pulled(store).is_complete
    assert (len(ids()), vault.trouble) == (25, [])


def test_an_empty_page_that_leads_on_ends_the_read(store, vault, pulled):
    vault.trouble = ["empty page"] * 50
    report = pulled(store)
    assert report.omissions[0].reason == "sync_tracking__v: received 0 of 25 rows"
    assert len(vault.trouble) == 49


def test_files_before_a_lost_connection_are_loaded(published, client, tmp_path):
    def go_away(*_):
        published.trouble = ["proxy"] * 500

    fetched = fetch_direct_data(client, tmp_path, on_progress=go_away)
    assert [path.name for path in fetched.paths] == [f"{FIRST}.tar.gz.001"]
    assert fetched.reached_at == datetime(2026, 11, 22, 6, 15, tzinfo=UTC)
    assert [each.what for each in fetched.omissions if "HTTP 502" in each.reason] == [SECOND]


def test_a_refused_file_costs_only_itself(published, client, tmp_path):
    published.refused_paths = {f"/services/directdata/files/{FIRST}": "INSUFFICIENT_ACCESS"}
    fetched = fetch_direct_data(client, tmp_path)
    assert [path.name for path in fetched.paths] == [f"{SECOND}.tar.gz.001"]
    assert fetched.reached_at is None
    assert [each.what for each in fetched.omissions if "INSUFFICIENT" in each.reason] == [FIRST]


def test_files_that_cannot_be_loaded_are_named_and_fetched_again(published, client, store, tmp_path):
    report = pull_direct_data(store, client, tmp_path, since=datetime(2026, 11, 22, 6, tzinfo=UTC))
    assert {each.target: each.outcome for each in report.targets} == {
        f"{FIRST}.tar.gz.001": TargetOutcome.FAILED,
        f"{SECOND}.tar.gz.001": TargetOutcome.FAILED,
    }
    assert report.got_nothing
    assert direct_data_watermark(store, client.host, "incremental_directdata") is None


@pytest.mark.parametrize(
    ("age", "missing"),
    [
        (None, [""]),
        (timedelta(minutes=30), []),
        (timedelta(days=12), ["changes from 2026-11-10T06:00Z to 2026-11-22T06:00Z"]),
    ],
)
def test_an_empty_list_of_files_is_reported_if_one_is_due(vault, client, tmp_path, age, missing):
    vault.date = now = datetime(2026, 11, 22, 6, tzinfo=UTC)
    fetched = fetch_direct_data(client, tmp_path, since=None if age is None else now - age)
    assert [each.what for each in fetched.omissions] == missing


def test_direct_data_that_is_not_granted_is_not_an_empty_list(vault, client, store, tmp_path):
    vault.refused_paths = {"/services/directdata": "INSUFFICIENT_ACCESS"}
    report = pull_direct_data(store, client, tmp_path, extract="full_directdata")
    assert report.got_nothing
    assert "API Direct Data" in report.omissions[0].next_step
