"""The rebuilt situation: the devices of an issue around one Vault of the engine, stuck as the store says.

A sandbox is built anew for each candidate, from the same case and the same seed, so that every candidate meets
the same situation byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable
from random import Random
from types import TracebackType
from typing import Any

from rehearsal.builders import (
    BLOCK_FIELD,
    BLOCK_VALUE,
    REHEARSAL_DAY,
    add_fields,
    make_value,
    required_references,
    required_user_fields,
    writable_field,
)
from rehearsal.issue_case import IssueCase, PendingRecord, RecordKey, SaveGroup
from sync_engine.device import errors_tab, syncs
from sync_engine.device.client import Device
from sync_engine.device.edits import Edit, new_id, save
from sync_engine.json_docs import JsonDict
from sync_engine.lab import Lab
from sync_engine.model import SYSTEM_FIELDS, default_objects
from sync_engine.simulator.stress.faults import FaultPlan
from sync_engine.simulator.stress.storm_env import StormEnv
from sync_engine.telemetry import SyncError
from sync_engine.vault import admin, records
from sync_engine.vault.permissions import permission_set
from sync_engine.vmoc import vmoc

TERRITORY, OTHER_TERRITORY = "T1", "T2"
PLACEHOLDER_ID = "V000000000000000"
"""The id of a record that only has to be named."""
ASSUMED_CALL = "assumed"
"""The name of a record that the store does not know of."""
FieldShaper = Callable[["Sandbox", PendingRecord, JsonDict], JsonDict]
"""Changes the fields that a row of the issue is written with."""


class Sandbox:
    """One copy of the situation. `ids` gives the engine's id of each record of the store."""

    def __init__(self, case: IssueCase, seed: int, shape: FieldShaper | None = None) -> None:
        self.case = case
        self.shape_fields = shape
        self.lab = Lab(*sorted(case.device_users))
        self.vault = self.lab.vault
        self.permission_sets: tuple[str, ...] = ("rep__c",)
        self.record_ids: dict[RecordKey, str] = {}
        self.written_fields: dict[RecordKey, JsonDict] = {}
        self.upload_keys: dict[RecordKey, list[str]] = {}
        self.withdrawn: set[RecordKey] = set()
        self.refusal_causes: dict[str, set[str]] = {}  # why the Vault refused, by key of the upload
        self.can_sign_in = True
        self.last_sync_ok: dict[str, bool] = {}
        self._last_number = Random(f"{seed}/values").randrange(1_000)  # noqa: S311 - repeatable on purpose
        self.vault.witness = self._record_refusal
        for name, device in self.lab.devices.items():
            device.user_id = self.user_of(name)
            device.platform = case.device_platforms.get(name, device.platform)
        self._set_up_users()
        self._set_up_objects()
        for one in case.save_groups:
            self._set_up_records(one)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.lab.close()

    def _record_refusal(self, _: str, key: str | None, cause: str, __: str | None) -> None:
        if key is not None:
            self.refusal_causes.setdefault(key, set()).add(cause)

    def user_of(self, device: str) -> str:
        """The engine's name of the device's user: two devices of one person share it."""
        owner = self.case.device_users[device]
        return min(name for name, other in self.case.device_users.items() if other == owner)

    @property
    def now(self) -> float:
        """The sandbox's time, in seconds since 1970."""
        return self.lab.scheduler.now

    def device(self, name: str) -> Device:
        """The device that the store calls so."""
        return self.lab.devices[name]

    def next_number(self) -> int:
        """A number not used before, for values that must differ."""
        self._last_number += 1
        return self._last_number

    # -- the Vault before anything went wrong

    def _set_up_users(self) -> None:
        """Give people their permission sets, if the store knows those of everybody whom the issue hits."""
        if not self.case.permission_sets:
            return
        self.permission_sets = self.case.permission_sets
        with self.vault.transaction():
            for name in sorted({*self.case.permission_sets, *self.case.vault_facts.permission_sets.values()}):
                self.vault.configure("permission_set", name, permission_set(name))
            for device in self.case.device_users:
                granted = self.case.vault_facts.permission_sets.get(self.case.device_users[device])
                if granted:
                    user = self.vault.live["user"][self.user_of(device)]
                    self.vault.configure("user", user["id"], user | {"permission_set": granted})

    def _set_up_objects(self) -> None:
        with self.vault.transaction():
            for name, definition in sorted(self.case.vault_facts.objects.items()):
                wished = self.case.field if name == self.case.object else None
                self.vault.configure("object", name, add_fields(definition, wished))
                if name not in default_objects():
                    self.vault.configure("vmoc", name, vmoc(name))
                rule = {"object": name, "active": True, "message": "Held by the rehearsal"}
                self.vault.configure(
                    "validation_rule",
                    f"{BLOCK_FIELD}.{name}",
                    rule | {"refuse_when": f"{BLOCK_FIELD} = '{BLOCK_VALUE}'"},
                )
            self.vault.publish()

    def _set_up_records(self, saved: SaveGroup) -> None:
        for row in saved.records:
            if row.operation != "create" and row.key not in self.record_ids:
                self.record_ids[row.key] = self.create_record(row.object)

    def create_record(self, name: str, above: tuple[str, ...] = ()) -> str:
        """Put a record of the object, with all it needs, into the Vault; its id. `above` is what needs it."""
        definition = self.vault.live["object"][name]
        doc: JsonDict = {"territory__v": TERRITORY}
        for field, spec in definition["fields"].items():
            if spec["type"] != "reference" and field not in SYSTEM_FIELDS and field != BLOCK_FIELD:
                doc[field] = make_value(spec, self.next_number(), field)
        if definition.get("lockable"):
            doc["status__v"] = "saved__v"
        doc |= dict.fromkeys(required_user_fields(definition), self.lab.people[0])
        for field, to in required_references(definition).items():  # objects may need each other
            doc[field] = (
                self.create_record(to, (*above, name)) if to not in (*above, name) else PLACEHOLDER_ID
            )
        return self.lab.record(name, **doc)

    # -- what people do

    def save_pending_records(self) -> None:
        """Everybody saves what the store says they had saved."""
        for one in self.case.save_groups:
            self._save_group(one)

    def _save_group(self, saved: SaveGroup) -> None:
        device = self.device(saved.records[0].device)
        edits: list[Edit] = []
        above: dict[str, str] = {}
        for row in saved.records:
            if row.operation == "create" and not row.is_follow_up:
                self.record_ids[row.key] = new_id(device)
            fields = self._fields_for(row, above, saved.from_issue)
            above.setdefault(row.object, self.record_ids[row.key])
            self.written_fields.setdefault(row.key, fields)
            edits.append(
                Edit(
                    operation=row.operation,
                    object=row.object,
                    record_id=self.record_ids[row.key],
                    fields=fields,
                )
            )
        key = save(device, edits)
        for row in saved.records:
            if not row.is_follow_up:
                self.upload_keys[row.key] = [key]

    def _fields_for(self, row: PendingRecord, above: dict[str, str], ours: bool) -> JsonDict:
        if row.operation == "delete":
            return {}
        definition = self.vault.live["object"][row.object]
        fields: JsonDict = {}
        if row.operation == "create":
            needed = {n: s for n, s in definition["fields"].items() if s.get("required")}
            fields = {
                n: make_value(s, self.next_number(), n) for n, s in needed.items() if s["type"] != "reference"
            }
            fields |= dict.fromkeys(required_user_fields(definition), self.user_of(row.device))
            for field, to in required_references(definition).items():
                fields[field] = above.get(to) or self.create_record(to)
        wished = writable_field(definition, self.case.field if row.object == self.case.object else None)
        fields[wished] = self._different_value(row, wished)
        if not ours:
            return fields | {BLOCK_FIELD: BLOCK_VALUE}
        return self.shape_fields(self, row, fields) if self.shape_fields and not row.is_follow_up else fields

    def _different_value(self, row: PendingRecord, field: str) -> object:
        spec = self.vault.live["object"][row.object]["fields"][field]
        now = self.downloaded_record(row.device, self.record_ids[row.key]).get(field)
        values = (make_value(spec, self.next_number(), field) for _ in range(200))
        return next((value for value in values if value != now), now)

    def save_assumed_call(self, device: str, more: JsonDict) -> None:
        """The device's user records a call that has not been sent, where the store knows of no record."""
        mine = self.lab.account(f"Account {self.next_number()}", territory=TERRITORY)
        fields = {"account__v": mine, "call_date__v": REHEARSAL_DAY, "status__v": "saved__v"} | more
        row = PendingRecord(device=device, record=ASSUMED_CALL, object="call2__v", operation="create")
        self.record_ids[row.key] = new_id(self.device(device))
        self.written_fields[row.key] = fields
        edit = Edit(operation="create", object=row.object, record_id=self.record_ids[row.key], fields=fields)
        self.upload_keys[row.key] = [save(self.device(device), [edit])]

    def block_other_deletes(self) -> None:
        """Records whose delete is refused for another reason go out of their users' sight."""
        others = [row for one in self.case.save_groups if not one.from_issue for row in one.records]
        for row in others:
            if row.operation == "delete":
                self.move_record(self.record_ids[row.key], OTHER_TERRITORY)

    def sync(self, names: Iterable[str] | None = None) -> None:
        """These devices sync one after the other, all of them by default; `ended_well` says how it ended."""
        for name in self.lab.people if names is None else names:
            env = self.env(name)
            before = len(env.rows)
            self.last_sync_ok[name] = False
            self.lab.scheduler.spawn(self._sync_one(name))
            self.lab.scheduler.drain()
            errors = [row for row, _ in env.rows[before:] if isinstance(row, SyncError)]
            self.last_sync_ok[name] &= all(row.record_id is not None for row in errors)

    def refresh_databases(self) -> None:
        """The users of the issue's devices refresh the whole database; refused where errors are open."""
        for name in self.case.devices:
            self.lab.scheduler.spawn(syncs.database_refresh(self.device(name)))
            self.lab.scheduler.drain()

    async def _sync_one(self, name: str) -> None:
        device = self.device(name)
        if device.session is None and self.can_sign_in:
            await syncs.sign_in(device)
        self.last_sync_ok[name] = await syncs.incremental(device)

    def env(self, name: str) -> StormEnv:
        """The world of one device."""
        env = self.device(name).env
        assert isinstance(env, StormEnv)  # noqa: S101 - a story has no other
        return env

    # -- what recipes ask for

    def issue_records(self, *operations: str) -> list[PendingRecord]:
        """The rows that the issue refuses, of these operations or of all."""
        ours = [
            row
            for one in self.case.save_groups
            if one.from_issue
            for row in one.records
            if not row.is_follow_up
        ]
        return [row for row in ours if not operations or row.operation in operations]

    def move_record(self, record_id: str, territory: str) -> None:
        """An administrator moves a record, with what hangs on it, to another territory."""
        found = records.find(self.vault, record_id)
        if found is not None:
            with self.vault.transaction():
                records.move(self.vault, found, territory)

    def restore_record(self, record_id: str) -> None:
        """An administrator brings a deleted record back."""
        found = records.find(self.vault, record_id)
        if found is not None and found.deleted:
            with self.vault.transaction():
                records.undelete(self.vault, found, at=self.now, by="admin")

    def configure(self, kind: str, name: str, doc: JsonDict | None, *, publish: bool = True) -> None:
        """An administrator sets one piece of configuration."""
        admin.change(self.vault, kind, name, doc, at=self.now, publish=publish)

    def change_field(self, name: str, field: str, **more: Any) -> None:
        """An administrator changes what a field allows."""
        definition = self.vault.live["object"][name]
        fields = definition["fields"] | {field: definition["fields"][field] | more}
        self.configure("object", name, definition | {"fields": fields})

    def set_user(self, device: str, **fields: Any) -> None:
        """An administrator changes the device's user."""
        admin.set_user(self.vault, self.user_of(device), at=self.now, **fields)

    def set_fault_rates(self, **rates: float) -> None:
        """Make the world of the issue's devices as unkind as said; without a word, kind again."""
        for name in self.case.devices:
            self.env(name).plan = FaultPlan(**rates)

    def inject_error(
        self,
        device: str,
        error: Exception,
        points: Container[str],
        while_true: Callable[[], bool] = lambda: True,
    ) -> None:
        """From now on the problem strikes the device at these points, as long as it is said to."""

        def fail(point: str) -> None:
            if point in points and while_true():
                raise error

        self.env(device).ill = fail

    def clear_errors(self, device: str) -> None:
        """Nothing strikes the device any more."""
        self.env(device).heal()

    # -- how it stands

    def error_entries(self, named: set[RecordKey] | None = None) -> list[tuple[str, errors_tab.Entry]]:
        """Open entries of the Errors tabs with their device; with `named`, those of these records only."""
        ids = (
            None
            if named is None
            else {(key[0], self.record_ids[key]) for key in named if key in self.record_ids}
        )
        return [
            (name, entry)
            for name in self.lab.people
            for entry in errors_tab.entries(self.device(name))
            if ids is None or (name, entry.record_id) in ids
        ]

    def downloaded_record(self, device: str, record_id: str) -> JsonDict:
        """The record as Vault last sent it to the device; empty when it never did."""
        found = self.device(device).data.execute("SELECT doc FROM record WHERE id = ?", (record_id,))
        row = found.fetchone()
        return {} if row is None else dict(json.loads(row[0]))

    def is_pending(self, key: RecordKey) -> bool:
        """Whether the edit, or what has taken its place, still waits on its device."""
        marks = ",".join("?" * len(self.upload_keys[key]))
        found = self.device(key[0]).journal.execute(
            f"SELECT 1 FROM outbox WHERE key IN ({marks}) AND acked_seq IS NULL", self.upload_keys[key]
        )
        return found.fetchone() is not None

    def is_accepted(self, key: RecordKey) -> bool:
        """Whether the Vault has taken the edit, or what has taken its place."""
        return any(
            self.vault.db.execute("SELECT 1 FROM answer WHERE device = ? AND key = ?", pair).fetchone()
            for pair in ((self.env(key[0]).device_id, one) for one in self.upload_keys[key])
        )

    def lost_records(self) -> set[RecordKey]:
        """Records whose edit is gone from the device and never reached the Vault."""
        gone = {key for key in self.upload_keys if not self.is_pending(key) and not self.is_accepted(key)}
        return gone - self.withdrawn
