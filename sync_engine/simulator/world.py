"""A small world: one Vault, two devices, a dozen faulty syncs each; then the faults heal and all must agree.

Safety is watched at every step by checkers with an account of their own; liveness is that after healing every
device settles within a few syncs. One seed is one world, byte for byte.
"""

# Simulated dice must replay from a seed, which is what `random` is for.
# ruff: noqa: S311

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from random import Random

from sync_engine.device import errors_tab, syncs
from sync_engine.device.client import Device
from sync_engine.device.edits import save
from sync_engine.device.runs import close_interrupted
from sync_engine.documents import as_text
from sync_engine.protocol import DeviceError, Killed
from sync_engine.simulator import checkers, mischief
from sync_engine.simulator.account import Account, Violation
from sync_engine.simulator.faults import CALM, FaultPlan
from sync_engine.simulator.kernel import Kernel, Sleep
from sync_engine.simulator.storm_env import GHOST, StormEnv
from sync_engine.vault import records
from sync_engine.vault.permissions import permission_set
from sync_engine.vault.server import Vault, handle
from sync_engine.vmoc import vmoc

START = 1_772_409_600.0  # 2026-03-02 00:00 UTC
SYNCS = 12
ROUNDS = 6
"""After healing, a device has this many syncs to settle."""


class Crash(Exception):
    """The server's process ends inside a transaction."""


@dataclass(slots=True, kw_only=True)
class World:
    """One Vault and two devices under one kernel."""

    seed: int
    plan: FaultPlan
    kernel: Kernel
    vault: Vault
    account: Account
    rng: Random
    devices: list[Device] = field(default_factory=list)
    fired: Counter[str] = field(default_factory=Counter)

    def env(self, device: Device) -> StormEnv:
        """The device's environment."""
        assert isinstance(device.env, StormEnv)  # noqa: S101
        return device.env

    def deliver(self, request: bytes, crash: bool) -> bytes:
        """Hand a request to the Vault, and let the account see what it did."""
        if crash:
            return self._crash(request)
        before = self.account.mark(self.vault) if b'"verb":"upload"' in request else 0
        reply = handle(request, self.vault, self.kernel.now)
        self.account.after(self.vault, request, reply, before)
        return reply

    def _crash(self, request: bytes) -> bytes:
        """Everything is done but the commit."""
        self.vault.db.execute("SAVEPOINT process")
        nested, version = _Nested(self.vault), self.vault.version
        try:
            handle(request, nested, self.kernel.now)  # type: ignore[arg-type]
        finally:
            self.vault.db.execute("ROLLBACK TO process")
            self.vault.db.execute("RELEASE process")
            if self.vault.version != version:
                self.vault.reload()
        return b""


class _Nested:
    """The Vault inside a savepoint that will be rolled back: its own transactions become part of it."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def __getattr__(self, name: str) -> object:
        return getattr(self._vault, name)

    def transaction(self) -> sqlite3.Connection:
        return _Nothing()  # type: ignore[return-value]


class _Nothing:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one world showed."""

    seed: int
    violations: tuple[Violation, ...]
    fired: Counter[str]
    syncs: int
    trace: str


def simulate(*, seed: int, plan: FaultPlan | None = None) -> Run:
    """Play the world of one seed; without a plan the seed draws one."""
    chosen = plan if plan is not None else FaultPlan.swarm(Random(f"{seed}/plan"))
    world = _build(seed, chosen)
    try:
        _storm(world)
        _heal(world)
        world.account.found += checkers.at_rest(world.vault, world.devices, world.account)
        return Run(
            seed=seed,
            violations=tuple(world.account.found),
            fired=world.fired,
            syncs=sum(world.account.syncs.values()),
            trace=_trace(world),
        )
    finally:
        world.kernel.close()
        for device in world.devices:
            world.env(device).close()
        world.vault.db.close()


def _storm(world: World) -> None:
    for device in world.devices:
        world.kernel.spawn(_sync_often(world, device), world.rng.uniform(1, 100))
        world.kernel.spawn(_edit_often(world, device), world.rng.uniform(1, 100))
    world.kernel.spawn(mischief.meddle(world), 50.0)
    world.kernel.drain()


async def _sync_often(world: World, device: Device) -> None:
    rng = Random(f"{world.seed}/{device.device_id}/syncs")
    for _ in range(SYNCS):
        await Sleep(rng.uniform(100, 2500))
        if rng.random() < 0.3:
            world.kernel.spawn(_edit_meanwhile(world, device, rng), rng.uniform(0.5, 6.0))
        await one_sync(world, device, rng.random())


async def one_sync(world: World, device: Device, choice: float) -> None:
    """One attempt to sync, of a kind by chance; the account watches what it leaves behind."""
    if device.busy:
        return
    before, done = world.account.look(device), False
    try:
        if device.session is None and not await syncs.sign_in(device):
            return
        if choice < 0.5:
            done = await syncs.incremental(device)
        elif choice < 0.75:
            await syncs.autosync(device)
        elif choice < 0.9:
            await syncs.non_blocking(device)
            await Sleep(40.0)
            syncs.apply_update(device)
        else:
            done = await syncs.database_refresh(device)
    except Killed as killed:
        restart(world, device, killed)
    except DeviceError:
        device.busy = False
    world.account.compare(world.vault, device, before, done)


