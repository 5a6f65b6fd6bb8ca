"""What the store knows of an issue's situation: who is stuck, with which records, and refused for what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Any

from duckdb import DuckDBPyConnection

from analysis.base.text import many
from analysis.fixes.recovery_actions import Lever, levers
from analysis.issues.listing import HELD_BY, PENDING_NOW, UnknownIssue
from analysis.metrics.registry import ask
from analysis.query.filters import Filters
from rehearsal.vault_facts import Known, read_known
from sync_engine.vmoc import DEVICE_NAMES

_FACTS = """
SELECT count(*), mode(cause), mode(object), mode(field), mode(operation), mode(error_type), mode(message),
    mode(phase)
FROM error WHERE issue_id = ?
"""
_FAILED = """
SELECT coalesce(device_id, 'a device of ' || user_id) AS device_id, record_id, any_value(user_id) AS user_id,
    any_value(platform) AS platform, mode(object) AS object, mode(operation) AS operation, mode(field) AS field,
    bool_and(device_id IS NULL) AS assumed
FROM error WHERE issue_id = ? AND coalesce(device_id, user_id) IS NOT NULL GROUP BY 1, 2 ORDER BY ALL
"""
_HELD = f"WITH {HELD_BY} SELECT device_id, record_id FROM held_by WHERE issue_id = $issue_id"
_PENDING = f"""
WITH {PENDING_NOW}
SELECT DISTINCT device_id, user_id, object, record_id, operation, parent_record_id, edited_at,
    coalesce(in_error, false) AS in_error
FROM pending_now
WHERE list_contains($devices, device_id) OR list_contains($users, user_id)
ORDER BY edited_at, device_id, object, record_id, operation
"""
MOST_NAMED = 3
"""So many permission sets are named, more are counted."""
Key = tuple[str, str]
"""A device and a record, as the store names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One record that waits on a device, as the store names it."""

    device: str
    record: str
    object: str
    operation: str
    parent: str | None = None
    named: bool = False  # an error of the issue names it
    again: bool = False  # a further edit of a record whose first edit is refused

    @property
    def key(self) -> Key:
        return self.device, self.record


@dataclass(frozen=True, slots=True)
class Saved:
    """The rows of one press of Save, the parent first; `ours` when the issue refuses it."""

    rows: tuple[Row, ...]
    ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The situation of one issue. `owners` gives the user of each device that is rebuilt, `platforms` its kind."""

    issue_id: str
    cause: str
    object: str | None
    field: str | None
    operation: str | None
    error_type: str
    message: str
    phase: str | None
    devices: tuple[str, ...]  # those that the issue hits
    owners: dict[str, str]
    platforms: dict[str, str]
    known: Known
    saved: tuple[Saved, ...]
    levers: tuple[Lever, ...]
    assumptions: tuple[str, ...]

    @property
    def sets(self) -> tuple[str, ...]:
        """The permission sets of the users whom the issue hits; empty where the store does not know all of them."""
        found = [self.known.sets.get(self.owners[device]) for device in self.devices]
        return tuple(sorted({one for one in found if one})) if all(found) else ()

    @property
    def in_sets(self) -> str:
        """Where a right is given back, to follow the name of what is done: ` in crm_rep__c`."""
        named = (
            ", ".join(self.sets) if len(self.sets) <= MOST_NAMED else f"all {len(self.sets)} permission sets"
        )
        return f" in {named}" if self.sets else ""

    @property
    def shares(self) -> str:
        """Say what is taken of permission sets."""
        if not self.sets:
            return "All users are taken to share one permission set"
        if len(self.sets) == 1:
            return f"All users have the permission set {self.sets[0]}, as the store says"
        return f"The users have different permission sets ({', '.join(self.sets)}), as the store says"

    @property
    def subject(self) -> list[Key]:
        """The records that wait because of the issue, with those saved together with them."""
        return [row.key for one in self.saved if one.ours for row in one.rows if not row.again]


