"""Seed data for a served Vault, from a simulated fleet.

The simulated days are in the past. The clock of the served Vault is set to their end; otherwise all trails that
are limited to 30 days would be empty.
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
"""Pages in the write-ahead log before a checkpoint, about 16 MB. Fewer checkpoints mean fewer disk waits."""


def open_vault(path: Path | str) -> Vault:
    """Open the Vault in a file, and create it if needed. Only one process may use it."""
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
    """Simulate a fleet and save its Vault at `path`.

    Returns the end of the last simulated day in seconds since 1970. Raises FileExistsError if the file exists.
    """
    if Path(path).exists():
        raise FileExistsError(17, "already exists; choose a new path for a seeded Vault", str(path))
    with open_fleet(scenario=scenario, seed=seed, device_count=devices, days=days) as fleet:
        for day in range(days):
            fleet.run_day(day)
            if on_day is not None:
                on_day(day + 1)
        with sqlite3.connect(path) as target_db:
            fleet.vault.db.backup(target_db)
        target_db.close()
    return fleet.start + days * DAY


def set_clock_offset(vault: Vault, offset: float) -> None:
    """Store the difference between the Vault's clock and the system clock in seconds.

    The offset is negative if the Vault's clock is behind.
    """
    with vault.transaction():
        vault.configure("served", "clock", {"offset": offset})


def get_clock_offset(vault: Vault) -> float:
    """Return the difference between the Vault's clock and the system clock in seconds."""
    return float(vault.live.get("served", {}).get("clock", {}).get("offset", 0.0))
