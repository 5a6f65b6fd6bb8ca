"""A small lab for tests, notebooks and rehearsals.

lab = Lab("ana", "ben")
account = lab.add_account("Dr Ruiz")
lab.sync("ana", "ben")
lab.edit("ana", account, phone__v="1")
assert lab.sync("ana") == []
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
    """One Vault and users in one territory, each with one device. No faults occur by default."""

    def __init__(self, *users: str, platform: str = "iPad") -> None:
        self.scheduler = Scheduler(START)
        self.vault = Vault(sqlite3.connect(":memory:"))
        self.users = users
        self.devices: dict[str, Device] = {}
        self.replies_to_lose = 0
        self.requests_to_lose = 0
        self.requests: list[bytes] = []
        with self.vault.transaction():
            self.vault.configure("permission_set", "rep__c", permission_set("rep__c"))
            for user in users:
                self.vault.configure("user", user, _user_document(user))
        for user in users:
            self.devices[user] = self._device(user, platform)

    def _device(self, user: str, platform: str) -> Device:
        env = StormEnv(f"{user}-device", self.scheduler, self._deliver, CALM, 0, Counter())
        device = Device(
            device_id=env.device_id, user_id=user, password="secret", platform=platform,  # noqa: S106
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
        """Add an account to the Vault and return its id."""
        return self.add_record("account__v", name__v=name, territory__v=territory, **fields)

    def add_record(self, object_name: str, **fields: object) -> str:
        """Add a record to the Vault as another user and return its id."""
        with self.vault.transaction():
            return records.insert(
                self.vault, object_name, dict(fields), at=self.scheduler.now, by="somebody"
            ).id

    def change_in_vault(self, record_id: str, **fields: object) -> None:
        """Change a record in the Vault as another user."""
        record = records.find(self.vault, record_id)
        assert record is not None  # noqa: S101
        with self.vault.transaction():
            records.update(self.vault, record, fields, at=self.scheduler.now, by="somebody")

    def delete_in_vault(self, record_id: str) -> None:
        """Delete a record in the Vault as another user."""
        record = records.find(self.vault, record_id)
        assert record is not None  # noqa: S101
        with self.vault.transaction():
            records.delete(self.vault, record, at=self.scheduler.now, by="somebody")

    def edit(self, user: str, record_id: str, **fields: object) -> str:
        """Edit a record on the user's device and return the key of the edit."""
        name = self._object_of(user, record_id)
        return save(
            self.devices[user],
            [Edit(operation="update", object=name, record_id=record_id, fields=dict(fields))],
        )

    def create(self, user: str, object_name: str, **fields: object) -> str:
        """Create a record on the user's device and return its mobile id."""
        mobile_id = new_mobile_id(self.devices[user])
        edit = Edit(operation="create", object=object_name, record_id=mobile_id, fields=dict(fields))
        save(self.devices[user], [edit])
        return mobile_id

    def record_call(self, user: str, account: str, *, samples: int = 0, **fields: object) -> str:
        """Save a call with samples in one transaction and return its mobile id."""
        device = self.devices[user]
        mobile_id = new_mobile_id(device)
        doc: JsonDict = {
            "account__v": account,
            "call_date__v": "2026-03-02",
            "status__v": "saved__v",
        } | fields
        edits = [Edit(operation="create", object="call2__v", record_id=mobile_id, fields=doc)]
        product = device.data.execute(
            "SELECT id FROM record WHERE object = 'product__v' ORDER BY id"
        ).fetchone()
        for _ in range(samples):
            sample: JsonDict = {"call2__v": mobile_id, "product__v": product[0], "quantity__v": 2}
            edits.append(
                Edit(
                    operation="create",
                    object="call2_sample__v",
                    record_id=new_mobile_id(device),
                    fields=sample,
                )
            )
        save(device, edits)
        return mobile_id

    def delete(self, user: str, record_id: str) -> str:
        """Delete a record on the user's device and return the key of the edit."""
        name = self._object_of(user, record_id)
        edit = Edit(operation="delete", object=name, record_id=record_id, fields={})
        return save(self.devices[user], [edit])

    def _object_of(self, user: str, record_id: str) -> str:
        row = (
            self.devices[user]
            .data.execute("SELECT object FROM record WHERE id = ? OR mobile_id = ?", (record_id, record_id))
            .fetchone()
        )
        row = (
            row
            or self.devices[user]
            .journal.execute("SELECT object FROM outbox WHERE record_id = ?", (record_id,))
            .fetchone()
        )
        if row is None:
            raise ValueError(f"{user} does not have {record_id}")
        return str(row[0])

    def sync(self, *users: str, kind: str = "incremental") -> list[tuple[str, str]]:
        """Sync the devices of these users in order. Returns errors as (user, error type)."""
        errors: list[tuple[str, str]] = []
        for user in users or self.users:
            device, env = self.devices[user], self._env(user)
            before = len(env.rows)
            self.scheduler.spawn(_sync_device(device, kind))
            self.scheduler.run_all()
            errors += [
                (user, str(row.error_type)) for row, _ in env.rows[before:] if isinstance(row, SyncError)
            ]
        return errors

    def wait(self, hours: float) -> None:
        """Advance the simulated time."""
        self.scheduler.run_until(self.scheduler.now + hours * 3600)

    def read(self, user: str, record_id: str) -> JsonDict | None:
        """Return a record as the user's device shows it, or None."""
        return read_record(self.devices[user], record_id)

    def errors(self, user: str) -> list[errors_tab.Entry]:
        """Return the entries of the user's Errors tab."""
        return errors_tab.entries(self.devices[user])

    def sync_widget(self, user: str) -> SyncWidget:
        """Return the user's Sync widget."""
        return sync_widget(self.devices[user])

    def status_widget(self, user: str) -> StatusWidget:
        """Return the user's Status widget."""
        return status_widget(self.devices[user])

    def tracking_records(self) -> list[SyncTracking]:
        """Return all tracking records in the Vault, in order of arrival."""
        return list(tracking.read_tracking_records(self.vault, 0.0, float("inf")))

    def reported_rows(self, user: str) -> list[Telemetry]:
        """Return all rows that the user's device has reported."""
        return [row for row, _ in self._env(user).rows]

    def _env(self, user: str) -> StormEnv:
        env = self.devices[user].env
        assert isinstance(env, StormEnv)  # noqa: S101
        return env

    def close(self) -> None:
        """Close all stores."""
        for user in self.users:
            self._env(user).close()
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


def _user_document(user: str) -> JsonDict:
    return {
        "id": user, "name": user.title(), "email": "", "active": True, "locked": False,
        "password": "secret", "password_expired": False, "permission_set": "rep__c",
        "security_profile": "rep__c", "application_profile": "rep__c", "territories": ["T1"],
        "country": "US", "time_zone": "America/New_York", "language": "en",
    }  # fmt: skip
