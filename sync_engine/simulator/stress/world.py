"""A small world: one Vault, two devices, and the observations of the checkers."""

# Simulated dice must replay from a seed, which is what `random` is for.
# ruff: noqa: S311

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from random import Random

from sync_engine.device.client import Device
from sync_engine.device.sync_run import close_interrupted_syncs
from sync_engine.protocol import ProcessKilled
from sync_engine.simulator.scheduler import Scheduler
from sync_engine.simulator.stress.faults import FaultPlan
from sync_engine.simulator.stress.observations import Observations
from sync_engine.simulator.stress.storm_env import STALE_PROCESS, StormEnv
from sync_engine.vault import attachments, records
from sync_engine.vault.permissions import permission_set
from sync_engine.vault.server import Vault, handle_request
from sync_engine.vmoc import vmoc

START = 1_772_409_600.0  # 2026-03-02 00:00 UTC


@dataclass(slots=True, kw_only=True)
class World:
    """One Vault and two devices under one scheduler."""

    seed: int
    plan: FaultPlan
    scheduler: Scheduler
    vault: Vault
    observations: Observations
    rng: Random
    devices: list[Device] = field(default_factory=list)
    fault_counts: Counter[str] = field(default_factory=Counter)

    def env(self, device: Device) -> StormEnv:
        """Return the simulated environment of the device."""
        assert isinstance(device.env, StormEnv)  # noqa: S101
        return device.env

    def deliver(self, request: bytes, crash: bool) -> bytes:
        """Send a request to the Vault and check its effect. `crash` rolls the request back before the commit."""
        if crash:
            return self._crash_before_commit(request)
        before = self.observations.last_write(self.vault) if b'"verb":"upload"' in request else 0
        reply = handle_request(request, self.vault, self.scheduler.now)
        self.observations.check_request(self.vault, request, reply, before)
        return reply

    def _crash_before_commit(self, request: bytes) -> bytes:
        """Process a request without its commit."""
        self.vault.db.execute("SAVEPOINT process")
        nested, version = _NestedVault(self.vault), self.vault.version
        try:
            handle_request(request, nested, self.scheduler.now)  # type: ignore[arg-type]
        finally:
            self.vault.db.execute("ROLLBACK TO process")
            self.vault.db.execute("RELEASE process")
            if self.vault.version != version:
                self.vault.reload_configuration()
        return b""


class _NestedVault:
    """A Vault whose transactions are part of an outer savepoint, which is rolled back later."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def __getattr__(self, name: str) -> object:
        return getattr(self._vault, name)

    def transaction(self) -> sqlite3.Connection:
        return _NullTransaction()  # type: ignore[return-value]


class _NullTransaction:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def restart_device(world: World, device: Device, killed: ProcessKilled) -> None:
    """Restart the app after a kill. A task of an earlier process does nothing."""
    if killed.args == (STALE_PROCESS,):
        return
    world.env(device).generation += 1
    for store in (device.journal, device.data):
        if store.in_transaction:
            store.execute("ROLLBACK")
    device.start()
    close_interrupted_syncs(device)


def build_world(seed: int, plan: FaultPlan) -> World:
    """Build the initial world of a seed, before any sync or edit."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.deserialize(build_template())
    scheduler = Scheduler(START)
    vault = Vault(db, epoch=f"e{seed}")
    observations = Observations(seed)
    vault.on_refusal = observations.check_refusal
    world = World(
        seed=seed,
        plan=plan,
        scheduler=scheduler,
        vault=vault,
        observations=observations,
        rng=Random(f"{seed}/world"),
    )
    observations.install_triggers(vault)
    if plan.files:
        add_files(vault)
    for n, platform in enumerate(("iPad", "Windows")):
        device_id = f"d{n}"
        env = StormEnv(device_id, scheduler, world.deliver, plan, seed, world.fault_counts)
        device = Device(
            device_id=device_id, user_id=f"u{n}", password="secret", platform=platform,  # noqa: S106
            version="253.0.1", env=env,
        )  # fmt: skip
        env.device = device
        world.devices.append(device)
    return world


def add_files(vault: Vault) -> None:
    """Add key messages with media for all users, and attachments of accounts."""
    with vault.transaction():
        attachments.add_media_objects(vault)
        accounts = vault.live["object"]["account__v"] | {"allow_attachments": True}
        vault.configure("object", "account__v", accounts)
        vault.configure(
            "vmoc", "account__v", vault.live["vmoc"]["account__v"] | {"include_attachments__v": True}
        )
        for n in range(2):
            records.insert(vault, "key_message__v", {"name__v": f"Slide {n}"}, at=START, by="System")
        vault.publish()


@cache
def build_template() -> bytes:
    """Build the database of the initial Vault: two users, three territories and a few records."""
    vault = Vault(sqlite3.connect(":memory:"))
    with vault.transaction():
        vault.configure("permission_set", "rep__c", permission_set("rep__c"))
        for n, territories in enumerate((["T1", "T2"], ["T2", "T3"])):
            vault.configure("user", f"u{n}", _user_document(n, territories))
        clause = "WHERE specialty__v CONTAINS ('cardiology__v', 'oncology__v')"
        vault.configure("vmoc", "account__v", vmoc("account__v", where=clause))
        for n in range(3):
            doc = {"name__v": f"Product {n}", "status__v": "active__v"}
            records.insert(vault, "product__v", doc, at=START, by="System")
        for n in range(9):
            _add_account(vault, n)
        vault.publish()
    image = vault.db.serialize()
    vault.db.close()
    return image


def _add_account(vault: Vault, n: int) -> None:
    doc = {
        "name__v": f"Dr {n}",
        "specialty__v": ("cardiology__v", "oncology__v")[n % 2],
        "status__v": "active__v",
        "territory__v": f"T{1 + n % 3}",
    }
    account = records.insert(vault, "account__v", doc, at=START, by="System").id
    address = {"account__v": account, "name__v": f"Street {n}"}
    records.insert(vault, "address__v", address, at=START, by="System")
    call = {"account__v": account, "call_date__v": "2026-03-01", "status__v": "saved__v"}
    records.insert(vault, "call2__v", call, at=START, by="System")


def _user_document(n: int, territories: list[str]) -> dict[str, object]:
    return {
        "id": f"u{n}", "name": f"User {n}", "email": "", "active": True, "locked": False,
        "password": "secret", "password_expired": False, "permission_set": "rep__c",
        "security_profile": "rep__c", "application_profile": "rep__c", "territories": territories,
        "country": "US", "time_zone": "America/New_York", "language": "en",
    }  # fmt: skip
