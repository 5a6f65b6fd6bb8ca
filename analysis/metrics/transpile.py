"""The metric files for other engines: the same question, rewritten by sqlglot (extra `spark`)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from analysis.base.errors import AnalysisError
from analysis.metrics.registry import find_metric

DIALECTS = ("spark", "databricks", "snowflake")
UNFILTERED_PREFIX = "whole_"
"""What `main.` becomes elsewhere: the relation of that name before any filter, e.g. `whole_sync`."""
_MOMENTS = ("as_of", "filter_since", "filter_until")


class NoTranslator(AnalysisError):
    """The package that rewrites SQL is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "rewriting metrics for another engine needs sqlglot",
            next_step="Install it with the extra: pip install 'synclens[spark]'.",
        )


def translate_metric(name: str, dialect: str) -> str:
    """Write a metric for another engine, one of DIALECTS.

    It reads relations of the store's names (`sync`, `error`, `reference` and the tables that its file names),
    narrowed or not. Figures agree with DuckDB's within rounding, hours within a second; quantiles are exact.
    Raises UnknownMetric, and NoTranslator without sqlglot.
    """
    return translate(find_metric(name).sql, dialect)


def translate(sql: str, dialect: str) -> str:
    """Rewrite DuckDB SQL for another engine, one of DIALECTS. Comments are left out.

    Values stay bound, by the same names; moments are bound as text. A relation of `main` gets the prefix WHOLE.
    """
    if dialect not in DIALECTS:
        raise AnalysisError(
            f"there is no dialect {dialect!r}", next_step=f"Use one of: {', '.join(DIALECTS)}."
        )
    try:
        sqlglot: Any = import_module("sqlglot")
    except ImportError:
        raise NoTranslator from None
    tree = sqlglot.parse_one(sql, read="duckdb").transform(_whole)
    if dialect != "snowflake":
        tree = tree.transform(_exact_quantile).transform(_moment)
    text: str = tree.sql(dialect=dialect, comments=False, pretty=True)
    return text


def _exact_quantile(node: Any) -> Any:  # noqa: ANN401 - sqlglot is optional, and so are its types
    """Ask for `percentile`: sqlglot would choose Spark's approximate one."""
    exp: Any = import_module("sqlglot.expressions")
    if not (isinstance(node, exp.WithinGroup) and isinstance(node.this, exp.PercentileCont)):
        return node
    ordered = node.expression.expressions[0].this
    return exp.Anonymous(this="percentile", expressions=[ordered, node.this.this])


def _whole(node: Any) -> Any:  # noqa: ANN401
    """Give a relation of the schema `main` a name that works where there is no such schema."""
    exp: Any = import_module("sqlglot.expressions")
    if not (isinstance(node, exp.Table) and node.db == "main"):
        return node
    return exp.to_table(f"{UNFILTERED_PREFIX}{node.name}", alias=node.alias or node.name)


def _moment(node: Any) -> Any:  # noqa: ANN401
    """Read a moment that is bound as text, without a zone, as the store keeps it."""
    exp: Any = import_module("sqlglot.expressions")
    if not (isinstance(node, exp.Parameter | exp.Placeholder) and node.name in _MOMENTS):
        return node
    return exp.cast(exp.Placeholder(this=node.name), exp.DataType.Type.TIMESTAMPNTZ)
