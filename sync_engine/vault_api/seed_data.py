"""Seed data for a served Vault, from a simulated fleet.

The simulated days end on the day of the Vault's clock, at midnight UTC. Older days would leave the trails empty,
which only reach back 30 days.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sync_engine.simulator.fleet.fleet import START
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
    now: datetime | None = None,
    on_day: Callable[[int], None] | None = None,
) -> float:
    """Simulate a fleet and save its Vault at `path`.

    The last simulated day ends at the midnight UTC before `now`; without `now`, the first day is a fixed date.
    Returns the end of the last simulated day in seconds since 1970. Raises FileExistsError if the file exists.
    """
    if Path(path).exists():
        raise FileExistsError(17, "already exists; choose a new path for a seeded Vault", str(path))
    start = START if now is None else _last_midnight(now) - timedelta(days=days)
    with open_fleet(scenario=scenario, seed=seed, device_count=devices, days=days, start=start) as fleet:
        for day in range(days):
            fleet.run_day(day)
            if on_day is not None:
                on_day(day + 1)
        with sqlite3.connect(path) as target_db:
            fleet.vault.db.backup(target_db)
        target_db.close()
    return fleet.start + days * DAY


def _last_midnight(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
