"""The environment of one device in a small world, with faults from a plan."""

# Simulated dice must replay from a seed, which is what `random` is for.
# ruff: noqa: S311

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from sync_engine.device.client import Device
from sync_engine.protocol import DeviceError, ProcessKilled, TransportError, decode
from sync_engine.simulator.scheduler import Scheduler, Sleep
from sync_engine.simulator.stress.faults import CALM, FaultPlan
from sync_engine.telemetry import Telemetry

Deliver = Callable[[bytes, bool], bytes]
"""A function that sends a request to the Vault. True requests a crash in the middle of its transaction."""

WRITE_POINTS = (
    "edit.save", "download.page", "apply.middle", "apply.commit", "refresh.downloaded", "refresh.swap",
    "media.piece", "media.file",
)  # fmt: skip


STALE_PROCESS = "ghost"


@dataclass(slots=True)
class SyncAttempt:
    """The counts of one tracked sync, from its requests and replies."""

    accepted: int = 0
    refused: int = 0
    retries: int = 0
    last_exchange_failed: bool = False

    def record_reply(self, request: bytes, reply: bytes) -> None:
        """Count the results of a delivered reply."""
        self.last_exchange_failed = False
        if b'"verb":"upload"' not in request:
            return
        try:
            results = decode(reply).get("results", [])
            sizes = {
                transaction["key"]: len(transaction["rows"])
                for transaction in decode(request)["transactions"]
            }
        except ValueError:
            return
        for result in results:
            if result["responseStatus"] == "SUCCESS":
                self.accepted += sizes[result["key"]]
            else:
                self.refused += sizes[result["key"]]


def _no_fault(_: str) -> None:
    """Raise no error at any fault point."""


