"""Rewrite the metric files for Apache Spark, with sqlglot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.base.errors import AnalysisError
from analysis.metrics.registry import find_metric
from analysis.query.shared_relations import with_shared_relations

if TYPE_CHECKING:
    from sqlglot.expressions import Expression

UNFILTERED_PREFIX = "whole_"
"""Replaces `main.` on Spark: `whole_sync` is the relation `sync` before any filter."""
_TIMESTAMP_PARAMETERS = ("as_of", "filter_since", "filter_until")


def translate_metric(name: str) -> str:
    """Return the SQL of a metric for Spark.

    It reads relations of the store's names (`sync`, `error`, `reference` and the tables that its file names),
    filtered or not. Numbers agree with DuckDB's within rounding, hours within a second; quantiles are exact.
    Raises UnknownMetric.
    """
    return translate(with_shared_relations(find_metric(name).sql))


def translate(sql: str) -> str:
    """Rewrite DuckDB SQL for Spark, without its comments.

    Parameters keep their names; timestamps are bound as text. A relation of the schema `main` gets the prefix
    UNFILTERED_PREFIX. Raises AnalysisError if sqlglot is not installed.
    """
    try:
        import sqlglot  # noqa: PLC0415 - slow to import, and only Spark needs it
    except ImportError as error:
        raise AnalysisError(
            "rewriting a metric for Spark needs the package sqlglot, which is not installed",
            next_step="Install it with: pip install 'synclens[spark]'",
        ) from error

    tree = sqlglot.parse_one(sql, read="duckdb")
    for rewrite in (_rename_unfiltered, _use_exact_quantile, _cast_timestamp):
        tree = tree.transform(rewrite)
    return tree.sql(dialect="spark", comments=False, pretty=True)


def _use_exact_quantile(node: Expression) -> Expression:
    """Call `percentile`: sqlglot would choose Spark's approximate quantile."""
    from sqlglot import expressions as exp  # noqa: PLC0415

    if not (isinstance(node, exp.WithinGroup) and isinstance(node.this, exp.PercentileCont)):
        return node
    ordered = node.expression.expressions[0].this
    return exp.Anonymous(this="percentile", expressions=[ordered, node.this.this])


def _rename_unfiltered(node: Expression) -> Expression:
    """Rename a relation of the schema `main`, which Spark does not have."""
    from sqlglot import expressions as exp  # noqa: PLC0415

    if not (isinstance(node, exp.Table) and node.db == "main"):
        return node
    return exp.to_table(f"{UNFILTERED_PREFIX}{node.name}", alias=node.alias or node.name)


def _cast_timestamp(node: Expression) -> Expression:
    """Cast a timestamp that is bound as text to one without a time zone, as the store keeps it."""
    from sqlglot import expressions as exp  # noqa: PLC0415

    if not (isinstance(node, exp.Parameter | exp.Placeholder) and node.name in _TIMESTAMP_PARAMETERS):
        return node
    return exp.cast(exp.Placeholder(this=node.name), exp.DataType.Type.TIMESTAMPNTZ)
