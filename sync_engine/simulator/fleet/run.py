"""Simulate a fleet for some days and yield its telemetry."""

# Simulated dice must replay from a seed, which is what `random` is for.
# ruff: noqa: S311

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from random import Random

from sync_engine.device.client import Device
from sync_engine.simulator.fleet.environment import GroundTruth, SimulatedEnv
from sync_engine.simulator.fleet.fleet import START, Fleet
from sync_engine.simulator.fleet.population import RepProfile, populate_vault
from sync_engine.simulator.fleet.rep import DAY, Rep
from sync_engine.simulator.fleet.scenario import Scenario
from sync_engine.simulator.fleet.vault_faults import schedule_faults
from sync_engine.simulator.scheduler import Scheduler
from sync_engine.telemetry import DeviceInfo, SyncUser, Telemetry
from sync_engine.vault import admin, tracking
from sync_engine.vault.state import Vault


def simulate_fleet(
    *,
    scenario: Scenario,
    seed: int,
    device_count: int,
    days: int,
    start: datetime = START,
    on_day: Callable[[int, int], None] | None = None,
    on_end: Callable[[Vault], None] | None = None,
) -> Iterator[Telemetry]:
    """Simulate a fleet and yield its telemetry and the true causes of its errors.

    The same arguments produce the same rows in the same order, in any process. `on_day(done, days)` is called
    after each simulated day, `on_end(vault)` after the last day, before the Vault is closed.
    """
    with open_fleet(scenario=scenario, seed=seed, device_count=device_count, days=days, start=start) as fleet:
        for day in range(days):
            fleet.run_day(day)
            yield from _report_day(fleet, day)
            if on_day is not None:
                on_day(day + 1, days)
        if on_end is not None:
            on_end(fleet.vault)


@contextmanager
def open_fleet(
    *, scenario: Scenario, seed: int, device_count: int, days: int, start: datetime = START
) -> Iterator[Fleet]:
    """Open a fleet at the start of its first day, with its faults scheduled. Run its days with `run_day`.

    Devices and Vault are in memory and are closed at the end.
    """
    fleet = _build_fleet(scenario, seed, device_count, days, start)
    try:
        yield fleet
    finally:
        fleet.scheduler.close()
        _close_stores(fleet)


def _build_fleet(scenario: Scenario, seed: int, device_count: int, days: int, start: datetime) -> Fleet:
    begin = start.timestamp()
    scheduler = Scheduler(begin)
    vault = Vault(sqlite3.connect(":memory:"), epoch=f"{seed:x}")
    ground_truth = GroundTruth(vault)
    vault.on_refusal = ground_truth.record_refusal
    rng = Random(f"{seed}/fleet")
    profiles = populate_vault(vault, Random(f"{seed}/people"), device_count, begin - DAY, scenario.population)
    fleet = Fleet(
        scenario=scenario,
        seed=seed,
        start=begin,
        days=days,
        scheduler=scheduler,
        vault=vault,
        ground_truth=ground_truth,
        rng=rng,
    )
    for profile in profiles:
        fleet.reps.append(_build_rep(fleet, profile))
    for rep in fleet.reps:
        scheduler.spawn(rep.work_days(begin, days))
    schedule_faults(fleet)
    return fleet


def _build_rep(fleet: Fleet, profile: RepProfile) -> Rep:
    env = SimulatedEnv(
        device_id=profile.device_id,
        platform=profile.platform,
        scheduler=fleet.scheduler,
        ground_truth=fleet.ground_truth,
        seed=fleet.seed,
        background_rate=fleet.scenario.background_rate,
    )
    device = Device(
        device_id=profile.device_id,
        user_id=profile.user_id,
        password=fleet.vault.live["user"][profile.user_id]["password"],
        platform=profile.platform,
        version=profile.version,
        model=profile.model,
        os_version=profile.os_version,
        env=env,
    )
    device.put("refresh_mode", "enabled__v" if profile.refresh_mode else "disabled__v")
    stream = Random(f"{fleet.seed}/{profile.device_id}/rep")
    return Rep(profile=profile, device=device, env=env, vault=fleet.vault, rng=stream)


def _report_day(fleet: Fleet, day: int) -> Iterator[Telemetry]:
    rows, fleet.ground_truth.rows = fleet.ground_truth.rows, []
    until, since = fleet.start + (day + 1) * DAY, fleet.start + day * DAY
    yield from tracking.read_tracking_records(fleet.vault, since, until)
    yield from rows
    yield from admin.audit_trail(fleet.vault, since - 1 if day else 0.0)
    yield from _report_users_and_devices(fleet, until)


def _report_users_and_devices(fleet: Fleet, until: float) -> Iterator[Telemetry]:
    as_of = datetime.fromtimestamp(until, UTC)
    for user_id, user in sorted(fleet.vault.live["user"].items()):
        yield SyncUser(
            user_id=user_id,
            as_of=as_of,
            name=user["name"],
            email=user["email"],
            active=user["active"],
            permission_sets=user["permission_set"],
            security_profile=user["security_profile"],
            application_profile=user["application_profile"],
            territory=",".join(user["territories"]),
            country=user["country"],
            time_zone=user["time_zone"],
            language=user["language"],
        )
    for rep in fleet.reps:
        accounts = rep.device.data.execute(
            "SELECT count(*) FROM record WHERE object = 'account__v'"
        ).fetchone()
        full = any(fault.cause == "device-storage-full" for fault in rep.env.active_faults)
        yield DeviceInfo(
            device_id=rep.device.device_id,
            as_of=as_of,
            user_id=rep.device.user_id,
            platform=rep.device.platform,
            model=rep.device.model,
            os_version=rep.device.os_version,
            app_version=rep.device.version,
            storage_free_mb=3.0 if full else round(2_000 + 60_000 * Random(rep.device.device_id).random(), 1),
            accounts=int(accounts[0]),
            last_seen_at=datetime.fromtimestamp(round(rep.last_seen, 3), UTC) if rep.last_seen else None,
        )


def _close_stores(fleet: Fleet) -> None:
    for rep in fleet.reps:
        rep.env.close()
    fleet.vault.db.close()
