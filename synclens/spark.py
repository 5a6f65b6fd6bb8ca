"""Compute metrics on Apache Spark over the Parquet files of `synclens export`.

The views of the store, the metric files and the filters are translated with sqlglot, so nothing is defined twice.
Requires the extra `spark` and, without a Spark Connect server, Java 17.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from analysis.base.errors import AnalysisError
from analysis.metrics.registry import find_metric
from analysis.metrics.transpile import UNFILTERED_PREFIX, translate
from analysis.query.as_of import NEWEST_PLAUSIBLE, NEWEST_TIMESTAMPS, choose_reference_time
from analysis.query.filters import Filters
from analysis.query.runner import filtered_query
from ingest.parquet_export import TABLES, is_lake, loaded_until
from ingest.store.open import migrate
from synclens.extras import import_extra

ISSUE_COUNTS = """
SELECT issue_id, cause, count(*) AS events, count(DISTINCT user_id) AS users,
    count(DISTINCT coalesce(device_id, user_id)) AS devices, min(occurred_at) AS first_seen,
    max(occurred_at) AS last_seen
FROM error
GROUP BY issue_id, cause
ORDER BY events DESC, issue_id, cause
"""
"""Events, users and devices of each issue. The query runs on a store and on Spark."""


class SparkUnavailable(AnalysisError):
    """Apache Spark cannot be started or reached."""


class ExportNotFound(AnalysisError):
    """The directory has no files from `synclens export`."""

    def __init__(self, directory: Path | str) -> None:
        super().__init__(
            f"there is no export in {directory}", next_step="Create one with: synclens export --lake DIR"
        )


@dataclass(frozen=True, slots=True)
class SparkStore:
    """A Spark session in which exported tables and views have the names of the store."""

    session: Any
    loaded: datetime | None = None

    @classmethod
    def at(cls, session: Any, directory: Path | str) -> SparkStore:
        """Register the tables in `directory`, a path that Spark can read. Raises ExportNotFound."""
        if not is_lake(Path(directory)):
            raise ExportNotFound(directory)
        root = Path(directory).resolve()
        for table in TABLES:
            _register_view(session, session.read.parquet(str(root / table)).drop("day"), table)
        for name, sql in store_views().items():
            _register_view(session, session.sql(translate(sql)), name)
        return cls(session, loaded_until(root))

    def measure(self, name: str, **filters: object) -> pd.DataFrame:
        """Compute a metric on Spark, with the result and errors of `analysis.measure`."""
        metric = find_metric(name)
        if metric.is_about_now:
            filters.pop("since", None)
        return self.run_query(metric.sql, **filters)

    def run_query(self, sql: str, **filters: object) -> pd.DataFrame:
        """Run a DuckDB query over the rows that match the filters."""
        parsed_filters = Filters.of(**filters)
        as_of = parsed_filters.until or self._reference_time()
        text, parameters = filtered_query(sql, parsed_filters, as_of)
        result = self.session.sql(translate(text), args=_format_parameters(parameters))
        rows = [[_to_plain_value(value) for value in row] for row in result.collect()]
        return pd.DataFrame(rows, columns=list(result.columns))

    def _reference_time(self) -> datetime | None:
        (newest,) = self.session.sql(translate(NEWEST_TIMESTAMPS)).collect()

        def newest_plausible(bound: datetime) -> datetime | None:
            query = translate(NEWEST_PLAUSIBLE)
            result = self.session.sql(query, args=_format_parameters({"bound": bound}))
            timestamp: datetime | None = result.collect()[0]["newest"]
            return timestamp

        return choose_reference_time(newest["newest"], newest["recorded"], self.loaded, newest_plausible)


@contextmanager
def spark_session(*, master: str | None = None, connect: str | None = None) -> Iterator[Any]:
    """Start Spark at `master` (default: local), or connect to a Spark Connect server such as sc://host.

    The session ends with the block. Raises SparkUnavailable, or MissingExtra without pyspark.
    """
    sql = import_extra("The query engine spark", "spark", "pyspark.sql")
    if connect is None and not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        raise SparkUnavailable(
            "Spark on this machine needs Java",
            next_step="Install Java 17, or use a Spark Connect server with --connect sc://HOST.",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Spark warns about its own code at the start
        try:
            session = _builder(sql, master, connect).getOrCreate()
        except Exception as error:
            raise SparkUnavailable(
                f"Spark did not start: {str(error).splitlines()[0]}",
                next_step="Check --master or --connect; for Spark Connect: pip install 'pyspark[connect]'.",
            ) from error
        try:
            yield session
        finally:
            session.stop()


def store_views() -> Mapping[str, str]:
    """Return the SELECT of each view of a store by name, in the order of their dependencies."""
    with duckdb.connect() as store:
        migrate(store)
        views = store.execute(
            "SELECT view_name, sql FROM duckdb_views() WHERE NOT internal ORDER BY view_oid"
        ).fetchall()
    return {name: sql.split(" AS ", 1)[1].rstrip().rstrip(";") for name, sql in views}


def _register_view(session: Any, frame: Any, name: str) -> None:
    frame.createOrReplaceTempView(name)
    # A filtered query shadows the view and refers to the unfiltered one by this second name.
    frame.createOrReplaceTempView(f"{UNFILTERED_PREFIX}{name}")


def _builder(sql: Any, master: str | None, connect: str | None) -> Any:
    builder = sql.SparkSession.builder.config("spark.sql.session.timeZone", "UTC")
    if connect is not None:
        return builder.remote(connect)
    master_url = master or "local[*]"
    builder = builder.master(master_url).appName("synclens").config("spark.log.level", "ERROR")
    if not master_url.startswith("local"):
        return builder
    # A local Spark is reachable from this machine only.
    for name in ("spark.driver.bindAddress", "spark.driver.host"):
        builder = builder.config(name, "127.0.0.1")
    return builder.config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "8")


def _format_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    # As text, because Spark reads a timestamp without a time zone in the zone of the Python process.
    return {
        name: value.isoformat(sep=" ") if isinstance(value, datetime) else value
        for name, value in parameters.items()
    }


def _to_plain_value(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
