"""Changes that fit an issue by content, for issues that are too small to test when they began."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from analysis.diagnosis.change_groups import ChangeRow, load_change_groups
from analysis.diagnosis.change_relation import IssueFeatures, Relation, can_cause, load_issue_features, relate
from analysis.query.filters import Filters

_LOOKBACK = 7 * 86_400.0  # seconds before the first error
_ERROR_TIMES = """
SELECT epoch(min(occurred_at)), epoch(quantile_disc(occurred_at, 0.5)) FROM issue_event WHERE issue_id = $issue
"""


@dataclass(frozen=True, slots=True)
class RelatedChange:
    """A row of the change that fits best, its relation to the issue, and a description of it."""

    row: ChangeRow
    relation: Relation
    description: str
    is_shared: bool


def related_changes(
    connection: DuckDBPyConnection, issue_id: str, shared_values: Iterable[str] = ()
) -> list[RelatedChange]:
    """List the changes before most errors of an issue that fit it by content, best first.

    These are hints, no proof: their time is not tested. A change counts if the errors name what it changed and its
    kind can cause them. Otherwise it counts in the week before the first error, if it touched their object in a way
    that can cause them, or something that nearly all affected users share (`shared_values`). Devices with a wrong
    clock date errors before their cause, so only half of the errors must come later.
    """
    first, middle = connection.execute(_ERROR_TIMES, {"issue": issue_id}).fetchall()[0]
    if first is None:
        return []
    issue = load_issue_features(connection, issue_id, Filters.of())
    values = set(shared_values)
    related = []
    for group in load_change_groups(connection, Filters.of()):
        if group.at > middle or group.reverted_at <= first:
            continue
        relation, description, rows = relate(group, issue)
        is_recent = first - _LOOKBACK <= group.at <= first
        is_shared = not values.isdisjoint(_names_of(rows))
        if _fits(relation, rows, issue, is_recent=is_recent, is_shared=is_shared):
            related.append(RelatedChange(rows[0], relation, description, is_shared))
    return sorted(
        related,
        key=lambda change: (
            change.relation,
            change.is_shared,
            change.row.at <= first,
            change.row.at,
            change.row.change_id,
        ),
        reverse=True,
    )


def _fits(
    relation: Relation, rows: Iterable[ChangeRow], issue: IssueFeatures, *, is_recent: bool, is_shared: bool
) -> bool:
    if relation >= Relation.NAMED:
        return any(can_cause(row, issue) is not False for row in rows)
    return is_recent and (relation is Relation.FITS_OBJECT or (relation is Relation.FITS_CAUSE and is_shared))


def _names_of(rows: Iterable[ChangeRow]) -> Iterator[str]:
    for row in rows:
        yield row.target
        yield (row.scope or "").rpartition("=")[2]
