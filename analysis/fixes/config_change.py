"""Configuration changes as typed values, and the one that an issue is attributed to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Self

from duckdb import DuckDBPyConnection

from analysis.base.setting_values import PartChange, as_flag, changed_parts, parse_value
from analysis.diagnosis.related_changes import related_changes
from analysis.diagnosis.suspect_changes import SuspectChange, suspects
from analysis.issues.details import UnknownIssue
from analysis.query.filters import Filters
from analysis.query.runner import run_query

_COLUMNS = "change_id, changed_at, changed_by, kind, target, object, field, scope, before, after, detail"
_CHANGE = f"SELECT {_COLUMNS} FROM config_change WHERE change_id = $change_id"
_LATER_CHANGES = f"""
SELECT a.change_id AS changed, {", ".join(f"b.{name}" for name in _COLUMNS.split(", "))}
FROM config_change AS a
JOIN config_change AS b ON b.changed_at > a.changed_at AND b.kind = a.kind AND b.target = a.target
    AND b.object IS NOT DISTINCT FROM a.object AND b.field IS NOT DISTINCT FROM a.field
WHERE list_contains($change_ids, a.change_id)
ORDER BY b.changed_at, b.change_id
"""
# Rows that one user wrote within a minute of a change, in the same way: one for each moved account or locked user.
_SAME_CHANGE = f"""
SELECT {", ".join(f"b.{name}" for name in _COLUMNS.split(", "))} FROM config_change AS a
JOIN config_change AS b ON b.kind = a.kind AND b.changed_by IS NOT DISTINCT FROM a.changed_by
    AND abs(epoch(b.changed_at) - epoch(a.changed_at)) <= 60
    AND b.detail IS NOT DISTINCT FROM a.detail
WHERE a.change_id = $change_id AND (a.kind = 'territory' OR b.after = a.after OR a.detail IS NOT NULL)
ORDER BY b.changed_at, b.change_id
"""
_ROW_KINDS = frozenset({"territory", "user", "object"})
_FORMER_VERSION = """
SELECT s.app_version FROM sync AS s
WHERE s.started_at < $at AND s.app_version IS NOT NULL AND s.app_version <> $version
    AND coalesce(s.device_id, s.user_id) IN
        (SELECT coalesce(device_id, user_id) FROM sync WHERE app_version = $version)
