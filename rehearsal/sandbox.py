"""A sandbox: the devices of an issue and one Vault in the reference engine, with the same errors as in the store.

Each candidate gets a new sandbox from the same case and seed, so that all candidates start from identical data.
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
from sync_engine.device.edits import Edit, new_mobile_id, save
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
"""An id for references to records that need not exist."""
ASSUMED_CALL = "assumed"
"""Record id of the unsent call that is assumed on a device."""
FieldShaper = Callable[["Sandbox", PendingRecord, JsonDict], JsonDict]
"""Changes the fields with which a record of the issue is saved."""


class Sandbox:
    """One copy of the issue in the engine. `record_ids` maps records of the store to engine ids."""

    def __init__(self, case: IssueCase, seed: int, shape_fields: FieldShaper | None = None) -> None:
        self.case = case
        self.shape_fields = shape_fields
        self.lab = Lab(*sorted(case.device_users))
        self.vault = self.lab.vault
        self.permission_sets: tuple[str, ...] = ("rep__c",)
        self.record_ids: dict[RecordKey, str] = {}
        self.written_fields: dict[RecordKey, JsonDict] = {}
        self.upload_keys: dict[RecordKey, list[str]] = {}
        self.withdrawn: set[RecordKey] = set()
        self.refusal_causes: dict[str, set[str]] = {}  # causes of refusals by upload key
        self.can_sign_in = True
        self.last_sync_ok: dict[str, bool] = {}
        self._last_number = Random(f"{seed}/values").randrange(1_000)  # noqa: S311 - repeatable on purpose
        self.vault.on_refusal = self._record_refusal
        for name, device in self.lab.devices.items():
            device.user_id = self.user_of(name)
            device.platform = case.device_platforms.get(name, device.platform)
        self._set_up_users()
        self._set_up_objects()
        for group in case.save_groups:
            self._set_up_records(group)

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
        """Return the engine id of the device's user. Devices of the same user share it."""
        user = self.case.device_users[device]
        return min(name for name, other in self.case.device_users.items() if other == user)

    @property
    def now(self) -> float:
        """Return the current time in the sandbox, in seconds since 1970."""
        return self.lab.scheduler.now

    def device(self, name: str) -> Device:
        """Return the device with this id in the store."""
        return self.lab.devices[name]

    def next_number(self) -> int:
        """Return a number that was not returned before, for distinct values."""
        self._last_number += 1
        return self._last_number

    # -- the Vault before the fault

    def _set_up_users(self) -> None:
        """Assign permission sets to the users, if the store has them for all affected users."""
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
                issue_field = self.case.field if name == self.case.object else None
                self.vault.configure("object", name, add_fields(definition, issue_field))
                if name not in default_objects():
                    self.vault.configure("vmoc", name, vmoc(name))
                rule = {"object": name, "active": True, "message": "Blocked by the rehearsal"}
                self.vault.configure(
                    "validation_rule",
                    f"{BLOCK_FIELD}.{name}",
                    rule | {"refuse_when": f"{BLOCK_FIELD} = '{BLOCK_VALUE}'"},
                )
            self.vault.publish()

    def _set_up_records(self, group: SaveGroup) -> None:
        for row in group.records:
            if row.operation != "create" and row.key not in self.record_ids:
                self.record_ids[row.key] = self.create_record(row.object)

    def create_record(self, name: str, ancestors: tuple[str, ...] = ()) -> str:
        """Create a record with all its required references in Vault and return its id.

        `ancestors` are the objects that require this record; references back to them get a placeholder.
        """
        definition = self.vault.live["object"][name]
        doc: JsonDict = {"territory__v": TERRITORY}
        for field, spec in definition["fields"].items():
            if spec["type"] != "reference" and field not in SYSTEM_FIELDS and field != BLOCK_FIELD:
                doc[field] = make_value(spec, self.next_number(), field)
        if definition.get("lockable"):
            doc["status__v"] = "saved__v"
        doc |= dict.fromkeys(required_user_fields(definition), self.lab.users[0])
        for field, to in required_references(definition).items():  # objects may require each other
            doc[field] = (
                self.create_record(to, (*ancestors, name)) if to not in (*ancestors, name) else PLACEHOLDER_ID
            )
        return self.lab.add_record(name, **doc)

    # -- actions of users

    def save_pending_records(self) -> None:
        """Save the pending records of the store on their devices."""
        for group in self.case.save_groups:
            self._save_group(group)

    def _save_group(self, group: SaveGroup) -> None:
        device = self.device(group.records[0].device)
        edits: list[Edit] = []
        parent_ids: dict[str, str] = {}
        for row in group.records:
            if row.operation == "create" and not row.is_follow_up:
                self.record_ids[row.key] = new_mobile_id(device)
            fields = self._fields_for(row, parent_ids, group.from_issue)
            parent_ids.setdefault(row.object, self.record_ids[row.key])
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
        for row in group.records:
            if not row.is_follow_up:
                self.upload_keys[row.key] = [key]

    def _fields_for(self, row: PendingRecord, parent_ids: dict[str, str], from_issue: bool) -> JsonDict:
        if row.operation == "delete":
            return {}
        definition = self.vault.live["object"][row.object]
        fields: JsonDict = {}
        if row.operation == "create":
            required = {name: spec for name, spec in definition["fields"].items() if spec.get("required")}
            fields = {
                name: make_value(spec, self.next_number(), name)
                for name, spec in required.items()
                if spec["type"] != "reference"
            }
            fields |= dict.fromkeys(required_user_fields(definition), self.user_of(row.device))
            for field, to in required_references(definition).items():
                fields[field] = parent_ids.get(to) or self.create_record(to)
        written = writable_field(definition, self.case.field if row.object == self.case.object else None)
        fields[written] = self._different_value(row, written)
        if not from_issue:
            return fields | {BLOCK_FIELD: BLOCK_VALUE}
        return self.shape_fields(self, row, fields) if self.shape_fields and not row.is_follow_up else fields

    def _different_value(self, row: PendingRecord, field: str) -> object:
        spec = self.vault.live["object"][row.object]["fields"][field]
        current = self.downloaded_record(row.device, self.record_ids[row.key]).get(field)
        values = (make_value(spec, self.next_number(), field) for _ in range(200))
        return next((value for value in values if value != current), current)

    def save_assumed_call(self, device: str, more_fields: JsonDict) -> None:
        """Save one call on a device, for devices without pending records in the store."""
        account = self.lab.add_account(f"Account {self.next_number()}", territory=TERRITORY)
        fields = {"account__v": account, "call_date__v": REHEARSAL_DAY, "status__v": "saved__v"} | more_fields
        row = PendingRecord(device=device, record=ASSUMED_CALL, object="call2__v", operation="create")
        self.record_ids[row.key] = new_mobile_id(self.device(device))
        self.written_fields[row.key] = fields
        edit = Edit(operation="create", object=row.object, record_id=self.record_ids[row.key], fields=fields)
        self.upload_keys[row.key] = [save(self.device(device), [edit])]

    def block_other_deletes(self) -> None:
        """Move records with a blocked delete from another issue out of their users' territory."""
        others = [row for group in self.case.save_groups if not group.from_issue for row in group.records]
        for row in others:
            if row.operation == "delete":
                self.move_record(self.record_ids[row.key], OTHER_TERRITORY)

    def sync(self, names: Iterable[str] | None = None) -> None:
        """Sync these devices one after the other (default: all), and set `last_sync_ok` for each."""
        for name in self.lab.users if names is None else names:
            env = self.env(name)
            before = len(env.rows)
            self.last_sync_ok[name] = False
            self.lab.scheduler.spawn(self._sync_one(name))
            self.lab.scheduler.run_all()
            errors = [row for row, _ in env.rows[before:] if isinstance(row, SyncError)]
            self.last_sync_ok[name] &= all(row.record_id is not None for row in errors)

    def refresh_databases(self) -> None:
        """Refresh the database of each affected device; a device with open errors refuses."""
        for name in self.case.devices:
            self.lab.scheduler.spawn(syncs.database_refresh(self.device(name)))
            self.lab.scheduler.run_all()

    async def _sync_one(self, name: str) -> None:
        device = self.device(name)
        if device.session is None and self.can_sign_in:
            await syncs.sign_in(device)
        self.last_sync_ok[name] = await syncs.incremental(device)

    def env(self, name: str) -> StormEnv:
        """Return the simulated environment of one device."""
        env = self.device(name).env
        assert isinstance(env, StormEnv)  # noqa: S101 - the lab has no other
        return env

    # -- actions of administrators, for recipes

    def issue_records(self, *operations: str) -> list[PendingRecord]:
        """Return the records blocked by the issue, with one of these operations (default: any)."""
        rows = [
            row
            for group in self.case.save_groups
            if group.from_issue
            for row in group.records
            if not row.is_follow_up
        ]
        return [row for row in rows if not operations or row.operation in operations]

    def move_record(self, record_id: str, territory: str) -> None:
        """Move a record with its children to another territory."""
        record = records.find(self.vault, record_id)
        if record is not None:
            with self.vault.transaction():
                records.move(self.vault, record, territory)

    def is_record_of(self, name: str, record_id: str) -> bool:
        """Return whether a record belongs to an object."""
        record = records.find(self.vault, record_id)
        return record is not None and record.object == name

    def restore_record(self, record_id: str) -> None:
        """Restore a deleted record."""
        record = records.find(self.vault, record_id)
        if record is not None and record.deleted:
            with self.vault.transaction():
                records.undelete(self.vault, record, at=self.now, by="admin")

    def configure(self, kind: str, name: str, doc: JsonDict | None, *, publish: bool = True) -> None:
        """Set one configuration item."""
        admin.change_configuration(self.vault, kind, name, doc, at=self.now, publish=publish)

    def change_field(self, name: str, field: str, **options: Any) -> None:
        """Change options of a field, such as `required` or `values`."""
        definition = self.vault.live["object"][name]
        fields = definition["fields"] | {field: definition["fields"][field] | options}
        self.configure("object", name, definition | {"fields": fields})

    def set_user(self, device: str, **fields: Any) -> None:
        """Change fields of the device's user."""
        admin.set_user(self.vault, self.user_of(device), at=self.now, **fields)

    def set_fault_rates(self, **rates: float) -> None:
        """Set the fault rates of the affected devices; without arguments, all faults end."""
        for name in self.case.devices:
            self.env(name).plan = FaultPlan(**rates)

    def inject_error(
        self,
        device: str,
        error: Exception,
        points: Container[str],
        while_true: Callable[[], bool] = lambda: True,
    ) -> None:
        """Raise `error` on the device at these points while `while_true` returns true."""

        def fail(point: str) -> None:
            if point in points and while_true():
                raise error

        self.env(device).inject_fault = fail

    def clear_errors(self, device: str) -> None:
        """Stop raising injected errors on the device."""
        self.env(device).stop_faults()

    # -- state

    def error_entries(self, keys: set[RecordKey] | None = None) -> list[tuple[str, errors_tab.Entry]]:
        """Return the open entries of the Errors tabs with their device, optionally only for `keys`."""
        ids = (
            None
            if keys is None
            else {(key[0], self.record_ids[key]) for key in keys if key in self.record_ids}
        )
        return [
            (name, entry)
            for name in self.lab.users
            for entry in errors_tab.entries(self.device(name))
            if ids is None or (name, entry.record_id) in ids
        ]

    def downloaded_record(self, device: str, record_id: str) -> JsonDict:
        """Return the record as last downloaded by the device; empty if never downloaded."""
        cursor = self.device(device).data.execute("SELECT doc FROM record WHERE id = ?", (record_id,))
        row = cursor.fetchone()
        return {} if row is None else dict(json.loads(row[0]))

    def is_pending(self, key: RecordKey) -> bool:
        """Return whether the edit, or its correction, is still pending on its device."""
        placeholders = ",".join("?" * len(self.upload_keys[key]))
        cursor = self.device(key[0]).journal.execute(
            f"SELECT 1 FROM outbox WHERE key IN ({placeholders}) AND acked_seq IS NULL", self.upload_keys[key]
        )
        return cursor.fetchone() is not None

    def is_accepted(self, key: RecordKey) -> bool:
        """Return whether Vault accepted the edit or its correction."""
        return any(
            self.vault.db.execute("SELECT 1 FROM answer WHERE device = ? AND key = ?", pair).fetchone()
            for pair in ((self.env(key[0]).device_id, upload) for upload in self.upload_keys[key])
        )

    def lost_records(self) -> set[RecordKey]:
        """Return the records whose edit left the device without reaching Vault."""
        missing = {key for key in self.upload_keys if not self.is_pending(key) and not self.is_accepted(key)}
        return missing - self.withdrawn
