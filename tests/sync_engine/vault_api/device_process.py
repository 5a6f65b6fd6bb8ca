"""One run of a device's process: `device_process.py FOLDER ADDRESS USER PASSWORD KIND [KILL_AT]`. Tests kill it."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from sync_engine.device import syncs
from sync_engine.device.client import Device
from sync_engine.device.http_env import HttpEnv
from sync_engine.device.sync_run import close_interrupted_syncs

KINDS = {
    "incremental": syncs.incremental,
    "autosync": syncs.autosync,
    "database_refresh": syncs.database_refresh,
    "non_blocking": syncs.non_blocking,
}


async def _do_not_wait(seconds: float) -> None:
    """Skip the pause before a retry."""


def open_device(
    folder: Path, address: str, user: str, password: str = "", kill_at: str | None = None
) -> Device:
    """The device in a folder, as its app opens it when it starts."""
    env = HttpEnv(
        folder, address, clock=lambda: datetime.now(UTC).timestamp(), kill_at=kill_at, sleep=_do_not_wait
    )
    device = Device(
        device_id=f"ipad-{folder.name}",
        user_id=user,
        password=password,
        platform="iPad",
        version="253.0.100",
        env=env,
    )
    close_interrupted_syncs(device)
    return device


async def run(device: Device, kind: str) -> bool:
    """Sign in if need be, then sync."""
    if device.session is None and not await syncs.sign_in(device):
        return False
    return await KINDS[kind](device)


if __name__ == "__main__":
    folder, address, user, password, kind, *rest = sys.argv[1:]
    device = open_device(Path(folder), address, user, password, rest[0] if rest else None)
    sys.exit(0 if asyncio.run(run(device, kind)) else 1)
