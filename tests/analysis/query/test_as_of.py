"""The reference time of stores in which some device clocks are wrong."""

from datetime import UTC, datetime, timedelta

import pytest

from analysis import health, list_issues
from analysis.query.as_of import count_rows_ahead, reference_time
from ingest import load

HEADER = "id,created_by__v,sync_start_datetime__v,created_date__v\n"
LOADED = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def write(tmp_path):
    def _write(name, text):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return _write


def load_file(store, path):
    load(path, store, clock=lambda: LOADED)


def test_an_empty_store_has_no_reference_time(store):
    assert reference_time(store) is None


def test_it_is_the_newest_timestamp_of_syncs_and_errors(store, write):
    load_file(store, write("s.csv", HEADER + "s1,u1,2026-11-20T08:00:00Z,\ns2,u2,2026-11-21T08:00:00Z,\n"))
    assert str(reference_time(store)) == "2026-11-21 08:00:00"
    load_file(store, write("e.csv", "event_id,occurred_at,message\ne1,2026-11-21T09:00:00Z,No\n"))
    assert str(reference_time(store)) == "2026-11-21 09:00:00"


def test_a_clock_that_is_years_ahead_is_ignored(store, write):
    load_file(store, write("s.csv", HEADER + "s1,u1,2026-11-20T08:00:00Z,\ns2,u2,2036-11-21T08:00:00Z,\n"))
    assert str(reference_time(store)) == "2026-11-20 08:00:00"
    load_file(store, write("e.csv", "event_id,occurred_at,message\ne1,2036-11-21T09:00:00Z,No\n"))
    assert str(reference_time(store)) == "2026-11-20 08:00:00"
    assert health(store).as_of == reference_time(store)


def test_rows_ahead_are_counted(store, write):
    assert count_rows_ahead(store) == 0
    load_file(store, write("s.csv", HEADER + "s1,u1,2026-11-20T08:00:00Z,\ns2,u2,2036-11-21T08:00:00Z,\n"))
    assert count_rows_ahead(store) == 1
    load_file(store, write("e.csv", "event_id,occurred_at,message\ne1,2036-11-21T09:00:00Z,No\n"))
    assert count_rows_ahead(store) == 2


def test_a_clock_some_days_ahead_is_detected_by_vaults_clock(store, write):
    rows = (
        "s1,u1,2026-11-18T08:00:00Z,2026-11-18T08:01:00Z\ns2,u2,2026-11-21T08:00:00Z,2026-11-18T09:00:00Z\n"
    )
    load_file(store, write("s.csv", HEADER + rows))
    errors = (
        "event_id,user_id,occurred_at,message\ne1,u2,2026-11-21T09:00:00Z,No\ne2,u1,2026-11-18T10:00:00Z,No\n"
    )
    load_file(store, write("e.csv", errors))
    assert str(reference_time(store)) == "2026-11-18 10:00:00"


def test_old_vault_records_do_not_exclude_newer_syncs(store, write):
    rows = "s1,u1,2026-10-01T08:00:00Z,2026-10-01T08:01:00Z\ns2,u1,2026-11-21T08:00:00Z,\n"
    load_file(store, write("s.csv", HEADER + rows))
    assert str(reference_time(store)) == "2026-11-21 08:00:00"


def test_if_every_timestamp_is_later_than_the_load_the_newest_is_used(store, write):
    load_file(store, write("s.csv", HEADER + "s1,u1,2027-01-01T08:00:00Z,\ns2,u2,2027-01-02T08:00:00Z,\n"))
    assert str(reference_time(store)) == "2027-01-02 08:00:00"


def test_one_wrong_clock_does_not_make_an_issue_quiet(own_stormy_store):
    before = [len(list_issues(own_stormy_store, query="is:quiet")), health(own_stormy_store).as_of]
    own_stormy_store.execute(
        "INSERT INTO sync_error (event_id, occurred_at, user_id, phase, message, source, batch_id) "
        "VALUES ('odd', ?, 'nobody', 'upload', 'No', 't', 't')",
        [before[1] + timedelta(days=4_000)],
    )
    own_stormy_store.execute("UPDATE ingest_batch SET finished_at = ?", [before[1]])
    assert [len(list_issues(own_stormy_store, query="is:quiet")), health(own_stormy_store).as_of] == before
