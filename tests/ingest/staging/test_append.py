from datetime import UTC, datetime, timedelta

import duckdb
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from ingest import append, migrate
from sync_engine.telemetry import DeviceInfo, SyncError, SyncTracking, Truth
from tests.support.examples import examples

START = datetime(2026, 11, 2, 8, tzinfo=UTC)


def tracking(number, *, changed=0, **more):
    return SyncTracking(
        id=f"V5X{number}",
        sync_start_datetime__v=START,
        modified_date__v=START + timedelta(minutes=changed),
        **more,
    )


def counts(report):
    return report.rows_new, report.rows_updated, report.rows_unchanged, report.rows_rejected


def rows(store, table="sync_tracking__v"):
    return store.execute(f"SELECT * EXCLUDE (source, batch_id) FROM {table} ORDER BY ALL").fetchall()


def test_each_record_class_has_its_table_and_ground_truth_a_separate_schema(store, clock):
    reports = append(
        store,
        [
            tracking(1),
            SyncError(event_id="e1", occurred_at=START),
            Truth(event_id="e1", cause="lost-connection", injected_by="loss"),
        ],
        source="simulation",
        clock=clock,
    )
    assert [report.kind for report in reports] == [
        "sync_tracking__v",
        "sync_error",
        "engine_truth.event_cause",
    ]
    assert store.execute("SELECT cause FROM engine_truth.event_cause").fetchall() == [("lost-connection",)]


def test_a_time_is_stored_in_utc_whatever_zone_it_came_in(store, clock):
    from zoneinfo import ZoneInfo

    away = START.astimezone(ZoneInfo("America/New_York"))
    append(store, [SyncTracking(id="V1", sync_start_datetime__v=away)], source="s", clock=clock)
    (stored,) = store.execute("SELECT sync_start_datetime__v FROM sync_tracking__v").fetchone()
    assert stored == START.replace(tzinfo=None)


def test_the_same_rows_again_change_nothing(store, clock):
    reported = [tracking(number) for number in range(50)]
    append(store, reported, source="s", clock=clock)
    before = rows(store)
    (again,) = append(store, reported, source="s", clock=clock)
    assert counts(again) == (0, 0, 50, 0)
    assert rows(store) == before


def test_a_newer_version_replaces_and_an_older_one_does_not(store, clock):
    append(store, [tracking(1, changed=5, version__v="b")], source="s", clock=clock)
    (newer,) = append(store, [tracking(1, changed=6, version__v="c")], source="s", clock=clock)
    (older,) = append(store, [tracking(1, changed=1, version__v="a")], source="s", clock=clock)
    assert (counts(newer), counts(older)) == ((0, 1, 0, 0), (0, 0, 1, 0))
    assert store.execute("SELECT version__v FROM sync_tracking__v").fetchall() == [("c",)]


def test_a_typed_row_that_breaks_the_contract_is_kept_with_its_reason(store, clock):
    device = DeviceInfo(device_id="", as_of=START, storage_free_mb=-1.0)
    (report,) = append(store, [device], source="s", clock=clock)
    ((raw, reasons),) = store.execute("SELECT raw, reasons FROM rejected_row").fetchall()
    assert counts(report) == (0, 0, 0, 1)
    assert reasons == ["device_id: is missing", "storage_free_mb: is negative (-1.0)"]
    assert '"storage_free_mb":-1.0' in raw


def test_a_failing_append_leaves_nothing_behind(store, clock):
    with pytest.raises(KeyError):
        append(store, [tracking(1), tracking(2, version__v=None), START], source="s", clock=clock)
    assert rows(store) == []
    assert store.execute("SELECT count(*) FROM ingest_batch").fetchone() == (0,)


def test_the_store_rejects_counts_that_do_not_add_up(store):
    with pytest.raises(duckdb.ConstraintException):
        store.execute(
            "INSERT INTO ingest_batch VALUES ('b', 's', 'k', NULL, 3, 1, 1, 0, 0, "
            "TIMESTAMP '2026-01-01', TIMESTAMP '2026-01-01')"
        )


VERSIONS = st.builds(
    tracking,
    st.integers(0, 3),
    changed=st.integers(0, 2),
    version__v=st.sampled_from([None, "a", "b"]),
    number_of_uploads__v=st.sampled_from([None, 1, 2]),
)


@pytest.fixture(scope="module")
def used_store():
    with duckdb.connect(":memory:") as connection:
        migrate(connection)
        yield connection


@settings(max_examples=examples(20), deadline=None)
@given(st.lists(VERSIONS, max_size=8), st.randoms(use_true_random=False), st.integers(2, 4))
def test_no_order_of_loads_makes_a_difference(used_store, versions, random, size):
    shuffled = random.sample(versions, len(versions))
    results = []
    for reported in (versions, shuffled, versions + shuffled):
        used_store.execute("DELETE FROM sync_tracking__v")
        for start in range(0, len(reported), size):
            batch = reported[start : start + size]
            for report in append(used_store, batch, source="s", clock=lambda: START):
                assert report.rows_in == sum(counts(report))
        results.append(rows(used_store))
    assert results[0] == results[1] == results[2]
    assert len(results[0]) == len({version.id for version in versions})