def read_case(connection: DuckDBPyConnection, issue_id: str, *, seed: int, most_devices: int) -> Case:
    """Read the situation of an issue; above `most_devices` a seeded sample of its devices.

    Raises UnknownIssue when no error of the store belongs to `issue_id`.
    """
    about = {"issue_id": issue_id}
    facts = connection.execute(_FACTS, [issue_id]).fetchone()
    if facts is None or not facts[0]:
        raise UnknownIssue(issue_id)
    failed = _rows(connection.execute(_FAILED, [issue_id]).df())
    devices, told = _sample(sorted({row["device_id"] for row in failed}), seed, most_devices)
    owners = {row["device_id"]: row["user_id"] or row["device_id"] for row in failed}
    owners = {device: str(owners[device]) for device in devices}
    bound = {"devices": devices, "users": sorted(set(owners.values()))}
    waiting = _rows(ask(connection, _PENDING, Filters.of(), bound))
    held = {
        (row["device_id"], row["record_id"]) for row in _rows(ask(connection, _HELD, Filters.of(), about))
    }
    saved, more = _what_waits(failed, waiting, set(devices), held)
    more += _tell_assumed(failed)
    more += _tell_shared([*failed, *waiting], set(devices))
    for row in waiting:
        owners.setdefault(row["device_id"], str(row["user_id"] or row["device_id"]))
    platforms = {row["device_id"]: row["platform"] for row in failed if row["platform"] in DEVICE_NAMES}
    rows = [row for one in saved for row in one.rows]
    known = read_known(connection, {row.object for row in rows}, owners.values(), facts[2])
    return Case(
        issue_id=issue_id, cause=facts[1], object=facts[2], field=facts[3], operation=facts[4],
        error_type=facts[5] or "", message=facts[6] or "", phase=facts[7], devices=tuple(devices),
        owners=owners, platforms=platforms,
        known=known, saved=tuple(saved), levers=tuple(levers(connection, issue_id=issue_id)),
        assumptions=(*told, *known.told, *more),
    )  # fmt: skip


def _sample(devices: list[str], seed: int, most: int) -> tuple[list[str], list[str]]:
    if len(devices) <= most:
        return devices, []
    kept = sorted(Random(f"{seed}/devices").sample(devices, most))  # noqa: S311 - a sample that can be repeated
    return kept, [f"Of {len(devices)} devices {most} were drawn by the seed; the others are left out."]


def _what_waits(
    failed: list[dict[str, Any]], waiting: list[dict[str, Any]], devices: set[str], held: set[Key]
) -> tuple[list[Saved], list[str]]:
    named = {(row["device_id"], row["record_id"]) for row in failed if row["record_id"]}
    stuck = [_row(one, held) for one in waiting if one["in_error"]]
    saved = list(_in_transactions(stuck))
    refused = {row.key: one.ours for one in saved for row in one.rows}
    for one in waiting:
        key = (one["device_id"], one["record_id"])
        if not one["in_error"] and key in refused and one["operation"] == "update":
            saved.append(Saved((_row(one, set(), again=True),), refused[key]))
    if any(one.ours for one in saved) or not named:
        return saved, _tell_held(saved)
    rows = [_assumed(one) for one in failed if one["record_id"] and one["device_id"] in devices]
    rows = [row for row in rows if row.key not in refused]
    words = (
        "The store knows of no record that still waits because of this issue; the records that its errors "
        "name are assumed to wait again."
    )
    return saved + [Saved((row,), True) for row in rows], [words, *_tell_held(saved)]


def _tell_assumed(failed: list[dict[str, Any]]) -> list[str]:
    users = len({row["device_id"] for row in failed if row["assumed"]})
    return [f"Errors of {many(users, 'user')} name no device; one device each is assumed."] if users else []


def _tell_shared(rows: list[dict[str, Any]], devices: set[str]) -> list[str]:
    pairs = {(row["device_id"], row["user_id"]) for row in rows if row["user_id"]}
    shared = sum(len([user for name, user in pairs if name == device]) > 1 for device in devices)
    return [f"{many(shared, 'device')} had several users; all is taken for one user's."] if shared else []


def _tell_held(saved: list[Saved]) -> list[str]:
    held = sum(len(one.rows) for one in saved if not one.ours)
    stay = "stays as it is" if held == 1 else "stay as they are"
    words = f"{many(held, 'record')} in error for other reasons on the same users' devices {stay}"
    return [f"{words}, whatever is tried here."] if held else []


def _in_transactions(rows: list[Row]) -> Iterable[Saved]:
    """Group children under their parents; a parent that does not wait itself leaves its children alone."""
    heads = {row.key for row in rows if row.parent is None}
    groups: dict[Key, list[Row]] = {}
    for row in sorted(rows, key=lambda one: one.parent is not None):
        above = (row.device, row.parent or row.record)
        groups.setdefault(above if above in heads else row.key, []).append(row)
    for group in groups.values():
        yield Saved(
            tuple({row.key: row for row in reversed(group)}.values())[::-1], any(r.named for r in group)
        )


def _row(one: dict[str, Any], named: set[Key], *, again: bool = False) -> Row:
    key = (one["device_id"], one["record_id"])
    return Row(
        device=key[0], record=key[1], object=one["object"], operation=one["operation"] or "update",
        parent=one["parent_record_id"], named=key in named, again=again,
    )  # fmt: skip


def _assumed(one: dict[str, Any]) -> Row:
    operation = one["operation"] if one["operation"] in ("create", "delete") else "update"
    return Row(
        device=one["device_id"], record=one["record_id"], object=one["object"] or "account__v",
        operation=operation, named=True,
    )  # fmt: skip


def _rows(frame: Any) -> list[dict[str, Any]]:
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]
