"""Relations that any query can read in addition to the tables and views of the store.

pending_now      the pending records of each device (relations/pending_now.sql)
pending_blocker  the error that blocks each pending record (relations/pending_blocker.sql)
quiet_period     one row with the column `days`: how long an issue must have no errors to be quiet

The query runner puts the ones that a query reads in front of it.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from analysis.base.quiet_period import QUIET_PERIOD
from analysis.query.filters import Filters
from analysis.query.sql_structure import sql_structure, with_relations


def with_shared_relations(sql: str, filters: Filters | None = None) -> str:
    """Return the query with the shared relations that it reads in front of it.

    Filters on cause and issue select rows of `pending_blocker`. They do not change which error blocks a record.
    """
    names = sql_structure(sql).relations
    relations = {}
    if names & {"pending_now", "pending_blocker"}:
        relations["pending_now"] = _relation_sql("pending_now")
    if "pending_blocker" in names:
        relations["pending_blocker"] = _select_blockers(filters or Filters())
    if "quiet_period" in names:
        relations["quiet_period"] = f"SELECT {QUIET_PERIOD.days} AS days"
    return with_relations(sql, relations) if relations else sql


def _select_blockers(filters: Filters) -> str:
    columns = {"cause": "coalesce(cause, 'unknown')", "issue_id": "issue_id"}
    conditions = [
        f"list_contains($filter_{name}, {column})"
        for name, column in columns.items()
        if name in filters.values
    ]
    blockers = _relation_sql("pending_blocker")
    return f"SELECT * FROM ({blockers}) WHERE {' AND '.join(conditions)}" if conditions else blockers


@cache
def _relation_sql(name: str) -> str:
    """Read the SELECT of a relation, without its comments."""
    path = files("analysis.query").joinpath("relations", f"{name}.sql")
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.strip().startswith("--"))
