"""Run a query on the part of a store that filters select.

A query reads the store's tables and views. If it needs to know what "now" is, it also reads the relation
`reference`, one row with the column `as_of`: the filter `until`, or the reference time of the whole store.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.query.as_of import reference_time
from analysis.query.filters import Filters, filterable_relations


def run_query(
    connection: DuckDBPyConnection, sql: str, filters: Filters, parameters: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Run a query on the filtered relations of a store; all of analysis reads the store through this."""
    as_of = reference_time_for(connection, filters) if _reads_reference(sql) else None
    text, bound = filtered_query(sql, filters, as_of)
    return connection.execute(text, bound | dict(parameters or {})).df()


def filtered_query(sql: str, filters: Filters, as_of: datetime | None = None) -> tuple[str, dict[str, Any]]:
    """Return the query with filtered relations in front of it, and the values to bind.

    `as_of` is required if the query reads `reference`.
    """
    body = _without_comments(sql)
    parts = [
        f"{relation} AS ({filters.filtered_select(relation, body)})"
        for relation in filterable_relations(sql)
        if filters or relation == "sync"
    ]
    bound: dict[str, Any] = {}
    if _reads_reference(sql):
        parts.append("reference AS (SELECT $as_of::TIMESTAMP AS as_of)")
        bound["as_of"] = as_of
    used = "".join(parts)
    bound |= {name: value for name, value in filters.parameters().items() if f"${name}" in used}
    if not parts:
        return body, bound
    rest = body[len("WITH") :].lstrip() if re.match(r"WITH\b", body, re.IGNORECASE) else None
    return f"WITH {', '.join(parts)}{', ' + rest if rest else ' ' + body}", bound


def reference_time_for(connection: DuckDBPyConnection, filters: Filters) -> datetime | None:
    """Return the filter `until`, or the reference time of the whole store; None if the store is empty."""
    return filters.until if filters.until is not None else reference_time(connection)


def _reads_reference(sql: str) -> bool:
    return re.search(r"\b(?:FROM|JOIN|,)\s*reference\b", _without_comments(sql), re.IGNORECASE) is not None


def _without_comments(sql: str) -> str:
    return re.sub(r"--[^\n]*", "", sql).strip().rstrip(";")
