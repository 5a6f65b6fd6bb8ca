"""Rules for every metric file, and the results of single metrics on stores small enough to count by hand."""

import sys
from datetime import UTC, datetime, timedelta

import pytest
import sqlglot

from analysis import FILTERS, METRICS, measure
from analysis.base.errors import AnalysisError
from analysis.base.intervals import wilson_bound_sql, wilson_interval
from analysis.metrics.registry import DIRECTIONS, Metric, UnknownMetric
from analysis.metrics.transpile import translate
from analysis.query.filters import InvalidFilter, UnknownFilter

START = datetime(2026, 3, 2, tzinfo=UTC)
# One value per filter that changes every metric of the stormy store.
FILTER_VALUES = {
    "since": "2026-03-29T12:00",
    "until": datetime(2026, 3, 2, 9, tzinfo=UTC),
    "sync_type": "database_refresh__v",
    "app_version": ["25.3.1"],
    "object": "medical_inquiry__v",
    "territory": ["DE-01", "DE-02"],
    "profile": "msl__c",
    "country": "FR",
    "device_model": "iPhone 15",
    "platform": "Windows",
    "user_id": "V0B0000000000RS",
    "device_id": ["ipad-000000", "ipad-000001"],
    "cause": "record-visibility",
    "issue_id": "e986103cc9c5",
}


_UNFILTERED = {}


def unfiltered(store, name):
    """The unfiltered result, computed once because the stormy store never changes."""
    if name not in _UNFILTERED:
        _UNFILTERED[name] = measure(store, name)
    return _UNFILTERED[name]


@pytest.mark.parametrize("name", METRICS)
class TestEveryMetric:
    def test_has_a_header(self, name):
        metric = METRICS[name]
        assert metric.title
        assert metric.unit
        assert metric.good in DIRECTIONS
        assert metric.description.endswith(".")

    def test_answers_on_an_empty_store_with_the_same_columns(self, store, stormy_store, name):
        empty = measure(store, name)
        assert list(empty.columns) == list(measure(stormy_store, name).columns)
        assert empty.empty

    def test_is_not_empty_on_the_stormy_store(self, stormy_store, name):
        assert not measure(stormy_store, name).empty

    @pytest.mark.parametrize("filter_name", FILTERS)
    def test_is_filtered_by(self, stormy_store, name, filter_name):
        everything = unfiltered(stormy_store, name)
        filtered = measure(stormy_store, name, **{filter_name: FILTER_VALUES[filter_name]})
        assert list(filtered.columns) == list(everything.columns)
        is_ignored = filter_name == "since" and METRICS[name].is_about_now
        assert filtered.equals(everything) == is_ignored

    def test_is_valid_spark_sql(self, name):
        (text,) = sqlglot.transpile(METRICS[name].sql, read="duckdb", write="spark")
        sqlglot.parse_one(text, read="spark")


def test_every_filter_is_tried():
    assert FILTER_VALUES.keys() == FILTERS.keys()


def test_an_unknown_metric_lists_the_valid_names(store):
    with pytest.raises(UnknownMetric) as caught:
        measure(store, "sucess_rate")
    assert "success_rate" in caught.value.next_step


def test_an_unknown_filter_lists_the_valid_names(store):
    with pytest.raises(UnknownFilter) as caught:
        measure(store, "success_rate", color="blue")
    assert "app_version" in caught.value.next_step


@pytest.mark.parametrize("value", ["yesterday", 7, "2026-13-01"])
def test_an_invalid_timestamp_is_an_error_with_an_example(store, value):
    with pytest.raises(InvalidFilter) as caught:
        measure(store, "success_rate", since=value)
    assert "2026-11-22" in caught.value.next_step


def test_a_file_without_a_header_is_an_error():
    with pytest.raises(ValueError, match="must begin with"):
        Metric.parse("nameless", "SELECT 1")


def test_a_filter_value_is_data_and_never_sql(stormy_store):
    assert measure(stormy_store, "success_rate", user_id="' OR 1=1 --").empty


