"""A small stage for tests and notebooks: people with devices around one Vault, and sentences about them.

story = Lab("ana", "ben")
account = story.account("Dr Ruiz")
story.sync("ana", "ben")
story.edit("ana", account, phone__v="1")
assert story.sync("ana") == []
"""

from __future__ import annotations

import sqlite3
from collections import Counter

from sync_engine.device import errors_tab, syncs
from sync_engine.device.client import Device
from sync_engine.device.edits import Edit, new_mobile_id, read_record, save
from sync_engine.device.widgets import StatusWidget, SyncWidget, status_widget, sync_widget
from sync_engine.json_docs import JsonDict
from sync_engine.protocol import ProcessKilled, TransportError
from sync_engine.simulator.scheduler import Scheduler
from sync_engine.simulator.stress.faults import CALM
from sync_engine.simulator.stress.storm_env import StormEnv
from sync_engine.telemetry import SyncError, SyncTracking, Telemetry
from sync_engine.vault import records, tracking
from sync_engine.vault.permissions import permission_set
from sync_engine.vault.server import Vault, handle_request

START = 1_772_409_600.0  # 2026-03-02 00:00 UTC


class Lab:
    """Named people, each with one device, in one territory of one Vault; nothing goes wrong by itself."""

    def __init__(self, *people: str, platform: str = "iPad") -> None:
        self.scheduler = Scheduler(START)
        self.vault = Vault(sqlite3.connect(":memory:"))
        self.users = people
        self.devices: dict[str, Device] = {}
        self.replies_to_lose = 0
        self.requests_to_lose = 0
        self.requests: list[bytes] = []
        with self.vault.transaction():
            self.vault.configure("permission_set", "rep__c", permission_set("rep__c"))
            for person in people:
                self.vault.configure("user", person, _user_document(person))
        for person in people:
            self.devices[person] = self._device(person, platform)

    def _device(self, person: str, platform: str) -> Device:
        env = StormEnv(f"{person}-device", self.scheduler, self._deliver, CALM, 0, Counter())
        device = Device(
            device_id=env.device_id, user_id=person, password="secret", platform=platform,  # noqa: S106
            version="253.0.100", env=env,
        )  # fmt: skip
        env.device = device
        return device

    def _deliver(self, request: bytes, crash: bool) -> bytes:
        if self.requests_to_lose:
            self.requests_to_lose -= 1
            raise TransportError("NSURLErrorDomain -1001", "The request timed out.")
        self.requests.append(request)
        reply = handle_request(request, self.vault, self.scheduler.now)
        if self.replies_to_lose and b'"verb":"upload"' in request:
            self.replies_to_lose -= 1
            raise TransportError("NSURLErrorDomain -1005", "The network connection was lost.")
        return reply

    def add_account(self, name: str, *, territory: str = "T1", **fields: object) -> str:
        """An account in the Vault; its id."""
        return self.add_record("account__v", name__v=name, territory__v=territory, **fields)

    def add_record(self, object_name: str, **fields: object) -> str:
        """A record in the Vault, put there by somebody else; its id."""
        with self.vault.transaction():
            return records.insert(
                self.vault, object_name, dict(fields), at=self.scheduler.now, by="somebody"
            ).id

    def change_in_vault(self, record_id: str, **fields: object) -> None:
        """Somebody else changes a record in the Vault."""
        found = records.find(self.vault, record_id)
        assert found is not None  # noqa: S101
        with self.vault.transaction():
            records.update(self.vault, found, fields, at=self.scheduler.now, by="somebody")

    def delete_in_vault(self, record_id: str) -> None:
        """Somebody else deletes a record in the Vault."""
        found = records.find(self.vault, record_id)
        assert found is not None  # noqa: S101
        with self.vault.transaction():
            records.delete(self.vault, found, at=self.scheduler.now, by="somebody")

    def edit(self, person: str, record_id: str, **fields: object) -> str:
        """The person edits a record on their device; the key of the edit."""
        name = self._object_of(person, record_id)
        return save(
            self.devices[person],
            [Edit(operation="update", object=name, record_id=record_id, fields=dict(fields))],
        )

    def create(self, person: str, object_name: str, **fields: object) -> str:
        """The person creates a record on their device; its mobile id."""
        made = new_mobile_id(self.devices[person])
        edit = Edit(operation="create", object=object_name, record_id=made, fields=dict(fields))
        save(self.devices[person], [edit])
        return made

    def record_call(self, person: str, account: str, *, samples: int = 0, **fields: object) -> str:
        """The person records a call with samples, all in one press of Save; its mobile id."""
        device = self.devices[person]
        made = new_mobile_id(device)
        doc: JsonDict = {
            "account__v": account,
            "call_date__v": "2026-03-02",
            "status__v": "saved__v",
        } | fields
        edits = [Edit(operation="create", object="call2__v", record_id=made, fields=doc)]
        product = device.data.execute(
            "SELECT id FROM record WHERE object = 'product__v' ORDER BY id"
        ).fetchone()
        for _ in range(samples):
            sample: JsonDict = {"call2__v": made, "product__v": product[0], "quantity__v": 2}
            edits.append(
                Edit(
                    operation="create",
                    object="call2_sample__v",
                    record_id=new_mobile_id(device),
                    fields=sample,
                )
            )
        save(device, edits)
        return made

    def delete(self, person: str, record_id: str) -> str:
        """The person deletes a record on their device; the key of the edit."""
        name = self._object_of(person, record_id)
        edit = Edit(operation="delete", object=name, record_id=record_id, fields={})
        return save(self.devices[person], [edit])

    def _object_of(self, person: str, record_id: str) -> str:
        row = (
            self.devices[person]
            .data.execute("SELECT object FROM record WHERE id = ? OR mobile_id = ?", (record_id, record_id))
            .fetchone()
        )
        row = (
            row
            or self.devices[person]
            .journal.execute("SELECT object FROM outbox WHERE record_id = ?", (record_id,))
            .fetchone()
        )
        if row is None:
            raise ValueError(f"{person} does not have {record_id}")
        return str(row[0])

    def sync(self, *people: str, kind: str = "incremental") -> list[tuple[str, str]]:
        """These people sync, one after the other; the errors of it as (person, error type)."""
        found: list[tuple[str, str]] = []
        for person in people or self.users:
            device, env = self.devices[person], self._env(person)
            before = len(env.rows)
            self.scheduler.spawn(_sync_device(device, kind))
            self.scheduler.run_all()
            found += [
                (person, str(row.error_type)) for row, _ in env.rows[before:] if isinstance(row, SyncError)
            ]
        return found

    def wait(self, hours: float) -> None:
        """Let time pass."""
        self.scheduler.run_until(self.scheduler.now + hours * 3600)

    def read(self, person: str, record_id: str) -> JsonDict | None:
        """What the person's device shows of a record, None when it shows nothing."""
        return read_record(self.devices[person], record_id)

    def errors(self, person: str) -> list[errors_tab.Entry]:
        """The person's Errors tab."""
        return errors_tab.entries(self.devices[person])

    def sync_widget(self, person: str) -> SyncWidget:
        """The person's Sync widget."""
        return sync_widget(self.devices[person])

    def status_widget(self, person: str) -> StatusWidget:
        """The person's Status widget."""
        return status_widget(self.devices[person])

    def tracking_records(self) -> list[SyncTracking]:
        """Every tracking record in the Vault, in the order in which they came."""
        return list(tracking.read_tracking_records(self.vault, 0.0, float("inf")))

    def reported_rows(self, person: str) -> list[Telemetry]:
        """Every row that the person's device has reported."""
        return [row for row, _ in self._env(person).rows]

    def _env(self, person: str) -> StormEnv:
        env = self.devices[person].env
        assert isinstance(env, StormEnv)  # noqa: S101
        return env

    def close(self) -> None:
        """Close every store."""
        for person in self.users:
            self._env(person).close()
        self.vault.db.close()

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


async def _sync_device(device: Device, kind: str) -> None:
    if device.session is None:
        await syncs.sign_in(device)
    kinds = {
        "incremental": syncs.incremental,
        "autosync": syncs.autosync,
        "database_refresh": syncs.database_refresh,
        "mini": syncs.mini,
        "non_blocking": syncs.non_blocking,
    }
    try:
        await kinds[kind](device)
    except ProcessKilled:
        device.start()


def _user_document(person: str) -> JsonDict:
    return {
        "id": person, "name": person.title(), "email": "", "active": True, "locked": False,
        "password": "secret", "password_expired": False, "permission_set": "rep__c",
        "security_profile": "rep__c", "application_profile": "rep__c", "territories": ["T1"],
        "country": "US", "time_zone": "America/New_York", "language": "en",
    }  # fmt: skip
