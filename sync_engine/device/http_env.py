"""The environment of a real device: local files, the system clock, and a Vault over HTTP.

A device uses one folder: `journal.sqlite` has data that only this device has, and `data.sqlite` the records that
Vault sent. One JSON-lines file per kind of row has the reports of the device. One process at a time may use it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from random import Random, SystemRandom

from sync_engine.device.http_connection import VaultConnection
from sync_engine.protocol import DeviceError
from sync_engine.telemetry import SyncDetail, SyncError, Telemetry

REPORT_FILES: dict[type, str] = {SyncError: "sync_error", SyncDetail: "sync_detail"}
TIMEOUT_SECONDS = 60.0
CACHE_KIBIBYTES = 8_000
CLOCK_RESOLUTION_SECONDS = 2.0
"""Differences between two clocks below this are not measurable from replies with whole seconds."""
PERSISTENT_STORES = ("journal", "data", "media")
"""Stores that are kept in a file; any other store is created new each time."""


class HttpEnv:
    """`Env` for a device that runs on this machine.

    `kill_at` names a fault point at which the process kills itself, to test recovery by hand.
    """

    def __init__(
        self,
        folder: Path,
        address: str,
        *,
        clock: Callable[[], float],
        kill_at: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.folder = folder
        self.address = address.rstrip("/")
        self.kill_at = kill_at
        self.last_error: SyncError | None = None
        self._clock = clock
        self._random = SystemRandom()
        self._connection = VaultConnection(address, timeout)
        self._sleep = sleep
        self._stores: dict[str, sqlite3.Connection] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def now(self) -> float:
        return self._clock()

    @property
    def vault_clock_offset(self) -> float:
        """Return how far the Vault's clock is ahead of this device's clock, in seconds.

        The offset is zero before the first reply, and if it is below two seconds: replies have whole seconds.
        """
        vault_time = self._connection.vault_time
        offset = 0.0 if vault_time is None else vault_time - self._clock()
        return offset if abs(offset) > CLOCK_RESOLUTION_SECONDS else 0.0

    async def sleep(self, seconds: float) -> None:
        await self._sleep(seconds)

    def is_online(self) -> bool:
        return True

    def network_type(self) -> str:
        return "wifi"

    def random_stream(self, stream: str) -> Random:
        """Return randomness for ids and keys, which must differ between devices."""
        return self._random

    async def send(self, request: bytes) -> bytes:
        self.fault_point("call.send")
        reply = await self._connection.post(request)
        self.fault_point("call.answered")
        return reply

    def open_store(self, name: str, content: memoryview | None = None) -> sqlite3.Connection:
        if name not in PERSISTENT_STORES:
            return self._new_store(name, content)
        if name not in self._stores:
            self._stores[name] = _open_database(self.folder / f"{name}.sqlite")
        return self._stores[name]

    def _new_store(self, name: str, content: memoryview | None) -> sqlite3.Connection:
        """Create a temporary store; `replace_store` assigns its final name."""
        path = self.folder / f"{name}.new"
        path.write_bytes(content or b"")
        store = sqlite3.connect(path, isolation_level=None)
        store.execute("PRAGMA locking_mode = EXCLUSIVE")
        store.execute("PRAGMA journal_mode = MEMORY")
        store.execute("PRAGMA synchronous = OFF")
        return store

    def replace_store(self, name: str, store: sqlite3.Connection) -> None:
        """Replace a store's file with the new one. A crash in between leaves the complete old one.

        The old store is closed first, which empties its log; a leftover log would damage the new database.
        """
        new_path = Path(store.execute("PRAGMA database_list").fetchone()[2])
        store.close()
        with new_path.open("rb+") as file:
            os.fsync(file.fileno())
        self._stores.pop(name).close()
        self.fault_point("store.swap")
        new_path.replace(self.folder / f"{name}.sqlite")

    def fault_point(self, name: str) -> None:
        if name == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def emit(self, row: Telemetry, subject: str | None = None) -> None:
        if isinstance(row, SyncError):
            self.last_error = row
        name = REPORT_FILES.get(type(row))
        if name is None:
            return
        with (self.folder / f"{name}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(row), ensure_ascii=False, default=_json_default) + "\n")

    def close(self) -> None:
        """Close every store, and the connection."""
        self._connection.close()
        for store in self._stores.values():
            store.close()
        self._stores.clear()


def _open_database(path: Path) -> sqlite3.Connection:
    try:
        store = sqlite3.connect(path, isolation_level=None, timeout=1.0)
        store.execute("PRAGMA locking_mode = EXCLUSIVE")
        store.execute("PRAGMA journal_mode = WAL")
        store.execute("PRAGMA synchronous = NORMAL")  # `durable_transaction` sets FULL
        store.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
        store.execute("BEGIN IMMEDIATE")  # lock now, not at the first edit
        store.execute("COMMIT")
    except sqlite3.OperationalError as error:
        message = f"{path} is in use by another process or not writable: {error}"
        raise DeviceError("SQLITE_BUSY", message) from error
    except sqlite3.DatabaseError as error:
        raise DeviceError("SQLITE_NOTADB", f"{path} is not a device database: {error}") from error
    return store


def _json_default(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
