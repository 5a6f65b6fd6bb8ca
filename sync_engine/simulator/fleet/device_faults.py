"""Faults of devices: app builds, networks, storage, clocks, silent devices."""

# Simulated dice must replay from a seed, which is what `random` is for.

from __future__ import annotations

from collections.abc import Callable
from random import Random

from sync_engine.simulator.fleet.environment import ActiveFault
from sync_engine.simulator.fleet.fleet import Fleet
from sync_engine.simulator.fleet.rep import DAY, Rep
from sync_engine.simulator.fleet.scenario import Fault
from sync_engine.simulator.scheduler import Sleep
from sync_engine.vault import admin

Revert = Callable[[], object]
"""A function that reverts a fault at the time of the call."""


def roll_out_version(fleet: Fleet, fault: Fault, rng: Random) -> Revert:
    """Update devices to another version; `bug` names a defect of that build."""
    version, bug = fault.options["version"], fault.options.get("bug")
    with fleet.vault.transaction():
        change_id = admin.write_audit_entry(
            fleet.vault, "app_version", version, at=fleet.scheduler.now, by="device management", after=version,
            scope=f"platform={fault.options['platform']}" if "platform" in fault.options else None,
        )  # fmt: skip
    reps = fleet.select_reps(fault, rng)
    for rep in reps:
        fleet.scheduler.spawn(
            _update_app(fleet, rep, fault, change_id, version, bug), rng.uniform(0, 3 * DAY)
        )

    def revert() -> None:
        for rep in reps:
            rep.bug = None
            rep.env.active_faults = [
                active_fault for active_fault in rep.env.active_faults if active_fault.name != fault.name
            ]

    return revert


async def _update_app(  # noqa: PLR0917
    fleet: Fleet, rep: Rep, fault: Fault, change_id: str, version: str, bug: str | None
) -> None:
    await Sleep(0.0)
    rep.device.version = version
    rep.bug = bug
    if "cause" in fault.options:
        rep.env.active_faults.append(
            ActiveFault(cause=fault.options["cause"], name=fault.name, rate=fault.rate, change_id=change_id)
        )
    for name in BUG_KEYS.get(bug or "", ()):
        fleet.attribute(fault, name, change_id)


BUG_KEYS = {
    "malformed_reference": ("record/undefined//", "record/null//", "record/0//", "record/V70000000//"),
    "long_text": ("field/call2__v/call2__v/next_call_notes__v",),
    "quantity_out_of_range": ("field/call2_sample__v/call2_sample__v/quantity__v",),
    "big_signature": ("setting/payload_limit_bytes//",),
}


def disturb_devices(fleet: Fleet, fault: Fault, rng: Random) -> Revert:
    """Add an active fault to devices: network, storage or operating system."""
    reps = fleet.select_reps(fault, rng)
    for rep in reps:
        rep.env.active_faults.append(
            ActiveFault(cause=fault.options["cause"], name=fault.name, rate=fault.rate)
        )

    def revert() -> None:
        for rep in reps:
            rep.env.active_faults = [
                active_fault for active_fault in rep.env.active_faults if active_fault.name != fault.name
            ]

    return revert


def skew_clocks(fleet: Fleet, fault: Fault, rng: Random) -> Revert:
    """Shift device clocks by some hours."""
    reps = fleet.select_reps(fault, rng)
    for rep in reps:
        rep.env.skew = fault.options.get("hours", 80.0) * 3600
        fleet.attribute(fault, f"clock/{rep.device.device_id}", None)

    def revert() -> None:
        for rep in reps:
            rep.env.skew = 0.0

    return revert


def silence_devices(fleet: Fleet, fault: Fault, rng: Random) -> None:
    """Stop all activity of devices, as for reps on leave or lost devices."""
    length = (fault.days or fleet.days) * DAY
    for rep in fleet.select_reps(fault, rng):
        rep.silent_until = fleet.scheduler.now + length


def set_user_flag(fleet: Fleet, fault: Fault, rng: Random) -> None:
    """Set a recovery flag on some users, as an administrator does."""
    for rep in fleet.select_reps(fault, rng):
        admin.set_user(
            fleet.vault, rep.profile.user_id, at=fleet.scheduler.now, **{fault.options["flag"]: True}
        )


def delete_local_rows(fleet: Fleet, fault: Fault, rng: Random) -> None:
    """Delete records from device databases silently. Only the digest detects it."""
    for rep in fleet.select_reps(fault, rng):
        rep.device.data.execute("DELETE FROM record WHERE object = 'address__v' AND tag % 3 = 0")
        fleet.attribute(fault, f"digest/{rep.device.device_id}", None)
