"""Run a query on the part of a store that filters select.

A query reads the tables and views of the store, and the relations of `shared_relations`. If it needs to know what
"now" is, it also reads the relation `reference`, one row with the column `as_of`: the filter `until`, or the
reference time of the whole store.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from duckdb import DuckDBPyConnection

from analysis.query.as_of import reference_time
from analysis.query.filters import Filters, filterable_relations
from analysis.query.shared_relations import with_shared_relations
from analysis.query.sql_structure import sql_structure, with_relations

if TYPE_CHECKING:
    import pandas as pd

REFERENCE = "reference"


def run_query(
    connection: DuckDBPyConnection, sql: str, filters: Filters, parameters: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Run a query on the filtered relations of a store; all of `analysis` reads the store through this."""
    return _execute(connection, sql, filters, parameters).df()


def run_query_rows(
    connection: DuckDBPyConnection, sql: str, filters: Filters, parameters: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Run a query as `run_query` does, and return its rows as Python values, without pandas."""
    result = _execute(connection, sql, filters, parameters)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _execute(
    connection: DuckDBPyConnection, sql: str, filters: Filters, parameters: Mapping[str, Any] | None
) -> DuckDBPyConnection:
    as_of = reference_time_for(connection, filters) if reads_reference(sql) else None
    text, bound = filtered_query(sql, filters, as_of)
    return connection.execute(text, bound | dict(parameters or {}))


def filtered_query(sql: str, filters: Filters, as_of: datetime | None = None) -> tuple[str, dict[str, Any]]:
    """Return the query with filtered relations in front of it, and the values to bind.

    `as_of` is required if the query reads `reference`.
    """
    query = with_shared_relations(sql, filters)
    selects = {
        relation: filters.filtered_select(relation, query)
        for relation in filterable_relations(query)
        if filters or relation == "sync"
    }
    conditions = "".join([query, *selects.values()])
    bound = {name: value for name, value in filters.parameters().items() if f"${name}" in conditions}
    if reads_reference(sql):
        selects[REFERENCE] = "SELECT $as_of::TIMESTAMP AS as_of"
        bound["as_of"] = as_of
    return with_relations(query, selects), bound


def reference_time_for(connection: DuckDBPyConnection, filters: Filters) -> datetime | None:
    """Return the filter `until`, or the reference time of the whole store; None if the store is empty."""
    return filters.until if filters.until is not None else reference_time(connection)


def reads_reference(sql: str) -> bool:
    """Return whether a query depends on the reference time."""
    return REFERENCE in sql_structure(with_shared_relations(sql)).relations