class StormEnv:
    """`Env` with faults from a plan. `fault_counts` counts the injected faults by name.

    `inject_fault` is called with the name of each fault point, and with `exchange` before each request. It may raise
    the error to inject there.
    """

    def __init__(  # noqa: PLR0917
        self,
        device_id: str,
        scheduler: Scheduler,
        deliver: Deliver,
        plan: FaultPlan,
        seed: int,
        fault_counts: Counter[str],
    ) -> None:
        self.device_id = device_id
        self.scheduler = scheduler
        self.deliver = deliver
        self.plan = plan
        self.fault_counts = fault_counts
        self.skew = 0.0
        self.cut_off_until = 0.0
        self.rows: list[tuple[Telemetry, str | None]] = []
        self.replies: list[tuple[bytes, bytes]] = []
        self.attempts: dict[str, SyncAttempt] = {}
        self.device: Device | None = None
        self.inject_fault: Callable[[str], None] = _no_fault
        self.generation = 0
        self._current_attempt: SyncAttempt | None = None
        self._seed = seed
        self._streams: dict[str, Random] = {}
        self._stores: dict[str, sqlite3.Connection] = {}

    def now(self) -> float:
        return self.scheduler.now + self.skew

    async def sleep(self, seconds: float) -> None:
        await self._wait(seconds)

    async def _wait(self, seconds: float) -> None:
        """Sleep. Raises ProcessKilled if the process was killed meanwhile: this task must not continue."""
        generation = self.generation
        await Sleep(seconds)
        if self.generation != generation:
            raise ProcessKilled(STALE_PROCESS)

    def is_online(self) -> bool:
        return True

    def network_type(self) -> str:
        return "wifi"

    def random_stream(self, stream: str) -> Random:
        if stream not in self._streams:
            self._streams[stream] = Random(f"{self._seed}/{self.device_id}/{stream}")
        return self._streams[stream]

    def open_store(self, name: str, content: memoryview | None = None) -> sqlite3.Connection:
        if name == "fresh" or name not in self._stores:
            self._stores[name] = sqlite3.connect(":memory:", isolation_level=None)
        if content is not None:
            self._stores[name].deserialize(content)
        return self._stores[name]

    def replace_store(self, name: str, store: sqlite3.Connection) -> None:
        previous, self._stores[name] = self._stores.get(name), store
        self._stores.pop("fresh", None)
        if previous is not None:
            previous.close()

    def restore_store(self, name: str, content: bytes) -> None:
        """Replace a store by an earlier copy. Open connections to it must be opened again."""
        self._stores[name].close()
        self._stores[name] = sqlite3.connect(":memory:", isolation_level=None)
        self._stores[name].deserialize(content)

    def close(self) -> None:
        """Close every store."""
        for store in self._stores.values():
            store.close()

    def stop_faults(self) -> None:
        """Stop all faults."""
        self.plan = CALM
        self.inject_fault = _no_fault
        self.skew = 0.0
        self.cut_off_until = 0.0

    def emit(self, row: Telemetry, subject: str | None = None) -> None:
        self.rows.append((row, subject))

    def fault_occurs(self, name: str) -> bool:
        """Draw whether the fault happens now, and count it if so."""
        rate = getattr(self.plan, name)
        if not rate or self.random_stream("faults").random() >= rate:
            return False
        self.fault_counts[name] += 1
        return True

    def fault_point(self, name: str) -> None:
        self._track_attempt(name)
        if self.fault_occurs("kill"):
            raise ProcessKilled(name)
        if name in WRITE_POINTS and self.fault_occurs("disk_full"):
            raise DeviceError("SQLITE_FULL", "database or disk is full (13)")
        self.inject_fault(name)

    def _track_attempt(self, name: str) -> None:
        """Set the current tracked sync from the fault points, independently of the engine."""
        if name.startswith("autosync."):
            self._current_attempt = None
        elif name.endswith(".connect") and self.device is not None:
            row = self.device.journal.execute("SELECT mobile_id FROM tracking WHERE open").fetchone()
            self._current_attempt = self.attempts.setdefault(row[0], SyncAttempt()) if row else None

    async def send(self, request: bytes) -> bytes:
        attempt = (
            None if b'"verb":"track"' in request or b'"verb":"sign_in"' in request else self._current_attempt
        )
        if attempt is not None and attempt.last_exchange_failed:
            attempt.retries += 1
        try:
            reply = await self._exchange(request)
        except TransportError as error:
            if attempt is not None:
                attempt.last_exchange_failed = True
            raise error
        if attempt is not None:
            attempt.record_reply(request, reply)
        return reply

    async def _exchange(self, request: bytes) -> bytes:
        rng = self.random_stream("delays")
        await self._wait(
            rng.uniform(0.1, 1.0) + (rng.uniform(60, 600) if self.fault_occurs("delay") else 0.0)
        )
        self._fail_before_delivery()
        if self.fault_occurs("late_duplicate"):
            self.scheduler.spawn(self._deliver_again(request), rng.uniform(30, 3000))
        if self.fault_occurs("duplicate"):
            self.deliver(request, False)
        if self.fault_occurs("server_crash"):
            self.deliver(request, True)
            raise TransportError("HTTP_503", "Service Unavailable", http_status=503)
        reply = self.deliver(request, False)
        await self._wait(rng.uniform(0.1, 1.0))
        if self.fault_occurs("reply_loss") or self.scheduler.now < self.cut_off_until:
            raise TransportError("NSURLErrorDomain -1005", "The network connection was lost.")
        if self.fault_occurs("truncated"):
            return reply[: len(reply) // 2]
        self.replies.append((request, reply))
        return reply

    def _fail_before_delivery(self) -> None:
        if self.scheduler.now < self.cut_off_until or self.fault_occurs("request_loss"):
            raise TransportError("NSURLErrorDomain -1001", "The request timed out.")
        if self.fault_occurs("throttle"):
            raise TransportError("HTTP_429", "Too Many Requests", http_status=429)
        if self.fault_occurs("outage"):
            raise TransportError("HTTP_503", "Service Unavailable", http_status=503)
        if self.fault_occurs("portal"):
            raise TransportError("INVALID_RESPONSE", "<html>Welcome to our guests</html>", http_status=200)
        self.inject_fault("exchange")

    async def _deliver_again(self, request: bytes) -> None:
        await Sleep(0.0)
        self.deliver(request, False)