def test_an_empty_list_matches_nothing(stormy_store):
    assert measure(stormy_store, "success_rate", country=[]).empty


def test_a_time_zone_is_converted_to_utc(stormy_store):
    utc = measure(stormy_store, "failures_by_day", since="2026-03-10T00:00:00+00:00")
    same = measure(stormy_store, "failures_by_day", since="2026-03-10T02:00:00+02:00")
    assert utc.equals(same)


def add_sync(store, number, *, hours=0.0, user="u1", sync_type="incremental__v", **flags):
    started = START + timedelta(hours=hours)
    row = {
        "id": f"s{number}",
        "created_by__v": user,
        "sync_type__v": sync_type,
        "sync_start_datetime__v": started.replace(tzinfo=None),
        "sync_completed_datetime__v": (started + timedelta(seconds=60)).replace(tzinfo=None),
        "sync_duration__v": 60.0,
        "successful_sync__v": True,
        "sync_canceled__v": False,
        "source": "test",
        "batch_id": "test",
    } | flags
    store.execute(
        f"INSERT INTO sync_tracking__v ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
        list(row.values()),
    )


def test_canceled_and_unfinished_syncs_are_on_neither_side_of_the_rate(store):
    add_sync(store, 1)
    add_sync(store, 2)
    add_sync(store, 3, number_of_upload_errors__v=2)
    add_sync(store, 4, successful_sync__v=False)
    add_sync(store, 5, successful_sync__v=False, sync_canceled__v=True)
    add_sync(store, 6, successful_sync__v=None, sync_completed_datetime__v=None)
    (row,) = measure(store, "success_rate").to_dict("records")
    assert (row["good"], row["bad"], row["canceled"], row["unfinished"]) == (3, 1, 1, 1)
    assert row["success_rate"] == 0.75


def test_the_interval_is_the_wilson_interval(store):
    """Ten syncs with one failure: 59.6 % to 98.2 %, as in the published tables."""
    for number in range(10):
        add_sync(store, number, successful_sync__v=number > 0)
    (row,) = measure(store, "success_rate").to_dict("records")
    assert (round(row["low"], 3), round(row["high"], 3)) == (0.596, 0.982)


def test_a_device_that_never_succeeded_is_never_fresh(store):
    add_sync(store, 1, user="fresh", hours=100)
    add_sync(store, 2, user="stale", hours=0)
    add_sync(store, 3, user="failing", hours=99, successful_sync__v=False)
    ages = measure(store, "freshness").set_index("age").devices.to_dict()
    assert ages == {"within 1 day": 1, "3 to 7 days": 1, "never": 1}


def test_a_fleet_without_new_syncs_is_not_fresh(store):
    """No new row arrives; only the reference time moves."""
    add_sync(store, 1, hours=0)
    ages = measure(store, "freshness", until=START + timedelta(days=10))
    assert ages.age.to_list() == ["over 7 days"]


def test_refused_records_count_as_tried(store):
    add_sync(store, 1, number_of_uploads__v=95, number_of_upload_errors__v=5)
    (row,) = measure(store, "upload_error_rate").to_dict("records")
    assert (row["records"], row["errors_per_1000"]) == (100, 50.0)


def test_a_weekend_is_not_silence(store):
    """Two syncs on each working day of three weeks, seen on Sunday evening and a week later."""
    for number, day in enumerate(day for day in range(19) if day % 7 < 5):
        add_sync(store, 2 * number, hours=24 * day + 8)
        add_sync(store, 2 * number + 1, hours=24 * day + 17)
    assert measure(store, "silent_devices", until=START + timedelta(days=20, hours=20)).empty
    assert measure(store, "silent_devices", until=START + timedelta(days=26)).user_id.to_list() == ["u1"]


