"""The environment of one simulated device, and the ground truth of its errors.

The ground truth has the cause of every error: the environment records the faults that it injects, and `on_refusal`
of the Vault the cause of each refusal. A device never receives either.
"""

# Simulated dice must replay from a seed, which is what `random` is for.
# ruff: noqa: S311

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from random import Random

from sync_engine.protocol import DeviceError, TransportError
from sync_engine.simulator.fleet.error_texts import draw_error_text
from sync_engine.simulator.scheduler import Scheduler, Sleep
from sync_engine.telemetry import SyncError, Telemetry, Truth
from sync_engine.vault.server import Vault, handle_request

REQUEST_CAUSES = frozenset(
    {
        "network",
        "tls-certificate",
        "server-unavailable",
        "rate-limit",
        "app-suspended",
        "payload-too-large",
        "device-clock",
        "sync-configuration",
    }
)
STORE_POINTS = ("upload.send", "download.page", "apply.middle", "refresh.downloaded")
EVERYDAY_USE = "everyday use"
"""`injected_by` of errors without an injected fault, such as concurrent edits or a lost network."""


@dataclass(slots=True, kw_only=True)
class ActiveFault:
    """An active fault of a device: its cause, the name of the scenario's fault, and its rate from 0 to 1."""

    cause: str
    name: str
    rate: float
    change_id: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of an error: its true cause and what injected it."""

    cause: str
    injected_by: str
    change_id: str | None = None


@dataclass(slots=True)
class GroundTruth:
    """The true origins of all errors, and the rows reported so far."""

    vault: Vault
    rows: list[Telemetry] = field(default_factory=list)
    injected: dict[str, Origin] = field(default_factory=dict)
    refusals: dict[tuple[str, str], Origin] = field(default_factory=dict)
    last_origin: dict[str, Origin] = field(default_factory=dict)
    reported_ids: set[str] = field(default_factory=set)

    def record_refusal(self, device: str, key: str | None, cause: str, source: str | None) -> None:
        """Record the origin of a refusal by the Vault."""
        origin = self.find_origin(cause, source)
        if key is None:
            self.last_origin[device] = origin
        else:
            self.refusals[(device, key)] = origin

    def find_origin(self, cause: str, source: str | None) -> Origin:
        """Return the origin of a refusal: the fault that changed `source`, or everyday use."""
        origin = self.injected.get(source or "") or self.injected.get(f"{cause}|{source}")
        return Origin(cause, origin.injected_by, origin.change_id) if origin else Origin(cause, EVERYDAY_USE)


class SimulatedEnv:
    """`Env` of one device in simulated time. All devices share the scheduler and the ground truth."""

    def __init__(
        self,
        *,
        device_id: str,
        platform: str,
        scheduler: Scheduler,
        ground_truth: GroundTruth,
        seed: int,
        background_rate: float,
    ) -> None:
        self.device_id = device_id
        self.platform = platform
        self.scheduler = scheduler
        self.ground_truth = ground_truth
        self.background_rate = background_rate
        self.skew = 0.0
        self.network_kind = "wifi"
        self.active_faults: list[ActiveFault] = []
        self._seed = seed
        self._streams: dict[str, Random] = {}
        self._stores: dict[str, sqlite3.Connection] = {}

    def now(self) -> float:
        return self.scheduler.now + self.skew

    def sleep(self, seconds: float) -> Sleep:
        return Sleep(seconds)

    def is_online(self) -> bool:
        return self.network_kind != "none"

    def network_type(self) -> str:
        return self.network_kind

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
        self._stores[name] = store

    def close(self) -> None:
        """Close every store."""
        for store in self._stores.values():
            store.close()

    async def send(self, request: bytes) -> bytes:
        rng = self.random_stream("network")
        slow = {"wifi": 2.0, "cellular": 4.5, "vpn": 5.5}.get(self.network_kind, 5.0)
        await Sleep(slow * rng.lognormvariate(0.0, 0.6))
        self._fail_request(rng)
        reply = handle_request(request, self.ground_truth.vault, self.scheduler.now)
        await Sleep(slow * rng.lognormvariate(0.0, 0.6) + len(reply) * slow / 100_000)
        if rng.random() < self.background_rate / 2:
            self._raise_transport_error("network", EVERYDAY_USE, rng)
        return reply

    def _fail_request(self, rng: Random) -> None:
        if self.network_kind == "none":
            self._raise_transport_error("network", EVERYDAY_USE, rng)
        for fault in self.active_faults:
            if fault.cause in REQUEST_CAUSES and rng.random() < fault.rate:
                self._raise_transport_error(fault.cause, fault.name, rng, fault.change_id)
        if rng.random() < self.background_rate:
            self._raise_transport_error("network", EVERYDAY_USE, rng)

    def _raise_transport_error(
        self, cause: str, fault: str, rng: Random, change_id: str | None = None
    ) -> None:
        self.ground_truth.last_origin[self.device_id] = Origin(cause, fault, change_id)
        text = draw_error_text(cause, self.platform, rng)
        raise TransportError(
            text.error_type,
            text.message,
            http_status=text.http_status,
            transient=cause in ("network", "server-unavailable", "rate-limit"),
        )

    def fault_point(self, name: str) -> None:
        if name not in STORE_POINTS:
            return
        rng = self.random_stream("store")
        for fault in self.active_faults:
            if fault.cause not in REQUEST_CAUSES and rng.random() < fault.rate:
                self.ground_truth.last_origin[self.device_id] = Origin(
                    fault.cause, fault.name, fault.change_id
                )
                text = draw_error_text(fault.cause, self.platform, rng)
                raise DeviceError(text.error_type, text.message)

    def emit(self, row: Telemetry, subject: str | None = None) -> None:
        if isinstance(row, SyncError):
            if row.event_id in self.ground_truth.reported_ids:
                return
            self.ground_truth.reported_ids.add(row.event_id)
            self.ground_truth.rows.append(row)
            origin = self._find_origin(row, subject)
            self.ground_truth.rows.append(
                Truth(
                    event_id=row.event_id,
                    cause=origin.cause,
                    injected_by=origin.injected_by,
                    change_id=origin.change_id,
                )
            )
        else:
            self.ground_truth.rows.append(row)

    def _find_origin(self, row: SyncError, subject: str | None) -> Origin:
        if subject is None:
            return self.ground_truth.last_origin.get(self.device_id, Origin("unknown", EVERYDAY_USE))
        origin = self.ground_truth.refusals.get((self.device_id, subject))
        if origin is None:
            cause, _, source = subject.partition("|")
            return self.ground_truth.find_origin(cause, source)
        if origin.cause == "date-limit" and abs(self.skew) > 86_400:
            return self.ground_truth.find_origin("device-clock", f"clock/{self.device_id}")
        return origin