GROUP BY s.app_version ORDER BY max(s.started_at) DESC, count(*) DESC, s.app_version DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigChange:
    """One row of `config_change`, or a version rollout that no row describes. `changed_at` is in UTC."""

    change_id: str
    changed_at: datetime
    changed_by: str | None
    kind: str
    target: str
    object: str | None
    field: str | None
    scope: str | None
    before: str | None
    after: str | None
    detail: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values that JSON can hold."""
        return asdict(self) | {"changed_at": self.changed_at.isoformat()}


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributedChange(ConfigChange):
    """The change that an issue is attributed to.

    `certain` is true for a suspect change (analysis.diagnosis.suspect_changes), with its `p_value`, or None if the
    errors state the value that it set. It is false for a change that is only close in time and content.
    `relation` describes its relation to the errors; empty if none is known.
    """

    certain: bool
    p_value: float | None
    relation: str = ""

    @classmethod
    def from_change(
        cls, change: ConfigChange, *, certain: bool, p_value: float | None = None, relation: str = ""
    ) -> Self:
        """Attribute an issue to a change."""
        values = {field.name: getattr(change, field.name) for field in fields(ConfigChange)}
        return cls(**values, certain=certain, p_value=p_value, relation=relation)


def attributed_change(
    connection: DuckDBPyConnection, issue_id: str, *, shared_values: Iterable[str] = ()
) -> AttributedChange | None:
    """Return the change that an issue is attributed to, or None.

    The first choice is the best suspect change: it explains the start better than chance. For issues that are
    too small to test, it is the change that fits best by content (analysis.diagnosis.related_changes).
    """
    suspect = _best_suspect(connection, issue_id)
    if suspect is not None:
        rows = _load_changes(connection, _CHANGE, {"change_id": suspect.change_id})
        change = next(iter(rows), None) or _change_from_rollout(suspect)
        p_value = None if suspect.stated else suspect.p_value
        return AttributedChange.from_change(change, certain=True, p_value=p_value, relation=suspect.relation)
    related = next(iter(related_changes(connection, issue_id, shared_values)), None)
    if related is None:
        return None
    values = {field.name: getattr(related.row, field.name) for field in fields(ConfigChange)}
    return AttributedChange.from_change(ConfigChange(**values), certain=False, relation=related.description)


def find_revert(connection: DuckDBPyConnection, change: ConfigChange) -> ConfigChange | None:
    """Return the later change that restored what a change replaced, or None.

    If several rows were written together, each must be restored; the last restoring row is returned.
    """
    rows = list_rows(connection, change)
    names = ["changed", *_COLUMNS.split(", ")]
    parameters = {"change_ids": [row.change_id for row in rows]}
    later: dict[str, list[ConfigChange]] = {row.change_id: [] for row in rows}
    for values in connection.execute(_LATER_CHANGES, parameters).fetchall():
        columns = dict(zip(names, values, strict=True))
        later[columns.pop("changed")].append(ConfigChange(**columns))
    reverts = [_first_revert(row, later[row.change_id]) for row in rows]
    complete = [revert for revert in reverts if revert is not None]
    return max(complete, key=lambda row: row.changed_at) if len(complete) == len(rows) else None


def _first_revert(row: ConfigChange, later: Sequence[ConfigChange]) -> ConfigChange | None:
    parts = changed_parts(row.before, row.after)
    return next((change for change in later if _restores(parts, change)), None)


def _restores(parts: Sequence[PartChange], later: ConfigChange) -> bool:
    values = parse_value(later.after)
    changed = {part.name for part in changed_parts(later.before, later.after)}
    return any(
        part.name in changed
        and (
            values.get(part.name) == part.before
            or (part.before is None and as_flag(values.get(part.name)) is (as_flag(part.after) is False))
        )
        for part in parts
        if part.before is not None or as_flag(part.after) is not None
    )


def list_rows(connection: DuckDBPyConnection, change: ConfigChange) -> list[ConfigChange]:
    """List the rows that were written with a change, itself included, such as one for each moved account."""
    if change.kind not in _ROW_KINDS:
        return [change]
    return _load_changes(connection, _SAME_CHANGE, {"change_id": change.change_id}) or [change]


def find_former_version(connection: DuckDBPyConnection, change: ConfigChange) -> str | None:
    """Return the app version that devices had before a rollout; None if no sync shows it."""
    parameters = {"at": change.changed_at, "version": change.target}
    frame = run_query(connection, _FORMER_VERSION, Filters.of(), parameters)
    return None if frame.empty else str(frame.iloc[0, 0])


def _load_changes(
    connection: DuckDBPyConnection, sql: str, parameters: Mapping[str, object]
) -> list[ConfigChange]:
    names = _COLUMNS.split(", ")
    rows = connection.execute(sql, parameters).fetchall()
    return [ConfigChange(**dict(zip(names, row, strict=True))) for row in rows]


def _best_suspect(connection: DuckDBPyConnection, issue_id: str) -> SuspectChange | None:
    try:
        return next(iter(suspects(connection, issue_id, limit=1)), None)
    except UnknownIssue:  # its errors name no user, so no users can be compared
        return None


def _change_from_rollout(suspect: SuspectChange) -> ConfigChange:
    """Describe a version rollout that has no row in `config_change`."""
    return ConfigChange(
        change_id=suspect.change_id, changed_at=suspect.changed_at, changed_by=None, kind=suspect.kind,
        target=suspect.target, object=None, field=None, scope=suspect.scope, before=suspect.before,
        after=suspect.after, detail=None,
    )  # fmt: skip
