"""Run a small world with faults, then stop them and check that all devices converge.

Safety: checkers observe every step independently of the engine. Liveness: without faults, every device converges
within a few syncs. The same seed produces the same world.
"""

# Simulated dice must replay from a seed, which is what `random` is for.
# ruff: noqa: S311

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from random import Random

from sync_engine.device import errors_tab, syncs
from sync_engine.device.client import Device
from sync_engine.device.edits import save
from sync_engine.json_docs import to_json
from sync_engine.protocol import DeviceError, ProcessKilled
from sync_engine.simulator.scheduler import Sleep
from sync_engine.simulator.stress import invariants, workload
from sync_engine.simulator.stress.faults import FaultPlan
from sync_engine.simulator.stress.observations import Violation
from sync_engine.simulator.stress.world import World, build_world, restart_device

SYNCS = 12
CONVERGENCE_ROUNDS = 6
"""Number of syncs within which a device must converge after the faults stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldResult:
    """The result of one world."""

    seed: int
    violations: tuple[Violation, ...]
    fault_counts: Counter[str]
    syncs: int
    trace: str


def simulate_world(*, seed: int, plan: FaultPlan | None = None) -> WorldResult:
    """Simulate the world of one seed. The default plan is drawn from the seed."""
    fault_plan = plan if plan is not None else FaultPlan.of_seed(seed)
    world = build_world(seed, fault_plan)
    try:
        _run_storm(world)
        _heal_and_converge(world)
        world.observations.violations += invariants.check_at_rest(
            world.vault, world.devices, world.observations
        )
        return WorldResult(
            seed=seed,
            violations=tuple(world.observations.violations),
            fault_counts=world.fault_counts,
            syncs=sum(world.observations.syncs.values()),
            trace=_compute_trace(world),
        )
    finally:
        world.scheduler.close()
        for device in world.devices:
            world.env(device).close()
        world.vault.db.close()


def _run_storm(world: World) -> None:
    for device in world.devices:
        world.scheduler.spawn(_sync_often(world, device), world.rng.uniform(1, 100))
        world.scheduler.spawn(_edit_often(world, device), world.rng.uniform(1, 100))
    world.scheduler.spawn(workload.run_workload(world), 50.0)
    world.scheduler.run_all()


async def _sync_often(world: World, device: Device) -> None:
    rng = Random(f"{world.seed}/{device.device_id}/syncs")
    for _ in range(SYNCS):
        await Sleep(rng.uniform(100, 2500))
        if rng.random() < 0.3:
            world.scheduler.spawn(_edit_meanwhile(world, device, rng), rng.uniform(0.5, 6.0))
        await sync_once(world, device, rng.random())


async def sync_once(world: World, device: Device, choice: float) -> None:
    """Attempt one sync of a random type and check its effects."""
    if device.busy:
        return
    before, complete = world.observations.take_snapshot(device), False
    try:
        if device.session is None and not await syncs.sign_in(device):
            return
        if choice < 0.5:
            complete = await syncs.incremental(device)
        elif choice < 0.75:
            await syncs.autosync(device)
        elif choice < 0.9:
            await syncs.non_blocking(device)
            await Sleep(40.0)
            syncs.apply_update(device)
        else:
            complete = await syncs.database_refresh(device)
    except ProcessKilled as killed:
        restart_device(world, device, killed)
    except DeviceError:
        device.busy = False
    world.observations.check_sync(world.vault, device, before, complete)


async def _edit_often(world: World, device: Device) -> None:
    rng = Random(f"{world.seed}/{device.device_id}/edits")
    for _ in range(14):
        await Sleep(rng.uniform(10, 2200))
        _edit(world, device, rng)


async def _edit_meanwhile(world: World, device: Device, rng: Random) -> None:
    """Save an edit while the device syncs."""
    await Sleep(0.0)
    _edit(world, device, rng)


def _edit(world: World, device: Device, rng: Random) -> None:
    """Save edits once. Only an accepted save is recorded."""
    edits = workload.draw_edits(device, rng, poison=world.env(device).fault_occurs("poison"))
    if not edits:
        return
    before = world.observations.read_shown_values(device, edits)
    try:
        key = save(device, edits)
    except ProcessKilled as killed:
        restart_device(world, device, killed)
    except DeviceError:
        return
    else:
        world.observations.record_save(device, key, edits, before)


def _heal_and_converge(world: World) -> None:
    for device in world.devices:
        world.env(device).stop_faults()
        device.foreground = True
    workload.restore_access(world)
    for _ in range(CONVERGENCE_ROUNDS):
        for device in world.devices:
            world.scheduler.spawn(_sync_to_converge(world, device), 1.0)
        world.scheduler.run_all()
        if all(_has_converged(device) for device in world.devices):
            break
    else:
        for device in world.devices:
            if not _has_converged(device):
                world.observations.add_violation(
                    "I12", f"{device.device_id} does not converge: {_unconverged_reason(device)}"
                )
    # One more sync each, so that every device downloads the last edits of the other.
    for device in world.devices:
        world.scheduler.spawn(_sync_to_converge(world, device), 1.0)
    world.scheduler.run_all()


async def _sync_to_converge(world: World, device: Device) -> None:
    before = world.observations.take_snapshot(device)
    if device.session is None:
        await syncs.sign_in(device)
    complete = await syncs.incremental(device)
    device.put("settled", complete)
    world.observations.check_sync(world.vault, device, before, complete)


def _has_converged(device: Device) -> bool:
    return bool(device.get("settled")) and _unconverged_reason(device) == "the last sync failed"


def _unconverged_reason(device: Device) -> str:
    failed = {entry.key for entry in errors_tab.entries(device)}
    rows = device.journal.execute("SELECT key FROM outbox WHERE acked_seq IS NULL").fetchall()
    unsent = {row[0] for row in rows} - failed
    if unsent and not failed:
        return f"{len(unsent)} unsent transactions without an error"
    if device.get("refresh_wanted") and not failed:
        return "a wanted database refresh has not run"
    return "the last sync failed"


def _compute_trace(world: World) -> str:
    digest = hashlib.sha256()
    for device in world.devices:
        for row, subject in world.env(device).rows:
            digest.update(f"{row!r}{subject}".encode())
    for row in world.vault.db.execute("SELECT id, revision, doc FROM record ORDER BY id"):
        digest.update(to_json(row).encode())
    return digest.hexdigest()
