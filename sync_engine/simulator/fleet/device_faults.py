"""Plants around the devices: builds of the app, networks, storage, clocks, people on leave."""

# Simulated dice must replay from a seed, which is what `random` is for.

from __future__ import annotations

from collections.abc import Callable
from random import Random

from sync_engine.simulator.fleet.environment import Trouble
from sync_engine.simulator.fleet.fleet import Fleet
from sync_engine.simulator.fleet.rep import DAY, Rep
from sync_engine.simulator.fleet.scenario import Plant
from sync_engine.simulator.scheduler import Sleep
from sync_engine.vault import admin

Undo = Callable[[], object]
"""Takes a plant back, at the time when it is called."""


def roll_out(fleet: Fleet, plant: Plant, rng: Random) -> Undo:
    """Devices move to another version; `bug` is what that build gets wrong."""
    version, bug = plant.options["version"], plant.options.get("bug")
    with fleet.vault.transaction():
        change_id = admin.note(
            fleet.vault, "app_version", version, at=fleet.kernel.now, by="device management", after=version,
            scope=f"platform={plant.options['platform']}" if "platform" in plant.options else None,
        )  # fmt: skip
    reached = fleet.chosen(plant, rng)
    for rep in reached:
        fleet.kernel.spawn(_update_app(fleet, rep, plant, change_id, version, bug), rng.uniform(0, 3 * DAY))

    def take_back() -> None:
        for rep in reached:
            rep.bug = None
            rep.env.troubles = [t for t in rep.env.troubles if t.plant != plant.name]

    return take_back


async def _update_app(  # noqa: PLR0917
    fleet: Fleet, rep: Rep, plant: Plant, change_id: str, version: str, bug: str | None
) -> None:
    await Sleep(0.0)
    rep.device.version = version
    rep.bug = bug
    if "cause" in plant.options:
        rep.env.troubles.append(
            Trouble(cause=plant.options["cause"], plant=plant.name, rate=plant.rate, change_id=change_id)
        )
    for name in BUG_BLAME.get(bug or "", ()):
        fleet.blame(plant, name, change_id)


BUG_BLAME = {
    "malformed_reference": ("record/undefined//", "record/null//", "record/0//", "record/V70000000//"),
    "long_text": ("field/call2__v/call2__v/next_call_notes__v",),
    "quantity_out_of_range": ("field/call2_sample__v/call2_sample__v/quantity__v",),
    "big_signature": ("setting/payload_limit_bytes//",),
}


def trouble(fleet: Fleet, plant: Plant, rng: Random) -> Undo:
    """Something around the device: its network, its storage, its operating system."""
    reached = fleet.chosen(plant, rng)
    for rep in reached:
        rep.env.troubles.append(Trouble(cause=plant.options["cause"], plant=plant.name, rate=plant.rate))

    def heal() -> None:
        for rep in reached:
            rep.env.troubles = [one for one in rep.env.troubles if one.plant != plant.name]

    return heal


def clock(fleet: Fleet, plant: Plant, rng: Random) -> Undo:
    """Set device clocks wrong by some hours."""
    reached = fleet.chosen(plant, rng)
    for rep in reached:
        rep.env.skew = plant.options.get("hours", 80.0) * 3600
        fleet.blame(plant, f"clock/{rep.device.device_id}", None)

    def set_right() -> None:
        for rep in reached:
            rep.env.skew = 0.0

    return set_right


def go_silent(fleet: Fleet, plant: Plant, rng: Random) -> None:
    """People on leave, lost devices: nothing is heard of them any more."""
    length = (plant.days or fleet.days) * DAY
    for rep in fleet.chosen(plant, rng):
        rep.away_until = fleet.kernel.now + length


def lever(fleet: Fleet, plant: Plant, rng: Random) -> None:
    """An administrator pulls a lever on some users."""
    for rep in fleet.chosen(plant, rng):
        admin.set_user(fleet.vault, rep.person.user_id, at=fleet.kernel.now, **{plant.options["lever"]: True})


def corrupt(fleet: Fleet, plant: Plant, rng: Random) -> None:
    """Records vanish from a device's database without a trace; only the digest can tell."""
    for rep in fleet.chosen(plant, rng):
        rep.device.data.execute("DELETE FROM record WHERE object = 'address__v' AND tag % 3 = 0")
        fleet.blame(plant, f"digest/{rep.device.device_id}", None)
