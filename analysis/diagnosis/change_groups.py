"""Changes as their authors made them: the rows of `config_change` of one time, kind and author are one change.

A territory realignment or a merge of accounts writes one row for each account; 600 such rows are one hypothesis.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from duckdb import DuckDBPyConnection

from analysis.query.filters import Filters
from analysis.query.runner import run_query_rows

_MAX_GAP = 60.0  # seconds between two rows of one change
_NO_VALUES = frozenset({None, "", "None", "null"})

# `records_values`: whether the source of a row states values at all. If it does, a row without any changed nothing
# that matters; if it does not, its values are unknown.
_CHANGES = """
SELECT change_id, epoch(changed_at) AS at, changed_at, changed_by, kind, target, object, field, scope, before, after,
    detail, bool_or(before IS NOT NULL OR after IS NOT NULL) OVER (PARTITION BY source) AS records_values
FROM config_change ORDER BY changed_at, change_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRow:
    """One row of `config_change`; `at` is its time in epoch seconds."""

    change_id: str
    at: float
    changed_at: datetime
    changed_by: str | None
    kind: str
    target: str
    object: str | None
    field: str | None
    scope: str | None
    before: str | None
    after: str | None
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeGroup:
    """The rows of one change, oldest first.

    `reverted_at` is when a later change restored the previous value of the first row, in epoch seconds; infinity if
    none did.
    """

    rows: tuple[ChangeRow, ...]
    reverted_at: float

    @property
    def at(self) -> float:
        """Return when the change began, in epoch seconds."""
        return self.rows[0].at

    @property
    def kind(self) -> str:
        """Return the kind that all rows share."""
        return self.rows[0].kind


def load_change_groups(connection: DuckDBPyConnection, filters: Filters) -> list[ChangeGroup]:
    """Load the changes within the filters, oldest first, without rows whose value did not change."""
    rows = []
    for row in run_query_rows(connection, _CHANGES, filters):
        is_empty = row["before"] in _NO_VALUES and row["after"] in _NO_VALUES
        is_unchanged = is_empty if row.pop("records_values") else False
        if not is_unchanged and (is_empty or row["before"] != row["after"]):
            rows.append(ChangeRow(**row))
    reverts = _find_reverts(rows)
    groups = [
        ChangeGroup(rows=tuple(group), reverted_at=reverts.get(group[0].change_id, float("inf")))
        for group in _group_rows(rows)
    ]
    return sorted(groups, key=lambda group: (group.at, group.rows[0].change_id))


def _group_rows(rows: Sequence[ChangeRow]) -> Iterator[list[ChangeRow]]:
    series: dict[tuple[str, str], list[ChangeRow]] = defaultdict(list)
    for row in rows:
        author = row.changed_by if row.changed_by is not None else f"row {row.change_id}"
        series[(row.kind, author)].append(row)
    for members in series.values():
        group = [members[0]]
        for earlier, later in pairwise(members):
            if later.at - earlier.at > _MAX_GAP:
                yield group
                group = []
            group.append(later)
        yield group


def _find_reverts(rows: Sequence[ChangeRow]) -> Mapping[str, float]:
    """Return for each reverted row when the first later row of the same setting restored its previous value."""
    reverts: dict[str, float] = {}
    waiting: dict[tuple[object, ...], list[ChangeRow]] = defaultdict(list)
    for row in rows:
        setting = (row.kind, row.target, row.object, row.field)
        for earlier in waiting[setting]:
            if earlier.before == row.after and earlier.at < row.at:
                reverts.setdefault(earlier.change_id, row.at)
        waiting[setting] = [item for item in waiting[setting] if item.change_id not in reverts]
        waiting[setting].append(row)
    return reverts
