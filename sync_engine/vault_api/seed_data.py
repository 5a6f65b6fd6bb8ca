"""Seed data for a served Vault: simulate a fleet from a seed and keep its Vault in a file.

The played days lie in the past. The served Vault's clock is set so that it is now at their end; otherwise every
trail that only reaches 30 days back would be empty.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from sync_engine.simulator.fleet.run import open_fleet
from sync_engine.simulator.fleet.scenario import Scenario
from sync_engine.vault.state import Vault

DAY = 86400.0
CACHE_KIBIBYTES = 64_000
LOG_PAGES = 4_000
"""The log may grow to 16 MB before it is worked into the file: fewer waits for the disk."""


def open_vault(path: Path | str) -> Vault:
    """Open the Vault in a file, made new where there is none; one process at a time."""
    db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
    db.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
    return Vault(db)


def create_seeded_vault(
    path: Path | str,
    scenario: Scenario,
    *,
    seed: int,
    devices: int,
    days: int,
    on_day: Callable[[int], None] | None = None,
) -> float:
    """Simulate a fleet and keep its Vault at `path`. Returns the end of its last day in seconds since 1970.

    Raises FileExistsError when the file is there already.
    """
    if Path(path).exists():
        raise FileExistsError(17, "already exists; choose a new path for a seeded Vault", str(path))
    with open_fleet(scenario=scenario, seed=seed, device_count=devices, days=days) as fleet:
        for day in range(days):
            fleet.run_day(day)
            if on_day is not None:
                on_day(day + 1)
        with sqlite3.connect(path) as kept:
            fleet.vault.db.backup(kept)
        kept.close()
    return fleet.start + days * DAY


def set_clock_offset(vault: Vault, offset: float) -> None:
    """Keep how many seconds the Vault's clock is ahead of the machine's; negative when it is behind."""
    with vault.transaction():
        vault.configure("served", "clock", {"offset": offset})


def get_clock_offset(vault: Vault) -> float:
    """Seconds that the Vault's clock is ahead of the machine's."""
    return float(vault.live.get("served", {}).get("clock", {}).get("offset", 0.0))