def restart(world: World, device: Device, killed: Killed) -> None:
    """The app starts again after its process was gone; a ghost of an earlier process changes nothing."""
    if killed.args == (GHOST,):
        return
    world.env(device).generation += 1
    for store in (device.journal, device.data):
        if store.in_transaction:
            store.execute("ROLLBACK")
    device.start()
    close_interrupted(device)


async def _edit_often(world: World, device: Device) -> None:
    rng = Random(f"{world.seed}/{device.device_id}/edits")
    for _ in range(14):
        await Sleep(rng.uniform(10, 2200))
        _edit(world, device, rng)


async def _edit_meanwhile(world: World, device: Device, rng: Random) -> None:
    """People go on working while their device syncs."""
    await Sleep(0.0)
    _edit(world, device, rng)


def _edit(world: World, device: Device, rng: Random) -> None:
    """One press of Save; the account hears of it only if the device took it."""
    edits = mischief.draw_edits(device, rng, poison=world.env(device).strikes("poison"))
    if not edits:
        return
    before = world.account.shown(device, edits)
    try:
        key = save(device, edits)
    except Killed as killed:
        restart(world, device, killed)
    except DeviceError:
        return
    else:
        world.account.saved(device, key, edits, before)


def _heal(world: World) -> None:
    for device in world.devices:
        world.env(device).heal()
        device.foreground = True
    mischief.mend(world)
    for _ in range(ROUNDS):
        for device in world.devices:
            world.kernel.spawn(_settle(world, device), 1.0)
        world.kernel.drain()
        if all(_settled(device) for device in world.devices):
            break
    else:
        for device in world.devices:
            if not _settled(device):
                world.account.violate("I12", f"{device.device_id} does not settle: {_why_not(device)}")
    # One more each, so that what the other has just sent is seen by everybody.
    for device in world.devices:
        world.kernel.spawn(_settle(world, device), 1.0)
    world.kernel.drain()


async def _settle(world: World, device: Device) -> None:
    before = world.account.look(device)
    if device.session is None:
        await syncs.sign_in(device)
    done = await syncs.incremental(device)
    device.put("settled", done)
    world.account.compare(world.vault, device, before, done)


def _settled(device: Device) -> bool:
    return bool(device.get("settled")) and _why_not(device) == "the last sync failed"


def _why_not(device: Device) -> str:
    failed = {entry.key for entry in errors_tab.entries(device)}
    rows = device.journal.execute("SELECT key FROM outbox WHERE acked_seq IS NULL").fetchall()
    left = {row[0] for row in rows} - failed
    if left and not failed:
        return f"{len(left)} unsent transactions without an error"
    if device.get("refresh_wanted") and not failed:
        return "a wanted database refresh has not run"
    return "the last sync failed"


def _build(seed: int, plan: FaultPlan) -> World:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.deserialize(template())
    kernel = Kernel(START)
    vault = Vault(db, epoch=f"e{seed}")
    account = Account(seed)
    vault.witness = account.witness
    world = World(
        seed=seed,
        plan=plan,
        kernel=kernel,
        vault=vault,
        account=account,
        rng=Random(f"{seed}/world"),
    )
    account.watch(vault)
    for n, platform in enumerate(("iPad", "Windows")):
        device_id = f"d{n}"
        env = StormEnv(device_id, kernel, world.deliver, plan, seed, world.fired)
        device = Device(
            device_id=device_id, user_id=f"u{n}", password="secret", platform=platform,  # noqa: S106
            version="253.0.1", env=env,
        )  # fmt: skip
        env.device = device
        world.devices.append(device)
    return world


@cache
def template() -> bytes:
    """A Vault with two users, two territories and a few records, as an image that each world starts from."""
    vault = Vault(sqlite3.connect(":memory:"))
    with vault.transaction():
        vault.configure("permission_set", "rep__c", permission_set("rep__c"))
        for n, territories in enumerate((["T1", "T2"], ["T2", "T3"])):
            vault.configure("user", f"u{n}", _user(n, territories))
        clause = "WHERE specialty__v CONTAINS ('cardiology__v', 'oncology__v')"
        vault.configure("vmoc", "account__v", vmoc("account__v", where=clause))
        for n in range(3):
            doc = {"name__v": f"Product {n}", "status__v": "active__v"}
            records.insert(vault, "product__v", doc, at=START, by="System")
        for n in range(9):
            _an_account(vault, n)
        vault.publish()
    image = vault.db.serialize()
    vault.db.close()
    return image


def _an_account(vault: Vault, n: int) -> None:
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


def _user(n: int, territories: list[str]) -> dict[str, object]:
    return {
        "id": f"u{n}", "name": f"User {n}", "email": "", "active": True, "locked": False,
        "password": "secret", "password_expired": False, "permission_set": "rep__c",
        "security_profile": "rep__c", "application_profile": "rep__c", "territories": territories,
        "country": "US", "time_zone": "America/New_York", "language": "en",
    }  # fmt: skip


def _trace(world: World) -> str:
    digest = hashlib.sha256()
    for device in world.devices:
        for row, about in world.env(device).rows:
            digest.update(f"{row!r}{about}".encode())
    for row in world.vault.db.execute("SELECT id, revision, doc FROM record ORDER BY id"):
        digest.update(as_text(row).encode())
    return digest.hexdigest()


__all__ = ["CALM", "Run", "World", "simulate"]
