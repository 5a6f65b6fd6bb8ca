"""The lake on Apache Spark: the store's own views, metrics and filters, rewritten, over its Parquet files.

Nothing is defined twice: the views are those of a new store, the metrics their files, the filters those of
`analysis.filters`; sqlglot rewrites all three. Needs the extra `spark` and, unless a Spark Connect server does
the work, Java 17.
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
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from analysis import AnalysisError
from analysis.metrics.registry import find_metric
from analysis.metrics.transpile import UNFILTERED_PREFIX, translate
from analysis.query.as_of import NEWEST_PLAUSIBLE, NEWEST_TIMESTAMPS, choose_reference_time
from analysis.query.filters import Filters
from analysis.query.runner import filtered_query
from ingest.parquet_export import TABLES, is_lake, loaded_until
from ingest.store.open import migrate

ISSUE_COUNTS = """
SELECT issue_id, cause, count(*) AS events, count(DISTINCT user_id) AS users,
    count(DISTINCT coalesce(device_id, user_id)) AS devices, min(occurred_at) AS first_seen,
    max(occurred_at) AS last_seen
FROM error
GROUP BY issue_id, cause
ORDER BY events DESC, issue_id, cause
"""
"""How often and whom each issue hits; runs on a store and on a lake alike."""


class SparkUnavailable(AnalysisError):
    """Apache Spark cannot be started or reached from here."""


class ExportNotFound(AnalysisError):
    """A directory that `synclens export` did not write."""

    def __init__(self, directory: Path | str) -> None:
        super().__init__(
            f"there is no lake at {directory}", next_step="Write one with: synclens export --lake DIR."
        )


@dataclass(frozen=True, slots=True)
class SparkStore:
    """A lake whose tables and views a Spark session knows by the store's names."""

    session: Any
    loaded: datetime | None = None

    @classmethod
    def at(cls, session: Any, directory: Path | str) -> SparkStore:
        """Tell a session of the lake in `directory`, a path that Spark itself can read. Raises NoLake."""
        if not is_lake(Path(directory)):
            raise ExportNotFound(directory)
        root = Path(directory).resolve()
        for table in TABLES:
            _name(session, session.read.parquet(str(root / table)).drop("day"), table)
        for name, sql in store_views().items():
            _name(session, session.sql(translate(sql)), name)
        return cls(session, loaded_until(root))

    def measure(self, name: str, **filters: object) -> pd.DataFrame:
        """Compute a metric as `analysis.measure` does, on Spark. Raises what that raises."""
        return self.ask(find_metric(name).sql, **filters)

    def ask(self, sql: str, **filters: object) -> pd.DataFrame:
        """Run a query in the store's SQL over the part of the lake that the filters let through."""
        chosen = Filters.of(**filters)
        as_of = chosen.until or self._reference_time()
        text, bound = filtered_query(sql, chosen, as_of)
        answer = self.session.sql(translate(text), args=_texts(bound))
        rows = [[_plain(value) for value in row] for row in answer.collect()]
        return pd.DataFrame(rows, columns=list(answer.columns))

    def _reference_time(self) -> datetime | None:
        (told,) = self.session.sql(translate(NEWEST_TIMESTAMPS)).collect()

        def believed(bound: datetime) -> datetime | None:
            answer = self.session.sql(translate(NEWEST_PLAUSIBLE), args=_texts({"bound": bound}))
            found: datetime | None = answer.collect()[0]["newest"]
            return found

        return choose_reference_time(told["newest"], told["recorded"], self.loaded, believed)


@contextmanager
def spark_session(*, master: str | None = None, connect: str | None = None) -> Iterator[Any]:
    """Start Spark at `master` (this machine unless named), or reach a Spark Connect server, e.g. sc://host.

    The session ends with the block. Raises NoSpark.
    """
    sql = _pyspark()
    if connect is None and not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        raise SparkUnavailable(
            "Spark on this machine needs Java",
            next_step="Install Java 17, or use a Spark Connect server with --connect sc://HOST.",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Spark about itself, at its start
        try:
            session = _builder(sql, master, connect).getOrCreate()
        except Exception as failed:
            raise SparkUnavailable(
                f"Spark did not start: {str(failed).splitlines()[0]}",
                next_step="Check --master or --connect; for Spark Connect: pip install 'pyspark[connect]'.",
            ) from failed
        try:
            yield session
        finally:
            session.stop()


def store_views() -> Mapping[str, str]:
    """Give the definition of each view of a store as a SELECT, by name, in the order in which they build."""
    with duckdb.connect() as store:
        migrate(store)
        told = store.execute(
            "SELECT view_name, sql FROM duckdb_views() WHERE NOT internal ORDER BY view_oid"
        ).fetchall()
    return {name: sql.split(" AS ", 1)[1].rstrip().rstrip(";") for name, sql in told}


def _name(session: Any, frame: Any, name: str) -> None:
    frame.createOrReplaceTempView(name)
    # Filters put a narrowed relation in front of the whole one, which then needs a name of its own.
    frame.createOrReplaceTempView(f"{UNFILTERED_PREFIX}{name}")


def _builder(sql: Any, master: str | None, connect: str | None) -> Any:
    builder = sql.SparkSession.builder.config("spark.sql.session.timeZone", "UTC")
    if connect is not None:
        return builder.remote(connect)
    where = master or "local[*]"
    builder = builder.master(where).appName("synclens").config("spark.log.level", "ERROR")
    if not where.startswith("local"):
        return builder
    # Nobody else's business: a local Spark listens to this machine only.
    for name in ("spark.driver.bindAddress", "spark.driver.host"):
        builder = builder.config(name, "127.0.0.1")
    return builder.config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "8")


def _pyspark() -> Any:
    try:
        return import_module("pyspark.sql")
    except ImportError:
        raise SparkUnavailable(
            "asking Spark needs pyspark", next_step="Install it: pip install 'synclens[spark]'."
        ) from None


def _texts(bound: Mapping[str, Any]) -> dict[str, Any]:
    # As text, because Spark would take a moment without a zone for one of the zone that Python runs in.
    return {
        name: value.isoformat(sep=" ") if isinstance(value, datetime) else value
        for name, value in bound.items()
    }


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
