"""The rebuilt situation: the devices of an issue around one Vault of the engine, stuck as the store says.

A stage is built anew for each candidate, from the same case and the same seed, so that every candidate meets
the same situation byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable
from random import Random
from types import TracebackType
from typing import Any

from rehearsal.builders import DAY, HELD, HOLD, a_field, a_value, people_in, references, with_field
from rehearsal.issue_case import Case, Key, Row, Saved
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

TERRITORY, ELSEWHERE = "T1", "T2"
NOBODY = "V000000000000000"
"""The id of a record that only has to be named."""
ASSUMED = "assumed"
"""The name of a record that the store does not know of."""
Shape = Callable[["Stage", Row, JsonDict], JsonDict]
"""Changes the fields that a row of the issue is written with."""


class Stage:
    """One copy of the situation. `ids` gives the engine's id of each record of the store."""

    def __init__(self, case: Case, seed: int, shape: Shape | None = None) -> None:
        self.case = case
        self.shape = shape
        self.story = Lab(*sorted(case.owners))
        self.vault = self.story.vault
        self.permission_sets: tuple[str, ...] = ("rep__c",)
        self.ids: dict[Key, str] = {}
        self.written: dict[Key, JsonDict] = {}
        self.keys: dict[Key, list[str]] = {}
        self.withdrawn: set[Key] = set()
        self.causes: dict[str, set[str]] = {}  # why the Vault refused, by key of the upload
        self.signs_in = True
        self.ended_well: dict[str, bool] = {}
        self._number = Random(f"{seed}/values").randrange(1_000)  # noqa: S311 - repeatable on purpose
        self.vault.witness = self._hear
        for name, device in self.story.devices.items():
            device.user_id = self.user_of(name)
            device.platform = case.platforms.get(name, device.platform)
        self._found_people()
        self._found_objects()
        for one in case.saved:
            self._found_records(one)

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.story.close()

    def _hear(self, _: str, key: str | None, cause: str, __: str | None) -> None:
        if key is not None:
            self.causes.setdefault(key, set()).add(cause)

    def user_of(self, device: str) -> str:
        """The engine's name of the device's user: two devices of one person share it."""
        owner = self.case.owners[device]
        return min(name for name, other in self.case.owners.items() if other == owner)

    @property
    def now(self) -> float:
        """The stage's time, in seconds since 1970."""
        return self.story.scheduler.now

    def device(self, name: str) -> Device:
        """The device that the store calls so."""
        return self.story.devices[name]

    def number(self) -> int:
        """A number not used before, for values that must differ."""
        self._number += 1
        return self._number

    # -- the Vault before anything went wrong

    def _found_people(self) -> None:
        """Give people their permission sets, if the store knows those of everybody whom the issue hits."""
        if not self.case.sets:
            return
        self.permission_sets = self.case.sets
        with self.vault.transaction():
            for name in sorted({*self.case.sets, *self.case.known.sets.values()}):
                self.vault.configure("permission_set", name, permission_set(name))
            for device in self.case.owners:
                granted = self.case.known.sets.get(self.case.owners[device])
                if granted:
                    user = self.vault.live["user"][self.user_of(device)]
                    self.vault.configure("user", user["id"], user | {"permission_set": granted})

    def _found_objects(self) -> None:
        with self.vault.transaction():
            for name, definition in sorted(self.case.known.objects.items()):
                wished = self.case.field if name == self.case.object else None
                self.vault.configure("object", name, with_field(definition, wished))
                if name not in default_objects():
                    self.vault.configure("vmoc", name, vmoc(name))
                rule = {"object": name, "active": True, "message": "Held by the rehearsal"}
                self.vault.configure(
                    "validation_rule", f"{HOLD}.{name}", rule | {"refuse_when": f"{HOLD} = '{HELD}'"}
                )
            self.vault.publish()

    def _found_records(self, saved: Saved) -> None:
        for row in saved.rows:
            if row.operation != "create" and row.key not in self.ids:
                self.ids[row.key] = self.found(row.object)

    def found(self, name: str, above: tuple[str, ...] = ()) -> str:
        """Put a record of the object, with all it needs, into the Vault; its id. `above` is what needs it."""
        definition = self.vault.live["object"][name]
        doc: JsonDict = {"territory__v": TERRITORY}
        for field, spec in definition["fields"].items():
            if spec["type"] != "reference" and field not in SYSTEM_FIELDS and field != HOLD:
                doc[field] = a_value(spec, self.number(), field)
        if definition.get("lockable"):
            doc["status__v"] = "saved__v"
        doc |= dict.fromkeys(people_in(definition), self.story.people[0])
        for field, to in references(definition).items():  # objects may need each other
            doc[field] = self.found(to, (*above, name)) if to not in (*above, name) else NOBODY
        return self.story.record(name, **doc)

    # -- what people do

    def save_all(self) -> None:
        """Everybody saves what the store says they had saved."""
        for one in self.case.saved:
            self._save(one)

    def _save(self, saved: Saved) -> None:
        device = self.device(saved.rows[0].device)
        edits: list[Edit] = []
        above: dict[str, str] = {}
        for row in saved.rows:
            if row.operation == "create" and not row.again:
                self.ids[row.key] = new_id(device)
            fields = self._fields(row, above, saved.ours)
            above.setdefault(row.object, self.ids[row.key])
            self.written.setdefault(row.key, fields)
            edits.append(
                Edit(operation=row.operation, object=row.object, record_id=self.ids[row.key], fields=fields)
            )
        key = save(device, edits)
        for row in saved.rows:
            if not row.again:
                self.keys[row.key] = [key]

    def _fields(self, row: Row, above: dict[str, str], ours: bool) -> JsonDict:
        if row.operation == "delete":
            return {}
        definition = self.vault.live["object"][row.object]
        fields: JsonDict = {}
        if row.operation == "create":
            needed = {n: s for n, s in definition["fields"].items() if s.get("required")}
            fields = {n: a_value(s, self.number(), n) for n, s in needed.items() if s["type"] != "reference"}
            fields |= dict.fromkeys(people_in(definition), self.user_of(row.device))
            for field, to in references(definition).items():
                fields[field] = above.get(to) or self.found(to)
        wished = a_field(definition, self.case.field if row.object == self.case.object else None)
        fields[wished] = self._other_value(row, wished)
        if not ours:
            return fields | {HOLD: HELD}
        return self.shape(self, row, fields) if self.shape and not row.again else fields

    def _other_value(self, row: Row, field: str) -> object:
        spec = self.vault.live["object"][row.object]["fields"][field]
        now = self.held(row.device, self.ids[row.key]).get(field)
        values = (a_value(spec, self.number(), field) for _ in range(200))
        return next((value for value in values if value != now), now)

    def save_a_visit(self, device: str, more: JsonDict) -> None:
        """The device's user records a call that has not been sent, where the store knows of no record."""
        mine = self.story.account(f"Account {self.number()}", territory=TERRITORY)
        fields = {"account__v": mine, "call_date__v": DAY, "status__v": "saved__v"} | more
        row = Row(device=device, record=ASSUMED, object="call2__v", operation="create")
        self.ids[row.key] = new_id(self.device(device))
        self.written[row.key] = fields
        edit = Edit(operation="create", object=row.object, record_id=self.ids[row.key], fields=fields)
        self.keys[row.key] = [save(self.device(device), [edit])]

    def hold_deletes(self) -> None:
        """Records whose delete is refused for another reason go out of their users' sight."""
        others = [row for one in self.case.saved if not one.ours for row in one.rows]
        for row in others:
            if row.operation == "delete":
                self.move(self.ids[row.key], ELSEWHERE)

    def sync(self, names: Iterable[str] | None = None) -> None:
        """These devices sync one after the other, all of them by default; `ended_well` says how it ended."""
        for name in self.story.people if names is None else names:
            env = self.env(name)
            before = len(env.rows)
            self.ended_well[name] = False
            self.story.scheduler.spawn(self._sync_one(name))
            self.story.scheduler.drain()
            errors = [row for row, _ in env.rows[before:] if isinstance(row, SyncError)]
            self.ended_well[name] &= all(row.record_id is not None for row in errors)

    def refresh(self) -> None:
        """The users of the issue's devices refresh the whole database; refused where errors are open."""
        for name in self.case.devices:
            self.story.scheduler.spawn(syncs.database_refresh(self.device(name)))
            self.story.scheduler.drain()

    async def _sync_one(self, name: str) -> None:
        device = self.device(name)
        if device.session is None and self.signs_in:
            await syncs.sign_in(device)
        self.ended_well[name] = await syncs.incremental(device)

    def env(self, name: str) -> StormEnv:
        """The world of one device."""
        env = self.device(name).env
        assert isinstance(env, StormEnv)  # noqa: S101 - a story has no other
        return env

    # -- what recipes ask for

    def rows(self, *operations: str) -> list[Row]:
        """The rows that the issue refuses, of these operations or of all."""
        ours = [row for one in self.case.saved if one.ours for row in one.rows if not row.again]
        return [row for row in ours if not operations or row.operation in operations]

    def move(self, record_id: str, territory: str) -> None:
        """An administrator moves a record, with what hangs on it, to another territory."""
        found = records.find(self.vault, record_id)
        if found is not None:
            with self.vault.transaction():
                records.move(self.vault, found, territory)

    def restore(self, record_id: str) -> None:
        """An administrator brings a deleted record back."""
        found = records.find(self.vault, record_id)
        if found is not None and found.deleted:
            with self.vault.transaction():
                records.undelete(self.vault, found, at=self.now, by="admin")

    def configure(self, kind: str, name: str, doc: JsonDict | None, *, publish: bool = True) -> None:
        """An administrator sets one piece of configuration."""
        admin.change(self.vault, kind, name, doc, at=self.now, publish=publish)

    def spec(self, name: str, field: str, **more: Any) -> None:
        """An administrator changes what a field allows."""
        definition = self.vault.live["object"][name]
        fields = definition["fields"] | {field: definition["fields"][field] | more}
        self.configure("object", name, definition | {"fields": fields})

    def set_user(self, device: str, **fields: Any) -> None:
        """An administrator changes the device's user."""
        admin.set_user(self.vault, self.user_of(device), at=self.now, **fields)

    def plan(self, **rates: float) -> None:
        """Make the world of the issue's devices as unkind as said; without a word, kind again."""
        for name in self.case.devices:
            self.env(name).plan = FaultPlan(**rates)

    def make_ill(
        self,
        device: str,
        problem: Exception,
        points: Container[str],
        as_long_as: Callable[[], bool] = lambda: True,
    ) -> None:
        """From now on the problem strikes the device at these points, as long as it is said to."""

        def strike(point: str) -> None:
            if point in points and as_long_as():
                raise problem

        self.env(device).ill = strike

    def make_well(self, device: str) -> None:
        """Nothing strikes the device any more."""
        self.env(device).heal()

    # -- how it stands

    def entries(self, named: set[Key] | None = None) -> list[tuple[str, errors_tab.Entry]]:
        """Open entries of the Errors tabs with their device; with `named`, those of these records only."""
        ids = None if named is None else {(key[0], self.ids[key]) for key in named if key in self.ids}
        return [
            (name, entry)
            for name in self.story.people
            for entry in errors_tab.entries(self.device(name))
            if ids is None or (name, entry.record_id) in ids
        ]

    def held(self, device: str, record_id: str) -> JsonDict:
        """The record as Vault last sent it to the device; empty when it never did."""
        found = self.device(device).data.execute("SELECT doc FROM record WHERE id = ?", (record_id,))
        row = found.fetchone()
        return {} if row is None else dict(json.loads(row[0]))

    def waits(self, key: Key) -> bool:
        """Whether the edit, or what has taken its place, still waits on its device."""
        marks = ",".join("?" * len(self.keys[key]))
        found = self.device(key[0]).journal.execute(
            f"SELECT 1 FROM outbox WHERE key IN ({marks}) AND acked_seq IS NULL", self.keys[key]
        )
        return found.fetchone() is not None

    def accepted(self, key: Key) -> bool:
        """Whether the Vault has taken the edit, or what has taken its place."""
        return any(
            self.vault.db.execute("SELECT 1 FROM answer WHERE device = ? AND key = ?", pair).fetchone()
            for pair in ((self.env(key[0]).device_id, one) for one in self.keys[key])
        )

    def lost(self) -> set[Key]:
        """Records whose edit is gone from the device and never reached the Vault."""
        gone = {key for key in self.keys if not self.waits(key) and not self.accepted(key)}
        return gone - self.withdrawn
