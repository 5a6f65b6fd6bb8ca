"""The metric files for other engines: the same question, rewritten by sqlglot (extra `spark`)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from analysis.errors import AnalysisError
from analysis.metrics import metric

DIALECTS = ("spark", "databricks", "snowflake")


class NoTranslator(AnalysisError):
    """The package that rewrites SQL is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "rewriting metrics for another engine needs sqlglot",
            next_step="Install it with the extra: pip install 'synclens[spark]'.",
        )


def metric_sql(name: str, dialect: str) -> str:
    """Write a metric for another engine, one of DIALECTS.

    It reads relations of the store's names (`sync`, `error`, `moment` and the tables that its file names),
    narrowed or not. Figures agree with DuckDB's within rounding, hours within a second; quantiles are exact.
    Raises UnknownMetric, and NoTranslator without sqlglot.
    """
    return translate(metric(name).sql, dialect)


def translate(sql: str, dialect: str) -> str:
    """Rewrite DuckDB SQL for another engine, one of DIALECTS. Comments are left out."""
    if dialect not in DIALECTS:
        raise AnalysisError(
            f"there is no dialect {dialect!r}", next_step=f"Use one of: {', '.join(DIALECTS)}."
        )
    try:
        sqlglot: Any = import_module("sqlglot")
    except ImportError:
        raise NoTranslator from None
    tree = sqlglot.parse_one(sql, read="duckdb")
    if dialect != "snowflake":
        tree = tree.transform(_exact_quantile)
    text: str = tree.sql(dialect=dialect, comments=False, pretty=True)
    return text


def _exact_quantile(node: Any) -> Any:  # noqa: ANN401 - sqlglot is optional, and so are its types
    """Ask for `percentile`: sqlglot would choose Spark's approximate one."""
    exp: Any = import_module("sqlglot.expressions")
    if not (isinstance(node, exp.WithinGroup) and isinstance(node.this, exp.PercentileCont)):
        return node
    ordered = node.expression.expressions[0].this
    return exp.Anonymous(this="percentile", expressions=[ordered, node.this.this])
