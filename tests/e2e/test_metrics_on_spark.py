"""Metrics on Apache Spark, over an exported lake, return the same answers as on DuckDB."""

import math
import shutil
import warnings
from datetime import UTC, date, datetime

import pandas as pd
import pytest
import sqlglot

from analysis.metrics.registry import METRICS, measure
from analysis.metrics.transpile import translate, translate_metric
from analysis.query.as_of import reference_time
from analysis.query.filters import Filters
from analysis.query.runner import run_query
from ingest import export_lake
from synclens.spark import (
    ISSUE_COUNTS,
    ExportNotFound,
    SparkStore,
    SparkUnavailable,
    spark_session,
    store_views,
)

on_spark = [pytest.mark.spark]
# DuckDB counts started seconds, Spark completed ones.
SECOND = 1.001 / 3600
FILTERED = (
    {"until": datetime(2026, 3, 20, 12, tzinfo=UTC), "platform": "iPad"},
    {"since": "2026-03-10", "country": ["DE", "FR"], "cause": ["network", "field-permission"]},
)


@pytest.fixture(scope="module")
def lake_folder(stormy_store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "lake"
    export_lake(stormy_store, folder)
    return folder


@pytest.fixture(scope="module")
def lake(lake_folder):
    pytest.importorskip("pyspark.sql", reason="the extra [spark] is not installed")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java 17, and there is no `java` on the path")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with spark_session(master="local[1]") as session:
            session.conf.set("spark.sql.shuffle.partitions", "1")
            yield SparkStore.at(session, lake_folder)


class TestSpark:
    pytestmark = on_spark

    @pytest.mark.parametrize("name", METRICS)
    def test_and_duckdb_agree_on_every_metric(self, lake, stormy_store, name):
        assert_same(measure(stormy_store, name), lake.measure(name))

    @pytest.mark.parametrize("filters", FILTERED, ids=["iPads before", "two countries, two causes"])
    @pytest.mark.parametrize("name", ["success_rate", "stuck_devices", "errors_by_cause", "pending_backlog"])
    def test_understands_the_same_filters(self, lake, stormy_store, name, filters):
        assert_same(measure(stormy_store, name, **filters), lake.measure(name, **filters))

    def test_has_the_same_reference_time(self, lake, lake_folder, own_stormy_store, tmp_path):
        now = reference_time(own_stormy_store)
        own_stormy_store.execute("UPDATE ingest_batch SET finished_at = ?", [now])
        own_stormy_store.execute(
            "INSERT INTO sync_error (event_id, occurred_at, user_id, phase, message, source, batch_id)"
            " VALUES ('odd', '2036-01-01', 'nobody', 'upload', 'No', 't', 't')"
        )
        export_lake(own_stormy_store, tmp_path / "odd")
        try:
            odd = SparkStore.at(lake.session, tmp_path / "odd").measure("freshness")
        finally:
            SparkStore.at(lake.session, lake_folder)
        assert_same(measure(own_stormy_store, "freshness"), odd)
        assert_same(measure(own_stormy_store, "freshness", until=now), odd)

    def test_counts_the_same_issues(self, lake, stormy_store):
        duckdb_rows = run_query(stormy_store, ISSUE_COUNTS, Filters())
        assert len(duckdb_rows) > 10
        assert_same(duckdb_rows, lake.run_query(ISSUE_COUNTS))

    def test_needs_a_lake(self, lake, tmp_path):
        with pytest.raises(ExportNotFound) as refused:
            SparkStore.at(lake.session, tmp_path)
        assert "synclens export" in refused.value.next_step


def test_spark_without_java_raises_an_error_with_a_next_step(monkeypatch):
    pytest.importorskip("pyspark.sql", reason="the extra [spark] is not installed")
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(SparkUnavailable) as refused, spark_session():
        pass
    assert "Java 17" in refused.value.next_step


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_valid_spark_sql(name):
    text = translate_metric(name)
    (parsed,) = sqlglot.parse(text, read="spark", error_level=sqlglot.ErrorLevel.RAISE)
    # A function that the parser does not know in this dialect most likely does not exist.
    unknown = {call.name.lower() for call in parsed.find_all(sqlglot.exp.Anonymous)}
    assert unknown <= {"percentile"}
    assert [column.alias_or_name for column in parsed.selects] == columns_of(name)


def columns_of(name):
    return [column.alias_or_name for column in sqlglot.parse_one(METRICS[name].sql, read="duckdb").selects]


def test_the_views_of_a_store_are_valid_spark_sql():
    views = store_views()
    assert {"sync", "error", "current_device", "current_user_info"} <= views.keys()
    for sql in views.values():
        sqlglot.parse_one(translate(sql), read="spark")


def assert_same(duckdb_rows, spark_rows):
    assert list(duckdb_rows.columns) == list(spark_rows.columns)
    assert len(spark_rows) == len(duckdb_rows)
    for duckdb_row, spark_row in zip(
        duckdb_rows.to_dict("records"), spark_rows.to_dict("records"), strict=True
    ):
        for column, value in duckdb_row.items():
            slack = SECOND if "hours" in column else 1e-9
            assert same(value, spark_row[column], slack), (column, value, spark_row[column])


def same(value, other, slack):
    if value is None or value != value:
        return other is None or other != other
    if isinstance(value, bool) or isinstance(other, str | bool):
        return value == other
    if isinstance(other, datetime | date):
        return pd.Timestamp(value) == pd.Timestamp(other)
    return math.isclose(float(value), float(other), rel_tol=1e-9, abs_tol=slack)
