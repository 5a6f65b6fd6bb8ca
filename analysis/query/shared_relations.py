"""Relations that any query can read in addition to the tables and views of the store.

pending_now       the pending records of each device
stopped_device    the devices that cannot sync, each with the issue that stops it
pending_blocker   what blocks each pending record: the stop of its device, or a refusal
unrecovered_user  the users who have not synced successfully since their last error of an issue
sync_attempt      tracked syncs, and the errors of syncs that left no tracking record
upload_balance    how the records that users made reached Vault, for each sync that counts them
shut_out_cause    the causes that refuse all syncs until someone acts
quiet_period      one row with the column `days`: how long an issue must have no errors to be quiet

Each is a file in relations/, except the last two. The query runner puts the ones that a query reads in front of it.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from analysis.base.quiet_period import QUIET_PERIOD
from analysis.query.filters import Filters
from analysis.query.sql_structure import sql_structure, with_relations

# All syncs of a user or device with such an error are refused: the app is too old, or the user may not sign in.
SHUT_OUT_CAUSES = ("app-outdated", "access-policy", "sign-in-failed", "password-expired")
# Each relation with those that it reads, in an order in which each follows the ones that it reads.
_READS = {
    "quiet_period": (),
    "shut_out_cause": (),
    "pending_now": (),
    "stopped_device": ("quiet_period", "shut_out_cause"),
    "pending_blocker": ("pending_now", "stopped_device"),
    "unrecovered_user": (),
    "sync_attempt": ("shut_out_cause",),
    "upload_balance": (),
}


def with_shared_relations(sql: str, filters: Filters | None = None) -> str:
    """Return the query with the shared relations that it reads in front of it.

    Filters on cause and issue select rows of `pending_blocker`. They do not change which error blocks a record.
    """
    needed = set(sql_structure(sql).relations)
    for name in reversed(_READS):
        if name in needed:
            needed.update(_READS[name])
    relations = {name: _select(name, filters or Filters()) for name in _READS if name in needed}
    return with_relations(sql, relations) if relations else sql


def _select(name: str, filters: Filters) -> str:
    match name:
        case "quiet_period":
            return f"SELECT {QUIET_PERIOD.days} AS days"
        case "shut_out_cause":
            return " UNION ALL ".join(f"SELECT '{cause}' AS cause" for cause in SHUT_OUT_CAUSES)
        case "pending_blocker":
            return _select_blockers(filters)
    return _relation_sql(name)


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