def test_three_failed_attempts_over_a_day_are_stuck(store):
    add_sync(store, 1, hours=0)
    for number, hours in enumerate((10, 20, 30), start=2):
        add_sync(store, number, hours=hours, successful_sync__v=False)
    (row,) = measure(store, "stuck_devices").to_dict("records")
    assert (row["attempts_since"], row["hours_stuck"]) == (3, 30)
    add_sync(store, 9, hours=31)
    assert measure(store, "stuck_devices").empty


def test_a_version_that_fails_more_has_a_high_ratio(store):
    for number in range(100):
        add_sync(
            store, number, user=f"u{number % 10}", version__v="25.3.0", successful_sync__v=number % 20 > 0
        )
        add_sync(
            store,
            100 + number,
            user=f"v{number % 10}",
            version__v="25.3.1",
            successful_sync__v=number % 4 > 0,
        )
    risk = measure(store, "version_risk").set_index("app_version").loc["25.3.1"]
    assert (risk.failures, risk.other_failure_rate) == (25, 0.05)
    assert 1 < risk.low < risk.risk_ratio < risk.high
    assert risk.enough


def test_a_bad_version_after_an_incident_is_not_protective(store):
    """Ten bad days before the rollout must not count as the failures of the old version.

    Old: 60 of 100 fail during the incident, then 5 of 100. New, afterwards only: 20 of 100. Over all days that is
    0.20 / 0.325 = 0.62; within the days after the rollout it is 0.20 / 0.05 = 4.
    """
    for number in range(100):
        old = {"user": f"u{number % 10}", "version__v": "25.3.0"}
        day = 24 * (number % 10)
        add_sync(store, number, hours=day, successful_sync__v=number % 5 > 2, **old)
        add_sync(store, 100 + number, hours=480 + day, successful_sync__v=number >= 5, **old)
        add_sync(
            store, 200 + number, user=f"v{number % 10}", version__v="25.3.1", hours=480 + day,
            successful_sync__v=number >= 20,
        )  # fmt: skip
    risk = measure(store, "version_risk").set_index("app_version").loc["25.3.1"]
    assert (risk.failure_rate, risk.other_failure_rate) == (0.2, 0.05)
    assert risk.risk_ratio == pytest.approx(20.5 / 5.5)
    assert 1 < risk.low < risk.risk_ratio < risk.high
    assert risk.enough


def test_versions_that_never_ran_on_one_day_are_not_compared(store):
    for number in range(80):
        add_sync(
            store, number, user=f"u{number % 10}", hours=24 * (number // 40),
            version__v="25.3.0" if number < 40 else "25.3.1", successful_sync__v=number % 4 > 0,
        )  # fmt: skip
    risk = measure(store, "version_risk")
    assert risk.risk_ratio.isna().all()
    assert not risk.enough.any()


def test_adoption_shows_a_replaced_version(store):
    for day in range(10):
        for number in range(10):
            version = "25.3.0" if day < 5 else "25.3.1"
            add_sync(store, day * 10 + number, hours=24 * day + number, version__v=version)
    stages = measure(store, "version_adoption").set_index("app_version").stage.to_dict()
    assert stages == {"25.3.0": "replaced", "25.3.1": "adopted"}


@pytest.mark.parametrize(("hits", "n"), [(0, 1), (1, 1), (7, 20), (999, 1000), (0, 0)])
def test_wilson_bounds_in_sql_and_in_python_agree(store, hits, n):
    bounds = ", ".join(wilson_bound_sql("hits", "n", sign) for sign in "-+")
    low, high = store.execute(f"SELECT {bounds} FROM (SELECT {hits} AS hits, {n} AS n)").fetchall()[0]
    expected = wilson_interval(hits, n)
    if n == 0:
        assert low is None and high is None
    else:
        assert (low, high) == pytest.approx(expected, abs=1e-12)


def test_a_missing_sqlglot_is_answered_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sqlglot", None)
    with pytest.raises(AnalysisError) as refused:
        translate("SELECT 1")
    assert "synclens[spark]" in refused.value.next_step
