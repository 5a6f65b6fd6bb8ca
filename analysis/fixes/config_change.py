"""Configuration changes as typed values, and the one that an issue is attributed to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Self

from duckdb import DuckDBPyConnection

from analysis.base.setting_values import PartChange, as_flag, changed_parts, parse_value
from analysis.diagnosis.suspect_changes import SuspectChange, suspects
from analysis.issues.details import UnknownIssue
from analysis.query.filters import Filters
from analysis.query.runner import run_query

_LOOKBACK = timedelta(days=7)  # before the start of an issue
_KINDS_BY_CAUSE: Mapping[str, tuple[str, ...]] = {
    "object-permission": ("permission_set",),
    "field-permission": ("permission_set", "field"),
    "record-visibility": ("territory",),
    "required-field": ("field", "object"),
    "picklist-value": ("field", "picklist"),
    "invalid-value": ("field",),
    "validation-rule": ("validation_rule",),
    "sync-configuration": ("vmoc",),
    "schema-mismatch": ("field", "object"),
}
_COLUMNS = "change_id, changed_at, changed_by, kind, target, object, field, scope, before, after, detail"
_CHANGES = f"""
SELECT {_COLUMNS}
FROM config_change
WHERE changed_at BETWEEN $earliest AND $since OR change_id = $suspect
ORDER BY changed_at DESC, change_id
"""
_LATER_CHANGES = f"""
SELECT {", ".join(f"b.{name}" for name in _COLUMNS.split(", "))}
FROM config_change AS a
JOIN config_change AS b ON b.changed_at > a.changed_at AND b.kind = a.kind AND b.target = a.target
    AND b.object IS NOT DISTINCT FROM a.object AND b.field IS NOT DISTINCT FROM a.field
WHERE a.change_id = $change_id
ORDER BY b.changed_at, b.change_id
"""
# Rows that one user wrote within a minute of a change, in the same way: one for each moved account or locked user.
_SAME_CHANGE = """
SELECT count(*) FROM config_change AS a
JOIN config_change AS b ON b.kind = a.kind AND b.changed_by IS NOT DISTINCT FROM a.changed_by
    AND abs(epoch(b.changed_at) - epoch(a.changed_at)) <= 60
    AND b.detail IS NOT DISTINCT FROM a.detail
WHERE a.change_id = $change_id AND (a.kind = 'territory' OR b.after = a.after OR a.detail IS NOT NULL)
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

    `certain` is true for a suspect change (analysis.diagnosis.suspect_changes), with its `p_value`. It is
    false for a change that is only close in time and content.
    """

    certain: bool
    p_value: float | None

    @classmethod
    def from_change(cls, change: ConfigChange, *, certain: bool, p_value: float | None = None) -> Self:
        """Attribute an issue to a change."""
        values = {field.name: getattr(change, field.name) for field in fields(ConfigChange)}
        return cls(**values, certain=certain, p_value=p_value)


def attributed_change(
    connection: DuckDBPyConnection,
    issue_id: str,
    since: datetime,
    *,
    cause: str,
    named_values: Mapping[str, Sequence[str]],
    shared_values: Iterable[str],
) -> AttributedChange | None:
    """Return the change that an issue is attributed to, or None.

    The first choice is the best suspect change: it explains the start better than chance. For issues that are
    too small to test, it is a change in the week before `since` that touched the field in the errors, or their
    object in a way that fits the cause, or a value that nearly all affected users share. The closest match
    wins, then the newest change.
    """
    suspect = _best_suspect(connection, issue_id)
    changes = _load_changes(
        connection,
        _CHANGES,
        {
            "earliest": since - _LOOKBACK,
            "since": since,
            "suspect": None if suspect is None else suspect.change_id,
        },
    )
    if suspect is not None:
        rows = (change for change in changes if change.change_id == suspect.change_id)
        change = next(rows, None) or _change_from_rollout(suspect)
        return AttributedChange.from_change(change, certain=True, p_value=suspect.p_value)
    values = set(shared_values)
    scores = [_match_score(change, cause, named_values, values) for change in changes]
    best = max(scores, default=0)
    return AttributedChange.from_change(changes[scores.index(best)], certain=False) if best else None


def find_revert(connection: DuckDBPyConnection, change: ConfigChange) -> ConfigChange | None:
    """Return the first later change that restores what a change replaced, or None."""
    parts = changed_parts(change.before, change.after)
    later_changes = _load_changes(connection, _LATER_CHANGES, {"change_id": change.change_id})
    return next((later for later in later_changes if _restores(parts, later)), None)


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


def count_rows(connection: DuckDBPyConnection, change: ConfigChange) -> int:
    """Count the rows that were written with a change, such as one for each account of a realignment."""
    if change.kind not in _ROW_KINDS:
        return 1
    ((rows,),) = connection.execute(_SAME_CHANGE, {"change_id": change.change_id}).fetchall()
    return max(1, int(rows))


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


def _match_score(
    change: ConfigChange, cause: str, named_values: Mapping[str, Sequence[str]], shared_values: set[str]
) -> int:
    same_object = change.object in named_values.get("object", ())
    same_field = same_object and change.field in named_values.get("field", ())
    fitting_kind = same_object and change.kind in _KINDS_BY_CAUSE.get(cause, ())
    scope_value = (change.scope or "").rpartition("=")[2]
    return 4 * same_field + 2 * fitting_kind + bool({change.target, scope_value} & shared_values)
