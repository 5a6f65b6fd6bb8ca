"""Compare configuration snapshots, and record the differences as configuration changes.

An audit trail shows who changed what. Without access to it, two snapshots of the metadata still show what
changed, and between which two times.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from duckdb import DuckDBPyConnection

from ingest.readers.rows import compact_json
from ingest.staging.typed import append_in_transaction
from ingest.store.batches import BatchReport, Clock, utc_now
from ingest.store.transaction import transaction
from sync_engine.telemetry import ConfigChange


@dataclass(frozen=True, slots=True)
class _SnapshotTable:
    """A table of snapshots: its identity columns, and the columns to compare."""

    table: str
    kind: str
    group: str
    identity: tuple[str, ...]
    compared: tuple[str, ...]


_SNAPSHOT_TABLES = (
    _SnapshotTable(
        "object_field",
        "field",
        "object",
        ("object", "name"),
        (
            "type",
            "required",
            "editable",
            "unique_values",
            "max_length",
            "min_value",
            "max_value",
            "refers_to",
            "active",
        ),
    ),
    _SnapshotTable(
        "vmoc",
        "vmoc",
        "'all'",
        ("vmoc_id",),
        ("object", "type", "device", "where_clause", "application_profile", "active"),
    ),
    _SnapshotTable(
        "permission_grant",
        "permission_set",
        "permission_set",
        ("permission_set", "object", "field"),
        ("can_read", "can_create", "can_edit", "can_delete"),
    ),
)

_SOURCE = "snapshots"


def touches_config(reports: Iterable[BatchReport]) -> bool:
    """Return whether any of these batches changed a table of configuration snapshots."""
    compared = {history.table for history in _SNAPSHOT_TABLES}
    return any(each.kind in compared and (each.rows_new or each.rows_updated) for each in reports)


def record_config_changes(store: DuckDBPyConnection, *, clock: Clock = utc_now) -> list[BatchReport]:
    """Compare each configuration snapshot with the previous one, and store differences in `config_change`.

    `changed_at` is the time of the later snapshot; the change happened between the two. First snapshots record
    no change. The function is idempotent. A snapshot that is loaded late, between two others, replaces the
    changes recorded between them.
    """
    changes = [change for history in _SNAPSHOT_TABLES for change in _changes(store, history)]
    with transaction(store):
        _delete_outdated(store, changes)
        return append_in_transaction(store, changes, source=_SOURCE, clock=clock)


def _delete_outdated(store: DuckDBPyConnection, changes: list[ConfigChange]) -> None:
    current = {(each.change_id, each.before, each.after) for each in changes}
    recorded = store.execute(
        "SELECT change_id, before, after FROM config_change WHERE source = $source", {"source": _SOURCE}
    ).fetchall()
    if outdated := [each[0] for each in recorded if each not in current]:
        store.execute(
            "DELETE FROM config_change WHERE source = $source AND change_id IN (SELECT unnest($outdated))",
            {"source": _SOURCE, "outdated": outdated},
        )


def _changes(store: DuckDBPyConnection, history: _SnapshotTable) -> Iterator[ConfigChange]:
    identity, compared = ", ".join(history.identity), ", ".join(history.compared)
    snapshots = store.execute(
        f"SELECT as_of, {identity}, {compared}, min(as_of) OVER (PARTITION BY {history.group}) AS beginning "
        f"FROM {history.table} ORDER BY {identity}, as_of"
    ).fetchall()
    width = len(history.identity)
    before: tuple[object, ...] | None = None
    last: tuple[object, ...] | None = None
    for as_of, *values, beginning in snapshots:
        thing, state = tuple(values[:width]), tuple(values[width:])
        if thing != last:
            before, last = (None if as_of > beginning else state), thing
        if state != before:
            yield _change(history, thing, as_of, before, state)
        before = state


def _change(
    history: _SnapshotTable,
    thing: tuple[object, ...],
    as_of: datetime,
    before: tuple[object, ...] | None,
    after: tuple[object, ...],
) -> ConfigChange:
    identity = dict(zip(history.identity, map(str, thing), strict=True))
    states = dict(zip(history.compared, after, strict=True))
    previous = dict(zip(history.compared, before, strict=True)) if before else {}
    differing = [name for name in history.compared if not before or previous[name] != states[name]]
    seed = "|".join([history.table, *identity.values(), as_of.isoformat()])
    target_object = identity.get("object") or states.get("object")
    return ConfigChange(
        change_id=f"snapshot-{hashlib.sha256(seed.encode()).hexdigest()[:16]}",
        changed_at=as_of.replace(tzinfo=UTC),
        kind=history.kind,
        target=".".join(identity.values()),
        object=str(target_object) if target_object else None,
        field=identity.get("name") or identity.get("field"),
        before=compact_json({name: previous[name] for name in differing}) if before else None,
        after=compact_json({name: states[name] for name in differing}),
        detail="seen in a snapshot; changed at some time since the previous snapshot",
    )
