"""A persistent HTTP connection to the Vault.

The standard library's client runs in a thread. For large replies this is faster than an asynchronous client and
needs half the memory. A device sends one request at a time.
"""

from __future__ import annotations

import asyncio
import http.client
import select
import socket
from contextlib import suppress
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from sync_engine.protocol import TransportError

TRANSIENT = (429, 502, 503, 504)
"""HTTP statuses after which a retry may succeed."""

CONNECTION_TYPES: dict[str, type[http.client.HTTPConnection]] = {
    "http": http.client.HTTPConnection,
    "https": http.client.HTTPSConnection,
}


class VaultConnection:
    """A connection that posts messages to one address. `timeout` is in seconds per network operation."""

    def __init__(self, address: str, timeout: float) -> None:
        self.address = address.rstrip("/")
        self._timeout = timeout
        self._http: http.client.HTTPConnection | None = None
        self.vault_time: float | None = None
        """The Vault's time in the last reply, in seconds since 1970; None before the first reply."""

    async def post(self, request: bytes) -> bytes:
        """Send one message and return the reply. Raises TransportError."""
        try:
            status, reply = await asyncio.to_thread(self._post, request)
        except asyncio.CancelledError:
            self.abort()
            raise
        if status != HTTPStatus.OK:
            message = f"{self.address} answered HTTP {status} {_phrase(status)}"
            raise TransportError(f"HTTP_{status}", message, http_status=status, transient=status in TRANSIENT)
        return reply

    def _post(self, request: bytes) -> tuple[int, bytes]:
        self._drop_closed()
        if self._http is None:
            self._http = self._connect()
        try:
            self._http.request("POST", f"{urlsplit(self.address).path}/device", body=request)
            response = self._http.getresponse()
            self.vault_time = _read_date(response.headers.get("Date"))
            return response.status, response.read()
        except TimeoutError as error:
            self.close()
            raise TransportError("TIMEOUT", "The request timed out.") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            message = f"The connection to {self.address} failed: {error or type(error).__name__}"
            raise TransportError("NETWORK_ERROR", message) from error

    def _connect(self) -> http.client.HTTPConnection:
        try:
            parts = urlsplit(self.address)
            if parts.scheme not in CONNECTION_TYPES or not parts.hostname:
                raise ValueError("neither http nor https, or no host")
            return CONNECTION_TYPES[parts.scheme](parts.hostname, parts.port, timeout=self._timeout)
        except (ValueError, http.client.InvalidURL) as error:
            message = f"{self.address!r} is not a valid Vault address; use http://HOST:PORT"
            raise TransportError("NETWORK_ERROR", message, transient=False) from error

    def _drop_closed(self) -> None:
        """Close the connection if the server has closed it since the last request."""
        sock = self._http.sock if self._http else None
        if sock is not None and select.select([sock], [], [], 0)[0]:
            self.close()

    def abort(self) -> None:
        """Make a running request in another thread fail immediately."""
        sock = self._http.sock if self._http else None
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self._http is not None:
            self._http.close()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _read_date(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except ValueError:
        return None
