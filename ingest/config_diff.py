"""Configuration that changed between two snapshots, told as changes that could explain errors.

An audit trail says who changed what; where nobody may read it, two snapshots of the metadata still say what
is different now, and between which two times it became so.
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
class _History:
    """A table of snapshots: which columns name a thing, which belong to it, and which are compared."""

    table: str
    kind: str
    group: str
    thing: tuple[str, ...]
    compared: tuple[str, ...]


_HISTORIES = (
    _History(
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
    _History(
        "vmoc",
        "vmoc",
        "'all'",
        ("vmoc_id",),
        ("object", "type", "device", "where_clause", "application_profile", "active"),
    ),
    _History(
        "permission_grant",
        "permission_set",
        "permission_set",
        ("permission_set", "object", "field"),
        ("can_read", "can_create", "can_edit", "can_delete"),
    ),
)

_SOURCE = "snapshots"


def touches_config(reports: Iterable[BatchReport]) -> bool:
    """Say whether any of these batches touched a table whose snapshots are compared."""
    compared = {history.table for history in _HISTORIES}
    return any(each.kind in compared and (each.rows_new or each.rows_updated) for each in reports)


def record_config_changes(store: DuckDBPyConnection, *, clock: Clock = utc_now) -> list[BatchReport]:
    """Compare each configuration snapshot with the one before, and store what differs as `config_change`.

    `changed_at` is the time of the later snapshot: the change is at most that old. The first snapshot of
    anything tells no change. Doing it again changes nothing; a snapshot that comes late, between two that
    are known, replaces what was told of the two.
    """
    changes = [change for history in _HISTORIES for change in _changes(store, history)]
    with transaction(store):
        _forget_outdated(store, changes)
        return append_in_transaction(store, changes, source=_SOURCE, clock=clock)


def _forget_outdated(store: DuckDBPyConnection, changes: list[ConfigChange]) -> None:
    still_true = {(each.change_id, each.before, each.after) for each in changes}
    told = store.execute(
        "SELECT change_id, before, after FROM config_change WHERE source = $source", {"source": _SOURCE}
    ).fetchall()
    if outdated := [each[0] for each in told if each not in still_true]:
        store.execute(
            "DELETE FROM config_change WHERE source = $source AND change_id IN (SELECT unnest($outdated))",
            {"source": _SOURCE, "outdated": outdated},
        )


def _changes(store: DuckDBPyConnection, history: _History) -> Iterator[ConfigChange]:
    things, compared = ", ".join(history.thing), ", ".join(history.compared)
    known = store.execute(
        f"SELECT as_of, {things}, {compared}, min(as_of) OVER (PARTITION BY {history.group}) AS beginning "
        f"FROM {history.table} ORDER BY {things}, as_of"
    ).fetchall()
    width = len(history.thing)
    before: tuple[object, ...] | None = None
    last: tuple[object, ...] | None = None
    for as_of, *rest, beginning in known:
        thing, state = tuple(rest[:width]), tuple(rest[width:])
        if thing != last:
            before, last = (None if as_of > beginning else state), thing
        if state != before:
            yield _change(history, thing, as_of, before, state)
        before = state


def _change(
    history: _History,
    thing: tuple[object, ...],
    as_of: datetime,
    before: tuple[object, ...] | None,
    after: tuple[object, ...],
) -> ConfigChange:
    named = dict(zip(history.thing, map(str, thing), strict=True))
    states = dict(zip(history.compared, after, strict=True))
    was = dict(zip(history.compared, before, strict=True)) if before else {}
    differing = [name for name in history.compared if not before or was[name] != states[name]]
    seed = "|".join([history.table, *named.values(), as_of.isoformat()])
    target_object = named.get("object") or states.get("object")
    return ConfigChange(
        change_id=f"snapshot-{hashlib.sha256(seed.encode()).hexdigest()[:16]}",
        changed_at=as_of.replace(tzinfo=UTC),
        kind=history.kind,
        target=".".join(named.values()),
        object=str(target_object) if target_object else None,
        field=named.get("name") or named.get("field"),
        before=compact_json({name: was[name] for name in differing}) if before else None,
        after=compact_json({name: states[name] for name in differing}),
        detail="seen in a snapshot; it became so at some time since the one before",
    )
