"""A device's connection: kept between requests, made again when the Vault hung up; every failure has its words."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from sync_engine.device.http_connection import VaultConnection
from sync_engine.protocol import TransportError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Talk = Callable[[socket.socket], None]


@contextmanager
def listening(talk: Talk) -> Iterator[tuple[str, list[int]]]:
    """Run a server that handles each connection with `talk`; yields its address and connection numbers."""
    made: list[int] = []
    server = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            made.append(len(made))
            threading.Thread(target=_guarded, args=(talk, connection), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}", made
    finally:
        server.close()


def _guarded(talk: Talk, connection: socket.socket) -> None:
    with closing(connection):
        try:
            talk(connection)
        except OSError:
            return


def read_request(connection: socket.socket) -> bool:
    """Read one complete request. False if the device closed the connection."""
    received = b""
    while not received.endswith(b"{}"):
        part = connection.recv(65536)
        if not part:
            return False
        received += part
    return True


def answers(connection: socket.socket, reply: bytes = OK) -> None:
    while read_request(connection):
        connection.sendall(reply)


def once(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(OK)


def post(connection: VaultConnection, *, times: int = 1) -> list[bytes]:
    async def run() -> list[bytes]:
        return [await connection.post(b"{}") for _ in range(times)]

    return asyncio.run(run())


def failure(address: str, timeout: float = 5.0) -> TransportError:
    connection = VaultConnection(address, timeout)
    with pytest.raises(TransportError) as raised:
        post(connection)
    connection.close()
    return raised.value


def test_one_connection_serves_many_requests():
    with listening(answers) as (address, made), closing(VaultConnection(address, 5.0)) as connection:
        assert post(connection, times=5) == [b"ok"] * 5
        assert post(connection) == [b"ok"]  # another event loop, the same connection
        assert len(made) == 1


def test_a_vault_that_hung_up_between_two_requests_is_called_again():
    with listening(once) as (address, made), closing(VaultConnection(address, 5.0)) as connection:
        assert post(connection) == [b"ok"]
        _until_hung_up(connection)
        assert post(connection) == [b"ok"]
        assert len(made) == 2


def _until_hung_up(connection: VaultConnection) -> None:
    assert connection._http is not None and connection._http.sock is not None
    connection._http.sock.setblocking(True)
    assert connection._http.sock.recv(1, socket.MSG_PEEK) == b""


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    error = failure(f"http://127.0.0.1:{port}")
    assert (error.error_type, error.transient) == ("NETWORK_ERROR", True)
    assert str(port) in error.message


def test_no_answer_in_time():
    over = threading.Event()
    with listening(lambda connection: over.wait(30) and None) as (address, _):
        assert failure(address, timeout=0.05).error_type == "TIMEOUT"
        over.set()


@pytest.mark.parametrize(
    "reply", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nok"]
)
def test_an_answer_that_breaks_off_or_is_none(reply):
    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(reply)

    with listening(talk) as (address, _):
        assert failure(address).error_type == "NETWORK_ERROR"


@pytest.mark.parametrize(("status", "transient"), [(503, True), (429, True), (404, False), (799, False)])
def test_a_status_instead_of_an_answer(status, transient):
    reply = f"HTTP/1.1 {status} ErrorText\r\nContent-Length: 0\r\n\r\n".encode()
    with listening(lambda connection: answers(connection, reply)) as (address, _):
        error = failure(address)
    assert (error.error_type, error.http_status, error.transient) == (f"HTTP_{status}", status, transient)


@pytest.mark.parametrize("address", ["vault", "ftp://127.0.0.1:1", "http://127.0.0.1:no", "http://", ""])
def test_an_address_that_is_none_says_how_to_write_one(address):
    error = failure(address)
    assert "http://HOST:PORT" in error.message
    assert (error.error_type, error.transient) == ("NETWORK_ERROR", False)


def test_who_stops_waiting_hangs_up_at_once():
    hung_up = threading.Event()

    def talk(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass
        hung_up.set()

    with listening(talk) as (address, made), closing(VaultConnection(address, 30.0)) as connection:

        async def stop() -> None:
            waiting = asyncio.create_task(connection.post(b"{}"))
            while not made:
                await asyncio.sleep(0.01)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert await asyncio.to_thread(
                hung_up.wait, 10
            )  # long before the 30 seconds of the request are over

        asyncio.run(stop())
