"""The protocol between device and Vault, and the environment that the engine runs in.

Everything that is not deterministic goes through `Env`: a simulator derives it from a seed, a real client
uses the network and the operating system. Messages are JSON objects in bytes. A binary body, such as a
database snapshot, may follow the first line feed without further encoding.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable
from random import Random
from typing import Protocol

from sync_engine.json_docs import JsonDict, from_json, to_json
from sync_engine.telemetry import Telemetry

SNAPSHOT_SEPARATOR = b"\n"


class VaultError(Exception):
    """A request that Vault refused. `type` is one of Vault's documented error types."""

    def __init__(
        self,
        type: str,
        message: str,
        *,
        cause: str = "unknown",
        blame: str | None = None,
        object: str | None = None,
        field: str | None = None,
        record_id: str | None = None,
    ) -> None:
        super().__init__(f"{type}: {message}")
        self.type = type
        self.message = message
        self.cause = cause  # the true cause; passed to `on_refusal`, never sent to a device
        self.blame = blame
        self.object = object
        self.field = field
        self.record_id = record_id

    def to_dict(self) -> JsonDict:
        """Return the error as an entry of Vault's `errors` list."""
        attributes = {"object": self.object, "field": self.field, "record_id": self.record_id}
        return {"type": self.type, "message": self.message} | {k: v for k, v in attributes.items() if v}


class TransportError(Exception):
    """A failed exchange: no route, an untrusted certificate, a timeout, or an HTTP error status."""

    def __init__(
        self, error_type: str, message: str, *, http_status: int | None = None, transient: bool = True
    ) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.http_status = http_status
        self.transient = transient


class DeviceError(Exception):
    """A device failure: no space, or a locked or damaged database."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message


class ProcessKilled(BaseException):
    """The end of a killed device process. Only simulators may catch it; uncommitted data is lost."""


class Env(Protocol):
    """The environment of one device: clock, network, randomness, stores and reporting."""

    def now(self) -> float:
        """Return the device's time in seconds since 1970, UTC. The device clock may be wrong."""

    def sleep(self, seconds: float) -> Awaitable[None]:
        """Wait for a number of seconds."""

    def send(self, request: bytes) -> Awaitable[bytes]:
        """Send one request to the Vault. Raises TransportError."""

    def random_stream(self, stream: str) -> Random:
        """Return a separate random stream for each purpose."""

    def open_store(self, name: str, content: memoryview | None = None) -> sqlite3.Connection:
        """Open a persistent store: `journal`, `data` or `media`.

        An unknown name opens a new, empty store. With `content`, the bytes of a database, the store is new and
        contains that database.
        """

    def replace_store(self, name: str, store: sqlite3.Connection) -> None:
        """Replace the store `name` with the newly created `store`, atomically.

        The former store is deleted. The caller must open `name` again, because a real device closes both stores
        and renames the file.
        """

    def is_online(self) -> bool:
        """Return whether the operating system reports a network."""

    def network_type(self) -> str:
        """Return the network type: wifi, cellular, vpn or none."""

    def fault_point(self, name: str) -> None:
        """Mark a point where a fault can occur. May raise ProcessKilled or DeviceError."""

    def emit(self, row: Telemetry, subject: str | None = None) -> None:
        """Report one row. `subject` is the key of the related upload, if any."""


def encode(message: JsonDict, body: bytes | None = None) -> bytes:
    """Encode a message and an optional binary body as bytes."""
    head = to_json(message).encode()
    return head if body is None else head + SNAPSHOT_SEPARATOR + body


def decode(raw: bytes) -> JsonDict:
    """Decode the message in `raw`, without its binary body. Raises ValueError if it is invalid."""
    end = raw.find(SNAPSHOT_SEPARATOR)
    message = from_json((raw if end < 0 else raw[:end]).decode())
    if not isinstance(message, dict):
        raise ValueError("a message is a JSON object")
    return message


def binary_body(raw: bytes) -> memoryview:
    """Return the binary body that follows the message, without copying it."""
    end = raw.find(SNAPSHOT_SEPARATOR)
    return memoryview(raw)[len(raw) if end < 0 else end + 1 :]
