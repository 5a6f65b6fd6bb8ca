"""List the records that are pending on devices, with what blocks each one."""

from __future__ import annotations

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.query.filters import Filters
from analysis.query.runner import run_query

_PENDING = """
WITH listed AS (
    SELECT device_id, object, record_id, max(operation) AS operation
    FROM pending_now
    GROUP BY device_id, object, record_id
)
SELECT b.device_id, b.user_id, b.object, b.record_id, b.parent_record_id, p.operation, b.edited_at, b.in_error,
    b.stopped, b.cause, b.issue_id, b.message, date_diff('second', b.edited_at, r.as_of) / 3600.0 AS age_hours
FROM pending_blocker AS b
JOIN listed AS p ON p.device_id = b.device_id AND p.object = b.object AND p.record_id = b.record_id
CROSS JOIN reference AS r
ORDER BY b.device_id, b.record_id, b.object
"""


def list_records_at_risk(
    connection: DuckDBPyConnection, *, only_blocked: bool = True, **filters: object
) -> pd.DataFrame:
    """List pending records with what blocks them and the records that depend on them.

    `dependents` has the ids of records that depend on this one (call, sample, signature, to any depth),
    `blocked_by` the nearest record in error above it, `order` its position when records are fixed parents first.
    Records that are saved together fail together: a record without an error has the cause of a record above,
    below or beside it. `stopped` means that the sync of the device is stopped, which blocks all its records. With
    `only_blocked`, the list has records in error or on stopped devices only, else all pending records.
    The start of a period does not apply. Filters by cause or issue keep records with that cause or issue.
    """
    by_error = {name: filters.pop(name, None) for name in ("cause", "issue_id")}
    frame = run_query(connection, _PENDING, Filters.of(**filters))
    keys = [
        (str(name), str(record)) for name, record in frame[["device_id", "record_id"]].itertuples(index=False)
    ]
    parents = {
        key: parent
        for key, parent in zip(keys, frame["parent_record_id"], strict=True)
        if isinstance(parent, str)
    }
    failing = {key for key, in_error in zip(keys, frame["in_error"], strict=True) if in_error}
    above = {key: _ancestors(parents, *key) for key in keys}
    below: dict[tuple[str, str], list[str]] = {}
    for (name, record), ancestors in above.items():
        for parent in ancestors:
            below.setdefault((name, parent), []).append(record)
    frame["dependents"] = pd.Series(
        [sorted(below.get(key, [])) for key in keys], index=frame.index, dtype=object
    )
    frame["blocked_by"] = pd.Series(
        [next((parent for parent in above[key] if (key[0], parent) in failing), None) for key in keys],
        index=frame.index, dtype=object,
    )  # fmt: skip
    frame["order"] = [len(above[key]) for key in keys]
    for name in ("cause", "issue_id", "message"):
        frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
    for name, value in Filters.of(**by_error).values.items():
        frame = frame[frame[name].isin(value)]
    if only_blocked:
        frame = frame[frame["in_error"] | frame["stopped"]]
    return frame.sort_values(["device_id", "order", "record_id"], kind="stable").reset_index(drop=True)


def _ancestors(parents: dict[tuple[str, str], str], name: str, record: str) -> list[str]:
    """Return the records above this one, the nearest first; a cycle in bad data ends the list."""
    ancestors: list[str] = []
    current = record
    while (parent := parents.get((name, current))) and parent not in ancestors and parent != record:
        ancestors.append(parent)
        current = parent
    return ancestors
