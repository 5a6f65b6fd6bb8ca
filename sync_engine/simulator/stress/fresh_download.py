"""Download everything on a new device, to compare it with an existing device."""

from __future__ import annotations

from collections import Counter

from sync_engine.device import syncs
from sync_engine.device.client import Device
from sync_engine.simulator.scheduler import Scheduler
from sync_engine.simulator.stress.faults import CALM
from sync_engine.simulator.stress.storm_env import StormEnv
from sync_engine.vault.server import Vault, handle_request


def download_on_fresh_device(vault: Vault, device: Device, kind: str) -> list[tuple[str, int, str]]:
    """Return the records of a new device of the same user, as (id, revision, fields)."""
    scheduler = Scheduler(device.env.now())

    def deliver(request: bytes, crash: bool) -> bytes:
        return handle_request(request, vault, scheduler.now)

    env = StormEnv(f"{device.device_id}/{kind}", scheduler, deliver, CALM, 0, Counter())
    new_device = Device(
        device_id=env.device_id, user_id=device.user_id, password=device.password, platform=device.platform,
        version=device.version, env=env,
    )  # fmt: skip
    scheduler.spawn(_download(new_device, kind))
    scheduler.run_until(scheduler.now + 10_000)
    rows = new_device.data.execute("SELECT id, revision, doc FROM record ORDER BY id").fetchall()
    env.close()
    return rows


async def _download(device: Device, kind: str) -> None:
    await syncs.sign_in(device)
    await {"incremental": syncs.incremental, "database_refresh": syncs.database_refresh}[kind](device)
