"""The same metric files on Apache Spark give the same answers as on DuckDB."""

import math
import shutil
import warnings
from datetime import date, datetime

import pytest

from analysis.filters import Filters
from analysis.metrics import METRICS, measure, moment_of
from analysis.metrics.dialects import DIALECTS, metric_sql, translate

pytestmark = [pytest.mark.spark, pytest.mark.slow]
RELATIONS = (
    "sync", "error", "pending_record", "current_device", "current_user_info", "sync_detail",
    "sync_tracking__v",
)  # fmt: skip
# DuckDB counts the seconds begun, Spark those completed.
SECOND = 1.001 / 3600


@pytest.fixture(scope="module")
def spark(stormy_store, tmp_path_factory):
    sql = pytest.importorskip("pyspark.sql", reason="the extra [spark] is not installed")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java 17, and there is no `java` on the path")
    lake = tmp_path_factory.mktemp("lake")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = (
            sql.SparkSession.builder.master("local[1]")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.shuffle.partitions", "1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .getOrCreate()
        )
    for relation in RELATIONS:
        stormy_store.execute(f"COPY (SELECT * FROM {relation}) TO '{lake}/{relation}.parquet'").fetchall()
        session.read.parquet(f"{lake}/{relation}.parquet").createOrReplaceTempView(relation)
    at = moment_of(stormy_store, Filters())
    session.sql(f"SELECT TIMESTAMP_NTZ'{at}' AS as_of").createOrReplaceTempView("moment")
    yield session
    session.stop()


@pytest.mark.parametrize("name", METRICS)
def test_spark_and_duckdb_agree(spark, stormy_store, name):
    ours = measure(stormy_store, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = [row.asDict() for row in spark.sql(metric_sql(name, "spark")).collect()]
    assert len(theirs) == len(ours)
    for mine, other in zip(ours.to_dict("records"), theirs, strict=True):
        assert list(mine) == list(other)
        for column, value in mine.items():
            slack = SECOND if "hours" in column else 1e-9
            assert same(value, other[column], slack), (column, value, other[column])


def same(value, other, slack):
    if value is None or value != value:
        return other is None or other != other
    if isinstance(value, bool) or isinstance(other, str | bool):
        return value == other
    if isinstance(other, datetime | date):
        return str(value)[:10] == str(other)[:10]
    return math.isclose(float(value), float(other), rel_tol=1e-9, abs_tol=slack)


@pytest.mark.parametrize("dialect", ["oracle", ""])
def test_an_unknown_dialect_is_refused(dialect):
    with pytest.raises(Exception, match="no dialect") as refused:
        translate("SELECT 1", dialect)
    assert all(known in refused.value.next_step for known in DIALECTS)
